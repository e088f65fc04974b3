//! Services as rules: which packets are whose.
//!
//! The most specific network that serves a protocol and port names the match. Networks nest or are
//! apart, so the rules stand in the order of their lengths, longest first, and the first match is
//! the most specific one.

use std::fmt::Write as _;

use ipnet::IpNet;

use super::spans::v6_text;
use super::{Family, Target};
use crate::Proto;
use crate::policy::{Policy, Ports, Protos, Service};

/// Which end of a packet is the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It came from the outside, for the service.
    Destination,
    /// It came from the inside, from the service.
    Source,
}

/// One rule's match, and the service that it is of.
pub(super) struct Match<'a> {
    pub(super) text: String,
    pub(super) service: &'a Service,
}

/// All services of a policy as matches, in the order in which they are to be tried.
pub(super) fn matches<'a>(policy: &'a Policy, target: &Target, end: End) -> Vec<Match<'a>> {
    let mut found: Vec<(bool, u8, Match<'a>)> = Vec::new();
    for service in &policy.services {
        let vlans = policy.domains[usize::from(service.domain.0)].vlans.as_deref();
        for (v6, bits, networks) in by_length(service) {
            for vlan in vlan(vlans, target, end) {
                let text = format!(
                    "{vlan}{} {networks}{}",
                    address(v6, end),
                    transport(service.proto, &service.ports, end)
                );
                found.push((v6, bits, Match { text, service }));
            }
        }
    }
    found.sort_by_key(|(v6, bits, _)| (*v6, u8::MAX - bits));
    found.into_iter().map(|(.., found)| found).collect()
}

fn address(v6: bool, end: End) -> &'static str {
    match (v6, end) {
        (false, End::Destination) => "ip daddr",
        (false, End::Source) => "ip saddr",
        (true, End::Destination) => "ip6 daddr",
        (true, End::Source) => "ip6 saddr",
    }
}

/// The networks of a service, those of one family and length together.
fn by_length(service: &Service) -> Vec<(bool, u8, String)> {
    let mut networks: Vec<IpNet> = service.networks.iter().map(|it| *it.get_ref()).collect();
    networks.sort_by_key(|net| (matches!(net, IpNet::V6(_)), u8::MAX - net.prefix_len(), *net));
    let alike = |a: &IpNet, b: &IpNet| {
        a.prefix_len() == b.prefix_len() && a.addr().is_ipv4() == b.addr().is_ipv4()
    };
    let text = |same: &[IpNet]| {
        let all: Vec<String> = same.iter().map(network).collect();
        set(&all)
    };
    let head = |same: &[IpNet]| same.first().map(|net| (net.addr().is_ipv6(), net.prefix_len()));
    networks
        .chunk_by(alike)
        .filter_map(|same| head(same).map(|(v6, bits)| (v6, bits, text(same))))
        .collect()
}

fn network(network: &IpNet) -> String {
    let address = match network {
        IpNet::V4(net) => net.network().to_string(),
        IpNet::V6(net) => v6_text(net.network()),
    };
    if network.prefix_len() == network.max_prefix_len() {
        address
    } else {
        format!("{address}/{}", network.prefix_len())
    }
}

/// One alone, several in braces.
fn set(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        _ => format!("{{ {} }}", items.join(", ")),
    }
}

/// Protocol and ports, seen from the service's end of the packet.
fn transport(proto: Protos, ports: &Ports, end: End) -> String {
    let side = if end == End::Destination { "dport" } else { "sport" };
    let ranges: Vec<String> = ports
        .ranges()
        .iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    let ports = (*ports != Ports::any()).then(|| set(&ranges));
    match (proto, ports) {
        (Protos::Any, None) => String::new(),
        (Protos::Any, Some(ports)) => format!(" meta l4proto {PORTED} th {side} {ports}"),
        // ICMPv6 is ICMP to a policy, so that one service serves both families.
        (Protos::One(Proto::ICMP), _) => " meta l4proto { icmp, ipv6-icmp }".to_owned(),
        (Protos::One(proto), None) => format!(" meta l4proto {}", proto_text(proto)),
        (Protos::One(proto), Some(ports)) => {
            format!(" meta l4proto {} th {side} {ports}", proto_text(proto))
        }
    }
}

/// The protocols whose packets begin with two ports.
const PORTED: &str = "{ tcp, udp, sctp, dccp, udplite }";

fn proto_text(proto: Proto) -> String {
    let name = match proto {
        Proto::TCP => "tcp",
        Proto::UDP => "udp",
        Proto::SCTP => "sctp",
        Proto::DCCP => "dccp",
        Proto::UDP_LITE => "udplite",
        other => return other.0.to_string(),
    };
    name.to_owned()
}

/// What tells the VLANs of a domain, before the rest of the match: one rule for each of these.
fn vlan(vlans: Option<&[u16]>, target: &Target, end: End) -> Vec<String> {
    let Some(vlans) = vlans else { return vec![String::new()] };
    if target.family == Family::Inet {
        let base = if end == End::Destination { &target.outside } else { &target.inside };
        let names: Vec<String> = vlans.iter().map(|&id| interface(base, id)).collect();
        return vec![format!("iifname {} ", set(&names))];
    }
    let tagged: Vec<String> = vlans.iter().filter(|id| **id != 0).map(u16::to_string).collect();
    let mut all = Vec::new();
    if !tagged.is_empty() {
        all.push(format!("vlan id {} ", set(&tagged)));
    }
    if vlans.contains(&0) {
        // Without a tag, and with a tag that carries a priority only.
        all.push("ether type != 8021q ".to_owned());
        all.push("vlan id 0 ".to_owned());
    }
    all
}

/// The name of a VLAN's interface on a router, as `ip link` and most tools give it.
fn interface(base: &str, vlan: u16) -> String {
    let mut name = format!("\"{base}");
    if vlan != 0 {
        let _ = write!(name, ".{vlan}");
    }
    name + "\""
}
