//! What all peers are asked to do: let some countries reach one service, and nobody else.
//!
//! One fence writes Palisade's policy and the sets of nftables, from the same database, so that the
//! verdicts must agree.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use lookup::{Country, Geo, GeoFiles};

use crate::{Error, Result};

/// One UDP service that some countries may reach.
#[derive(Debug)]
pub struct Fence {
    /// The country database; the embedded table when absent.
    pub database: Option<PathBuf>,
    /// The same, loaded.
    pub geo: Geo,
    /// Who may come.
    pub countries: Vec<Country>,
    /// The service's address.
    pub address: Ipv4Addr,
    /// Its other address, where a peer has both families.
    pub second: Option<Ipv6Addr>,
    /// The service's port.
    pub port: u16,
}

impl Fence {
    /// A fence around a service of the lab.
    ///
    /// # Errors
    /// When the database cannot be read, or a country is none.
    pub fn new(database: Option<PathBuf>, countries: &[&str], port: u16) -> Result<Self> {
        let files = GeoFiles { country: database.clone(), asn: None };
        let geo = Geo::load(&files, &[]).map_err(|error| Error::Usage(error.to_string()))?;
        let parse = |name: &&str| {
            Country::new(name).ok_or_else(|| Error::Usage(format!("`{name}` is no country code")))
        };
        let countries = countries.iter().map(parse).collect::<Result<_>>()?;
        let address = Ipv4Addr::new(10, 1, 0, 10);
        Ok(Self { database, geo, countries, address, second: None, port })
    }

    /// As Palisade's policy.
    #[must_use]
    pub fn policy(&self) -> String {
        let geo = self.database.as_ref();
        let geo = geo.map_or(String::new(), |path| format!("[geo]\ncountry = {path:?}\n\n"));
        let countries: Vec<_> = self.countries.iter().map(Country::as_str).collect();
        let mut networks = vec![format!("{}/32", self.address)];
        networks.extend(self.second.map(|second| format!("{second}/128")));
        let port = self.port;
        format!(
            "{geo}[group.welcome]\ncountries = {countries:?}\n\n\
             [domain.external]\nexposure = \"external\"\nallow = [\"welcome\"]\n\n\
             [[domain.external.service]]\nname = \"time\"\nnetworks = {networks:?}\n\
             proto = \"udp\"\nports = [\"{port}\"]\n",
        )
    }

    /// Whether an address may come.
    #[must_use]
    pub fn welcomes(&self, source: IpAddr) -> bool {
        let country = self.geo.origin(source).country;
        country.is_some_and(|country| self.countries.contains(&country))
    }

    /// The intervals that may come, merged where they touch, as the elements of an nftables set.
    #[must_use]
    pub fn intervals(&self) -> String {
        let keys = self.geo.keys();
        let welcome =
            |country: Option<Country>| country.is_some_and(|c| self.countries.contains(&c));
        let merged =
            keys.v4.map(|id| keys.keys.get(id.0 as usize).is_some_and(|key| welcome(key.country)));
        let mut text = String::new();
        for (first, last, _) in merged.iter().filter(|(.., welcome)| **welcome) {
            let _ = write!(text, "{}, ", interval(first, last));
        }
        text
    }

    /// All intervals of the database with the place of their country, as the elements of an nftables
    /// map of marks: those that may come are marked 1 to the number of [`Self::countries`].
    #[must_use]
    pub fn marks(&self) -> String {
        let keys = self.geo.keys();
        let mut text = String::new();
        for (first, last, id) in keys.v4.iter() {
            let Some(country) = keys.keys.get(id.0 as usize).and_then(|key| key.country) else {
                continue;
            };
            let place = self.countries.iter().position(|welcome| *welcome == country);
            let mark = place.map_or(1000 + id.0 as usize, |place| place + 1);
            let _ = write!(text, "{} : {mark}, ", interval(first, last));
        }
        text
    }
}

fn interval(first: u32, last: u32) -> String {
    let (first, last) = (Ipv4Addr::from(first), Ipv4Addr::from(last));
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_policy_say_the_same() {
        let fence = Fence::new(None, &["DE", "FR", "US"], 123).unwrap();
        let intervals = fence.intervals();
        let ends: Vec<(Ipv4Addr, Ipv4Addr)> = intervals
            .trim_end_matches(", ")
            .split(", ")
            .map(|text| text.split_once('-').unwrap_or((text, text)))
            .map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()))
            .collect();
        assert!(ends.len() > 10_000, "{}", ends.len());
        for (first, last) in ends {
            for address in [first, last] {
                assert!(fence.welcomes(address.into()), "{address}");
            }
            for outside in [u32::from(first).wrapping_sub(1), u32::from(last).wrapping_add(1)] {
                assert!(!fence.welcomes(Ipv4Addr::from(outside).into()), "{outside:x}");
            }
        }
        let marked = |mark: &str| fence.marks().matches(&format!(" : {mark}, ")).count();
        assert!(marked("1") > 1000 && marked("3") > 1000);
    }
}
