//! Questions to `explain`, as people write them.

use std::net::IpAddr;

use crate::policy::{Fault, port, proto_named};
use crate::{Proto, Side};

/// A packet to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its source.
    pub from: IpAddr,
    /// Its source port, where it matters: a packet from the inside whose source is a service is that
    /// service's reply. Without one it opens a connection.
    pub from_port: Option<u16>,
    /// Its destination.
    pub to: IpAddr,
    /// Its destination port; 0 where the protocol has none.
    pub to_port: u16,
    /// Its protocol.
    pub proto: Proto,
    /// Where it arrives.
    pub side: Side,
    /// The id in its VLAN tag; 0 without one.
    pub vlan: u16,
}

/// A question that cannot be understood: what is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct AskError {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl From<Fault> for AskError {
    fn from(fault: Fault) -> Self {
        Self { message: fault.message, help: fault.help }
    }
}

fn wrong(message: impl Into<String>, help: &str) -> AskError {
    AskError { message: message.into(), help: help.to_owned() }
}

impl Ask {
    /// `--from ADDR[:PORT]` and `--to ADDR:PORT/PROTO`. An IPv6 address with a port stands in
    /// brackets; icmp needs no port.
    ///
    /// # Errors
    /// What is wrong with either, and what to write instead.
    pub fn parse(from: &str, to: &str, side: Side) -> Result<Self, AskError> {
        let help = "write ADDR:PORT/PROTO, such as 10.2.0.10:5432/tcp or [2001:db8::1]:443/tcp";
        let (end, proto) =
            to.rsplit_once('/').ok_or_else(|| wrong(format!("`{to}` names no protocol"), help))?;
        let proto = protocol(proto)?;
        let (to, to_port) = endpoint(end)?;
        if to_port.is_none() && proto.has_ports() {
            return Err(wrong(format!("`{end}` names no port"), help));
        }
        let (from, from_port) = endpoint(from)?;
        Self { from, from_port, to, to_port: to_port.unwrap_or(0), proto, side, vlan: 0 }
            .same_family()
    }

    /// A line `SRC DST PROTO DPORT [inside] [vlan=N]` of a batch, the last two in either order; `SRC`
    /// may carry a port.
    ///
    /// # Errors
    /// What is wrong with the line, and what to write instead.
    pub fn parse_line(line: &str) -> Result<Self, AskError> {
        let help = "write `SRC DST PROTO DPORT`, and behind it `inside` for a packet from the inside, \
                    `vlan=N` for one with a VLAN tag";
        let words: Vec<&str> = line.split_whitespace().collect();
        let [from, to, proto, to_port, more @ ..] = &words[..] else {
            let count = words.len();
            return Err(wrong(format!("a line has four to six words, this has {count}"), help));
        };
        let (mut side, mut vlan) = (None, None);
        for word in more {
            let again = match word.strip_prefix("vlan=") {
                Some(id) => vlan.replace(vlan_id(id)?).is_some(),
                None if *word == "inside" => side.replace(Side::Inside).is_some(),
                None => {
                    let message = format!("`{word}` is not `inside` and not `vlan=N`");
                    return Err(wrong(message, help));
                }
            };
            if again {
                return Err(wrong(format!("`{word}` says again what is said before"), help));
            }
        }
        let proto = protocol(proto)?;
        let to_port = match *to_port {
            "-" if !proto.has_ports() => 0,
            text => number(text)?,
        };
        let (from, from_port) = endpoint(from)?;
        let to = address(to)?;
        let (side, vlan) = (side.unwrap_or(Side::Outside), vlan.unwrap_or(0));
        Self { from, from_port, to, to_port, proto, side, vlan }.same_family()
    }

    fn same_family(self) -> Result<Self, AskError> {
        if self.from.is_ipv4() == self.to.is_ipv4() {
            return Ok(self);
        }
        let message = format!("{} and {} are of two families", self.from, self.to);
        Err(wrong(message, "a packet has two IPv4 or two IPv6 addresses"))
    }
}

/// A VLAN id as a tag can carry it: a packet may have the reserved one too.
fn vlan_id(text: &str) -> Result<u16, AskError> {
    let id = text.parse().ok().filter(|&id| id <= 4095);
    id.ok_or_else(|| wrong(format!("`{text}` is no VLAN"), "VLAN ids are 0 (none) to 4095"))
}

/// A protocol by name or number, folded.
fn protocol(text: &str) -> Result<Proto, AskError> {
    let lower = text.to_ascii_lowercase();
    let named = match lower.as_str() {
        "icmpv6" | "icmp6" | "ipv6-icmp" => Some(Proto::ICMP),
        name => proto_named(name),
    };
    named.or_else(|| lower.parse().ok().map(|number| Proto(number).folded())).ok_or_else(|| {
        wrong(
            format!("`{text}` is no protocol"),
            "write tcp, udp, sctp, icmp, another name of docs/policy.md, or a number from 0 to 255",
        )
    })
}

/// A port of a packet. Unlike a policy's, it may be 0: such packets exist.
fn number(text: &str) -> Result<u16, AskError> {
    if text == "0" { Ok(0) } else { Ok(port(text)?) }
}

fn address(text: &str) -> Result<IpAddr, AskError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        wrong(format!("`{text}` is no address"), "write an IPv4 or IPv6 address, without a name")
    })
}

/// An address, with a port or without. Behind an IPv6 address without brackets a port cannot be told
/// from the address's own groups, so that all of it is the address if it can be.
fn endpoint(text: &str) -> Result<(IpAddr, Option<u16>), AskError> {
    if let Some((inner, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(number(port)?),
            None if rest.is_empty() => None,
            None => {
                return Err(wrong(format!("`{text}` is no address and port"), "write [ADDR]:PORT"));
            }
        };
        return Ok((address(inner)?, port));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => Ok((address(host)?, Some(number(port)?))),
        _ => Ok((address(text)?, None)),
    }
}
