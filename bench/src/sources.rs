//! `palisade-bench sources`: networks by country and share, for the kernel's pktgen.
//!
//! The kernel's generator knows no country: it steps through one range of IPv4 addresses, or sends from
//! one IPv6 address. So a mix is a list of ranges, each with a weight, which `scripts/pktgen/run mix`
//! makes into as many of its devices. Ranges are drawn as `palisade-bench pktgen` draws its sources.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::load::{Random, Shares, Sources};
use crate::peers::Fence;
use crate::{Error, Result};

/// What the ranges of a share of weight 1 weigh together: parts of it are whole numbers.
const SCALE: usize = 10_000;

/// Print networks to send from, with weights, for the kernel's pktgen: `scripts/pktgen/run mix`.
#[derive(Debug, Args)]
pub struct Draw {
    /// Where the sources are, with weights: countries, unknown, allowed, denied, anywhere.
    #[arg(long, value_name = "SHARES", default_value = "allowed:50,denied:30,unknown:20")]
    from: Shares,
    /// Countries that are let in.
    #[arg(long, value_name = "COUNTRIES", default_value = "DE,FR,US", value_delimiter = ',')]
    allow: Vec<String>,
    /// A country database instead of the embedded table.
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// IPv4 ranges, IPv6 addresses, or as many of both.
    #[arg(long, value_enum, default_value_t = Family::Both)]
    family: Family,
    /// How many: each is a device of pktgen.
    #[arg(long, default_value_t = 60)]
    networks: usize,
    /// The same seed draws the same networks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    V4,
    V6,
    Both,
}

impl Draw {
    /// Prints them, one a line: weight, first and last address, origin.
    ///
    /// # Errors
    /// When the database has no address of a share, or there are fewer networks than shares.
    pub fn run(&self) -> Result<()> {
        print!("{}", self.text()?);
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let countries: Vec<&str> = self.allow.iter().map(String::as_str).collect();
        let fence = Fence::new(self.geo.clone(), &countries, 0)?;
        let keys = fence.geo.keys();
        let mut random = Random::new(self.seed);
        let mut text = format!("# weight, first and last address, origin; {}\n", self.shares());
        for (share, part) in self.from.0.iter().zip(self.from.deal(self.networks)) {
            let origin = share.origin;
            if part < self.families() {
                let wanted = "ask for more --networks: each share needs one of each family";
                return Err(Error::Usage(format!("no network is left for {origin}; {wanted}")));
            }
            let none = || Error::Usage(format!("the geo database knows no address of {origin}"));
            let sources = Sources::of(&keys, origin, &fence.countries).ok_or_else(none)?;
            let weight = share.weight as usize * SCALE / part;
            for turn in 0..part {
                let (first, last) = self.range(&sources, turn, &mut random).ok_or_else(none)?;
                let _ = writeln!(text, "{weight} {first} {last} {origin}");
            }
        }
        Ok(text)
    }

    fn families(&self) -> usize {
        if self.family == Family::Both { 2 } else { 1 }
    }

    fn shares(&self) -> String {
        let shares = self.from.0.iter().map(|share| format!("{}:{}", share.origin, share.weight));
        format!("{}, allowed are {}", shares.collect::<Vec<_>>().join(","), self.allow.join(","))
    }

    /// One range, of the other family where an origin has none of the wanted one.
    fn range(&self, from: &Sources, turn: usize, random: &mut Random) -> Option<(IpAddr, IpAddr)> {
        let one = |address| (address, address);
        let mut drawn = |family| match family {
            Family::V6 => from.v6(random).map(one),
            _ => from.v4_range(random),
        };
        match self.family {
            Family::Both if turn % 2 == 1 => drawn(Family::V6).or_else(|| drawn(Family::V4)),
            Family::Both => drawn(Family::V4).or_else(|| drawn(Family::V6)),
            family => drawn(family),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(from: &str, family: Family, networks: usize) -> Draw {
        let allow = vec!["DE".to_owned(), "FR".to_owned()];
        Draw { from: from.parse().unwrap(), allow, geo: None, family, networks, seed: 1 }
    }

    #[test]
    fn every_address_of_a_range_is_where_it_should_be() {
        let fence = Fence::new(None, &["DE", "FR"], 0).unwrap();
        let text = draw("allowed:5,JP:3,unknown:2", Family::Both, 40).text().unwrap();
        let mut weights = [0_usize; 3];
        let mut families = [0; 2];
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split(' ').collect();
            let &[weight, first, last, origin] = words.as_slice() else { panic!("{line}") };
            let place = ["allowed", "JP", "unknown"].iter().position(|name| *name == origin);
            weights[place.unwrap()] += weight.parse::<usize>().unwrap();
            for address in [first, last] {
                let address: IpAddr = address.parse().unwrap();
                families[usize::from(address.is_ipv6())] += 1;
                let country = fence.geo.origin(address).country;
                let right = match origin {
                    "allowed" => fence.welcomes(address),
                    "unknown" => country.is_none(),
                    _ => country.is_some_and(|country| country.as_str() == origin),
                };
                assert!(right, "{line}");
            }
        }
        assert_eq!(weights, [50_000, 30_000, 20_000]);
        assert_eq!(families, [40, 40]);
    }

    #[test]
    fn one_family_alone_and_too_few_networks() {
        let v4 = draw("allowed:1", Family::V4, 8).text().unwrap();
        assert!(!v4.contains("::") && v4.lines().count() == 9, "{v4}");
        let v6 = draw("denied:1", Family::V6, 8).text().unwrap();
        assert!(v6.lines().skip(1).all(|line| line.contains(':')), "{v6}");
        let said = draw("allowed:1,denied:1", Family::Both, 3).text().unwrap_err().to_string();
        assert!(said.contains("--networks"), "{said}");
        assert!(draw("QQ:1", Family::V4, 1).text().is_err());
    }
}
