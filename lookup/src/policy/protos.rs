//! Protocols by name and number.
//!
//! A packet belongs to one protocol: the first behind its IP headers. So the headers that are walked
//! through on the way there name no service, and an error says so; a tunnel is its outer protocol.
//! Numbers are of IANA's registry "Protocol Numbers".

use toml::Spanned;

use super::check::Fault;
use crate::Proto;
use crate::document::{Document, nearest};

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

    /// Its packets never have ports.
    #[must_use]
    pub fn portless(self) -> bool {
        matches!(self, Self::One(proto) if !proto.has_ports())
    }

    /// As a policy would write it.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::One(Proto(number)) => {
                let known = NAMES.iter().find(|(_, known)| *known == number);
                known.map_or_else(|| format!("protocol {number}"), |(name, _)| (*name).to_owned())
            }
        }
    }
}

/// The names that a policy may use.
const NAMES: [(&str, u8); 19] = [
    ("tcp", 6),
    ("udp", 17),
    ("sctp", 132),
    ("icmp", 1),
    ("udplite", 136),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ipip", 4),
    ("6in4", 41),
    ("etherip", 97),
    ("l2tp", 115),
    ("mpls", 137),
    ("ospf", 89),
    ("eigrp", 88),
    ("vrrp", 112),
    ("igmp", 2),
    ("pim", 103),
    ("rsvp", 46),
];

/// What people call a protocol that travels in UDP, and its port.
const IN_UDP: [(&str, u16); 3] = [("vxlan", 4789), ("geneve", 6081), ("wireguard", 51820)];

/// A protocol's number from its name; `None` for `any` and unknown names.
pub(crate) fn proto_named(name: &str) -> Option<Proto> {
    NAMES.iter().find(|(known, _)| *known == name).map(|&(_, number)| Proto(number))
}

/// The `proto` of a service.
pub(super) fn proto(document: &mut Document, text: &Spanned<String>) -> Option<Protos> {
    match read(text.get_ref()) {
        Ok(protos) => Some(protos),
        Err(fault) => {
            document.error(text.span(), fault.message, fault.help);
            None
        }
    }
}

fn read(text: &str) -> Result<Protos, Fault> {
    if text == "any" {
        return Ok(Protos::Any);
    }
    if let Some(proto) = proto_named(text) {
        return Ok(Protos::One(proto));
    }
    if text.is_empty() || text.bytes().any(|byte| !byte.is_ascii_digit()) {
        return Err(unknown(text));
    }
    let plain = text == "0" || !text.starts_with('0');
    match text.parse().ok().filter(|_| plain) {
        Some(number) => numbered(number),
        None => Err(Fault {
            message: format!("`{text}` is no protocol number"),
            help: "protocols are \"0\" to \"255\", without zeros in front".to_owned(),
        }),
    }
}

/// A protocol by its number, unless it says less or more than a service can.
fn numbered(number: u8) -> Result<Protos, Fault> {
    let (message, help) = match number {
        1 | 58 => (
            format!("protocol {number} is icmp in one family only"),
            "write `icmp`: it serves both families, each by its own number",
        ),
        51 => return Err(unknown("ah")),
        0 | 43 | 44 | 60 => (
            format!("protocol {number} is an IPv6 extension header"),
            "packets are judged by what stands behind it: name that protocol",
        ),
        _ => return Ok(Protos::One(Proto(number))),
    };
    Err(Fault { message, help: help.to_owned() })
}

fn unknown(name: &str) -> Fault {
    let lower = name.to_lowercase();
    let in_udp = IN_UDP.iter().find(|(known, _)| *known == lower);
    let names = NAMES.iter().map(|(name, _)| *name).chain(["any"]);
    let (message, help) = match lower.as_str() {
        "icmpv6" | "icmp6" | "ipv6-icmp" => {
            (format!("unknown protocol `{name}`"), "`icmp` serves both families".to_owned())
        }
        "ipv6" | "6to4" | "sit" => {
            (format!("unknown protocol `{name}`"), "IPv6 in IPv4 is `6in4`".to_owned())
        }
        "ah" => (
            "an authentication header (protocol 51) is no service".to_owned(),
            "packets are judged by what it protects: name that protocol".to_owned(),
        ),
        _ => {
            let help = match (in_udp, nearest(name, names)) {
                (Some((_, port)), _) => {
                    format!("it travels in UDP: write `udp`, and its port, most often {port}")
                }
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => {
                    "write tcp, udp, sctp, icmp, any, another name of docs/policy.md, or a number \
                     such as \"47\""
                        .to_owned()
                }
            };
            (format!("unknown protocol `{name}`"), help)
        }
    };
    Fault { message, help }
}
