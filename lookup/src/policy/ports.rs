//! Protocols and ports of a service.

use toml::Spanned;

use super::check::Fault;
use super::text::Strings;
use crate::Proto;
use crate::document::{Document, suggest};

/// What a service serves: one protocol, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protos {
    /// This one, folded.
    One(Proto),
    /// Every IP protocol.
    Any,
}

impl Protos {
    /// Some packet can belong to both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self == Self::Any || other == Self::Any || self == other
    }
}

/// Ports as ascending ranges with gaps between them, first and last included.
///
/// A protocol without ports asks for port 0, which no list but `any` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Every port, and protocols without ports.
    #[must_use]
    pub fn any() -> Self {
        Self(vec![(0, u16::MAX)])
    }

    fn new(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if u32::from(first) <= u32::from(open.1) + 1 => {
                    open.1 = open.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// The first range of ports that both hold.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<(u16, u16)> {
        self.0.iter().find_map(|&(first, last)| {
            let meets = other.0.iter().find(|&&(start, end)| start <= last && first <= end)?;
            Some((first.max(meets.0), last.min(meets.1)))
        })
    }
}

/// The protocols that a policy may name.
const PROTOS: [(&str, Protos); 5] = [
    ("tcp", Protos::One(Proto::TCP)),
    ("udp", Protos::One(Proto::UDP)),
    ("sctp", Protos::One(Proto::SCTP)),
    ("icmp", Protos::One(Proto::ICMP)),
    ("any", Protos::Any),
];

/// A protocol's number as policies know it, from its name; `None` for `any` and unknown names.
pub(crate) fn proto_named(name: &str) -> Option<Proto> {
    match PROTOS.iter().find(|(known, _)| *known == name)?.1 {
        Protos::One(proto) => Some(proto),
        Protos::Any => None,
    }
}

/// The `proto` of a service.
pub(crate) fn proto(document: &mut Document, text: &Spanned<String>) -> Option<Protos> {
    let name = text.get_ref();
    let found = PROTOS.iter().find(|(known, _)| known == name);
    if found.is_none() {
        let help = match name.as_str() {
            "icmpv6" | "icmp6" | "ipv6-icmp" => "`icmp` serves both families".to_owned(),
            _ => suggest(&name.to_lowercase(), &PROTOS.map(|(name, _)| name)),
        };
        document.error(text.span(), format!("unknown protocol `{name}`"), help);
    }
    found.map(|(_, protos)| *protos)
}

/// The `ports` of a service with this protocol.
pub(crate) fn ports(
    document: &mut Document,
    proto: Option<Protos>,
    text: Option<&Spanned<Strings>>,
) -> Option<Ports> {
    let icmp = proto == Some(Protos::One(Proto::ICMP));
    let Some(list) = text else { return icmp.then(Ports::any) };
    if list.get_ref().is_empty() {
        let help = "name a port, a range \"6000-6010\", or \"any\"";
        document.error(list.span(), "the list of ports is empty", help);
        return None;
    }
    let any = list.get_ref().iter().find(|text| text.get_ref() == "any");
    if let Some(any) = any {
        if list.get_ref().len() > 1 {
            let help = "leave `any` alone in the list, or take it out";
            document.error(any.span(), "`any` holds all the other ports of this list", help);
            return None;
        }
        return Some(Ports::any());
    }
    if icmp {
        let help = "take `ports` away, or write `ports = [\"any\"]`";
        document.error(list.span(), "icmp has no ports", help);
        return None;
    }
    let mut ranges = Vec::new();
    for text in list.get_ref() {
        match range(text.get_ref()) {
            Ok(range) if ranges.contains(&range) => document.twice(text.span(), text.get_ref()),
            Ok(range) => ranges.push(range),
            Err(fault) => document.error(text.span(), fault.message, fault.help),
        }
    }
    (!ranges.is_empty()).then(|| Ports::new(ranges))
}

/// `"5432"` or `"6000-6010"`.
fn range(text: &str) -> Result<(u16, u16), Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first {
        return Err(Fault {
            message: format!("the range `{text}` runs backwards"),
            help: format!("did you mean `{last}-{first}`?"),
        });
    }
    Ok((first, last))
}

/// A port from 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, Fault> {
    match text.trim().parse::<u64>() {
        Ok(0) => Err(Fault {
            message: "port 0 is reserved".to_owned(),
            help: "ports are 1 to 65535; \"any\" is all of them".to_owned(),
        }),
        Ok(number) => u16::try_from(number).map_err(|_| Fault {
            message: format!("port {number} is too large"),
            help: "ports are 1 to 65535".to_owned(),
        }),
        Err(_) => Err(Fault {
            message: format!("`{text}` is no port"),
            help: "write a number, a range \"6000-6010\", or \"any\"".to_owned(),
        }),
    }
}
