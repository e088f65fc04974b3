//! Which events a reader asks for, of the recent past or of a log's file.

use std::net::IpAddr;

use filter::DropReason;
use lookup::Country;
use serde::{Deserialize, Serialize};

use crate::pattern::Kind;

/// What a reader wants to see; what is absent does not matter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A domain's name, or `none`.
    pub domain: Option<String>,
    /// Two letters, or `unknown`.
    pub country: Option<String>,
    /// The number of an autonomous system.
    pub asn: Option<u32>,
    /// A network or address that the source is in.
    pub from: Option<String>,
    /// A drop reason.
    pub reason: Option<String>,
    /// An `event_type`, or the name of a pattern.
    pub kind: Option<String>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// What an event is chosen by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The domain that it is about.
    pub domain: Option<&'a str>,
    /// The country that it is about.
    pub country: Option<&'a str>,
    /// The operator that it is about.
    pub asn: Option<u32>,
    /// Where it came from.
    pub src: Option<IpAddr>,
    /// Why, of a record.
    pub reason: Option<&'a str>,
    /// Its `event_type`.
    pub kind: &'a str,
    /// Which pattern it is, if it is one.
    pub pattern: Option<&'a str>,
}

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `192.0.2.0/24`, `2001:db8::/32`, or an address.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no network; write 192.0.2.0/24, 2001:db8::/32 or an address");
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }

    /// The network around an address: an IPv6 one has `bits_v6`, an IPv4 one is the address alone.
    pub(crate) fn around(address: IpAddr, bits_v6: u8) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { bits_v6 } }
    }

    /// Whether an address is in it.
    pub(crate) fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let other = a.to_bits() ^ b.to_bits();
                other.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let other = a.to_bits() ^ b.to_bits();
                other.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Refuses a word that is none of those there are.
fn known(what: &str, word: Option<&str>, words: &[&str]) -> Result<(), String> {
    match word {
        Some(word) if !words.iter().any(|known| known.eq_ignore_ascii_case(word)) => {
            Err(format!("`{word}` is no {what}; there are {}", words.join(", ")))
        }
        _ => Ok(()),
    }
}

/// What a reader wants, understood.
#[derive(Clone, Debug)]
pub struct Choice {
    wanted: Wanted,
    from: Option<Network>,
}

impl Choice {
    /// Reads the network, and looks whether there can be such events at all: a word that is misspelt
    /// would only never be found.
    ///
    /// # Errors
    /// A network that is none, or a word that no event has.
    pub fn new(wanted: Wanted) -> Result<Self, String> {
        let from = wanted.from.as_deref().map(Network::parse).transpose()?;
        let reasons: Vec<_> = DropReason::ALL.iter().map(|reason| reason.as_str()).collect();
        known("drop reason", wanted.reason.as_deref(), &reasons)?;
        let patterns = Kind::ALL.map(Kind::as_str);
        let kinds = [&["drop", "exception", "pattern"][..], &patterns].concat();
        known("kind of event", wanted.kind.as_deref(), &kinds)?;
        let country =
            wanted.country.as_deref().filter(|name| !name.eq_ignore_ascii_case("unknown"));
        match country {
            Some(code) if Country::new(&code.to_ascii_uppercase()).is_none() => {
                Err(format!("`{code}` is no country; write two letters, or unknown"))
            }
            _ => Ok(Self { wanted, from }),
        }
    }

    /// Whether the reader wants this one.
    #[must_use]
    pub fn takes(&self, event: &Facts<'_>) -> bool {
        let Self { wanted, from } = self;
        let named = |wanted: &Option<String>, is: Option<&str>, none: &str| {
            wanted.as_deref().is_none_or(|wanted| {
                is.map_or(wanted == none, |is| is.eq_ignore_ascii_case(wanted))
            })
        };
        named(&wanted.domain, event.domain, "none")
            && named(&wanted.country, event.country, "unknown")
            && named(&wanted.reason, event.reason, "")
            && (named(&wanted.kind, Some(event.kind), "") || named(&wanted.kind, event.pattern, ""))
            && wanted.asn.is_none_or(|asn| event.asn == Some(asn))
            && from.is_none_or(|network| event.src.is_some_and(|src| network.holds(src)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_no_event_has_is_refused_with_those_there_are() {
        let choice = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            Choice::new(wanted).map(drop)
        };
        for change in [
            (|wanted| wanted.reason = Some("Not_Allowed".into())) as fn(&mut Wanted),
            |wanted| wanted.kind = Some("drop".into()),
            |wanted| wanted.kind = Some("sweep".into()),
            |wanted| wanted.country = Some("fr".into()),
            |wanted| wanted.country = Some("unknown".into()),
        ] {
            assert_eq!(choice(change), Ok(()));
        }
        let said = choice(|wanted| wanted.reason = Some("notallowed".into())).unwrap_err();
        assert!(said.contains("`notallowed` is no drop reason; there are no_service"), "{said}");
        let said = choice(|wanted| wanted.kind = Some("drops".into())).unwrap_err();
        assert!(said.contains("drop, exception, pattern, sweep"), "{said}");
        for code in ["", "D", "DEU", "Germany", "d1"] {
            let wanted = Wanted { country: Some(code.into()), ..Wanted::default() };
            assert!(Choice::new(wanted).is_err(), "{code}");
        }
    }

    #[test]
    fn a_kind_is_an_event_or_a_pattern() {
        let takes = |kind: &str, facts: &Facts<'_>| {
            let wanted = Wanted { kind: Some(kind.into()), ..Wanted::default() };
            Choice::new(wanted).unwrap().takes(facts)
        };
        let drop = Facts { kind: "drop", ..Facts::default() };
        let sweep = Facts { kind: "pattern", pattern: Some("sweep"), ..Facts::default() };
        for (kind, expected) in [
            ("drop", [true, false]),
            ("pattern", [false, true]),
            ("sweep", [false, true]),
            ("busy", [false, false]),
        ] {
            assert_eq!([&drop, &sweep].map(|facts| takes(kind, facts)), expected, "{kind}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses_to_the_last() {
        #[rustfmt::skip]
        let cases = [
            ("192.0.2.0/24",   "192.0.2.255",  true),
            ("192.0.2.0/24",   "192.0.3.0",    false),
            ("192.0.2.9",      "192.0.2.9",    true),
            ("192.0.2.9",      "192.0.2.8",    false),
            ("0.0.0.0/0",      "255.1.2.3",    true),
            ("0.0.0.0/0",      "::1",          false),
            ("::/0",           "2001:db8::1",  true),
            ("2001:db8::/33",  "2001:db8:8000::", false),
            ("2001:db8::/33",  "2001:db8:7fff::", true),
            ("2001:db8::1",    "2001:db8::1",  true),
        ];
        for (network, address, holds) in cases {
            let holds_it = Network::parse(network).unwrap().holds(address.parse().unwrap());
            assert_eq!(holds_it, holds, "{network} {address}");
        }
        for text in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/x", "host"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
