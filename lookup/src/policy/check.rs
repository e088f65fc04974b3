//! Networks and countries, as policies write them.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::countries;
use crate::document::Document;
use crate::{Asn, Country};

impl Document {
    /// A list of networks; one that is written twice is kept once.
    pub(crate) fn networks(&mut self, list: &[Spanned<String>]) -> Vec<Spanned<IpNet>> {
        let mut networks: Vec<Spanned<IpNet>> = Vec::new();
        for text in list {
            let Some(network) = self.network(text) else {
                continue;
            };
            if networks.iter().any(|one| *one.get_ref() == network) {
                self.twice(text.span(), text.get_ref());
            } else {
                networks.push(Spanned::new(text.span(), network));
            }
        }
        networks
    }

    pub(crate) fn network(&mut self, text: &Spanned<String>) -> Option<IpNet> {
        match network(text.get_ref()) {
            Ok(network) => Some(network),
            Err(fault) => {
                self.error(text.span(), fault.message, fault.help);
                None
            }
        }
    }

    pub(crate) fn countries(&mut self, list: &[Spanned<String>]) -> Vec<Country> {
        let mut countries = Vec::new();
        for text in list {
            let Some(country) = self.country(text) else {
                continue;
            };
            if countries.contains(&country) {
                self.twice(text.span(), text.get_ref());
            } else {
                countries.push(country);
            }
        }
        countries
    }

    pub(crate) fn country(&mut self, text: &Spanned<String>) -> Option<Country> {
        let code = text.get_ref();
        let country = countries::parse(code);
        if country.is_none() {
            let help = match countries::meant(code) {
                Some((code, name)) => format!("did you mean `{code}` ({name})?"),
                None => "use the two upper-case letters of ISO 3166-1, such as DE".to_owned(),
            };
            self.error(text.span(), format!("unknown country code `{code}`"), help);
        }
        country
    }

    pub(crate) fn asns(&mut self, list: &[Spanned<u32>]) -> Vec<Asn> {
        let mut asns = Vec::new();
        for number in list {
            let Some(asn) = self.asn(number) else { continue };
            if asns.contains(&asn) {
                self.twice(number.span(), number.get_ref());
            } else {
                asns.push(asn);
            }
        }
        asns
    }

    pub(crate) fn asn(&mut self, number: &Spanned<u32>) -> Option<Asn> {
        let asn = *number.get_ref();
        if asn == 0 {
            let help = "it is reserved (RFC 7607) and nobody's: write the operator's number";
            self.error(number.span(), "0 is no autonomous system", help);
        }
        (asn != 0).then_some(Asn(asn))
    }

    pub(crate) fn twice(&mut self, span: Range<usize>, what: impl std::fmt::Display) {
        self.warn(span, format!("`{what}` stands twice in this list"), "remove one of the two");
    }
}

/// A message and what to do.
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A network as `address/length`, or an address alone, which is its /32 or /128.
pub(crate) fn network(text: &str) -> Result<IpNet, Fault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    if let Ok(network) = text.parse::<IpNet>() {
        if network.network() == network.addr() {
            return Ok(network);
        }
        let trunc = network.trunc();
        return Err(Fault {
            message: format!("`{text}` has bits set behind its length"),
            help: format!("the network is `{trunc}`; one address alone is `{}`", network.addr()),
        });
    }
    let help = match text.split_once('/') {
        Some((address, length)) => match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => {
                format!("`{length}` is no length: IPv4 networks have 0 to 32 bits")
            }
            Ok(IpAddr::V6(_)) => {
                format!("`{length}` is no length: IPv6 networks have 0 to 128 bits")
            }
            Err(_) => format!("`{address}` is no IPv4 or IPv6 address"),
        },
        None => "write a network such as 192.0.2.0/24 or 2001:db8::/32, or one address".to_owned(),
    };
    Err(Fault { message: format!("`{text}` is no network"), help })
}
