//! Services, and what two of them may not both claim.

use std::collections::HashSet;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::Domain;
use super::nest::chains;
use super::ports::{self, Ports, Protos};
use super::text::ServiceText;
use super::vlans;
use crate::document::{Document, Problem, fault};
use crate::{DomainId, Proto};

/// Where connections may go: networks, a protocol and ports, in one domain.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, once in its domain.
    pub name: String,
    /// Its domain.
    pub domain: DomainId,
    /// Its networks, each with its place in the policy.
    pub networks: Vec<Spanned<IpNet>>,
    /// Its protocol.
    pub proto: Protos,
    /// Its ports.
    pub ports: Ports,
    /// It may take its networks out of a wider service of another domain.
    pub carve_out: Option<Range<usize>>,
    /// Where the policy names it.
    pub span: Range<usize>,
}

/// One service of a domain; what is missing is reported.
pub(crate) fn read(
    document: &mut Document,
    domain: DomainId,
    at: &Range<usize>,
    text: &ServiceText,
) -> Option<Service> {
    // What is absent because it was wrong has been reported.
    let mut missing = |span, what: &str, help: &str| {
        if !text.broken {
            document.error(span, format!("this service {what}"), help);
        }
    };
    let at = text.name.as_ref().map_or_else(|| at.clone(), Spanned::span);
    if text.name.is_none() {
        missing(at.clone(), "has no name", "add `name = \"postgres\"`");
    }
    if text.networks.as_ref().is_none_or(Vec::is_empty) {
        let help = "add `networks = [\"10.2.0.0/24\"]`: the addresses that it answers on";
        missing(at.clone(), "does not say its networks", help);
    }
    if text.proto.is_none() {
        let help = "add `proto = \"tcp\"` (tcp, udp, sctp, icmp or any)";
        missing(at.clone(), "does not say its protocol", help);
    }
    let icmp = text.proto.as_ref().is_some_and(|proto| proto.get_ref().starts_with("icmp"));
    if text.ports.is_none() && !icmp {
        let help = "add `ports = [\"443\"]`, a range \"6000-6010\", or [\"any\"]";
        missing(at.clone(), "does not say its ports", help);
    }
    let name = text.name.as_ref().map_or("", |name| name.get_ref());
    if let (Some(_), Some(fault)) = (&text.name, fault(name)) {
        let message = format!("the service's name `{name}` {fault}");
        document.error(at.clone(), message, "use letters, digits, `-`, `_` and `.`");
    }
    let networks = text.networks.as_ref().map(|list| document.networks(list));
    let proto = text.proto.as_ref().and_then(|proto| ports::proto(document, proto));
    let ports = ports::ports(document, proto, text.ports.as_ref());
    let carve_out = text.carve_out.as_ref().filter(|carve| *carve.get_ref());
    Some(Service {
        name: name.to_owned(),
        domain,
        networks: networks?,
        proto: proto?,
        ports: ports?,
        carve_out: carve_out.map(Spanned::span),
        span: at,
    })
}

/// Reports services that claim one address, protocol and port, and carve-outs that carve nothing.
pub(crate) fn conflicts(document: &mut Document, domains: &[Domain], services: &[Service]) {
    let entries = services.iter().enumerate().flat_map(|(index, service)| {
        service.networks.iter().map(move |network| (*network.get_ref(), (index, network)))
    });
    let mut reported = HashSet::new();
    let mut carved = HashSet::new();
    // Each network against those around it: its own, the first `own` of the chain, come first.
    for (network, chain) in chains(entries) {
        let own = chain.iter().take_while(|(_, at)| *at.get_ref() == network).count();
        for (place, &(narrow, narrow_at)) in chain[..own].iter().enumerate() {
            for &(wide, wide_at) in &chain[place + 1..] {
                let equal = *wide_at.get_ref() == network;
                let (inner, outer) = (&services[narrow], &services[wide]);
                if narrow == wide || !meet(inner, outer) || !together(domains, inner, outer) {
                    continue;
                }
                if !equal && inner.domain == outer.domain {
                    continue;
                }
                if !equal && inner.carve_out.is_some() {
                    carved.insert(narrow);
                    continue;
                }
                if reported.insert((narrow, wide)) {
                    let pair = [(inner, narrow_at), (outer, wide_at)];
                    report(document, domains, pair, equal);
                }
            }
        }
    }
    for (index, service) in services.iter().enumerate() {
        if let Some(span) = service.carve_out.clone()
            && !carved.contains(&index)
        {
            let message = format!("`{}` takes nothing out of another domain", service.name);
            document.warn(span, message, "take `carve_out` away");
        }
    }
}

/// Some VLAN sees both.
fn together(domains: &[Domain], one: &Service, other: &Service) -> bool {
    let vlans = |service: &Service| domains[usize::from(service.domain.0)].vlans.as_deref();
    vlans::common(vlans(one), vlans(other)).is_some()
}

fn meet(one: &Service, other: &Service) -> bool {
    // ICMP has no ports, so that a list of ports leaves it to the other service.
    let portless = [one, other].iter().any(|service| service.proto == Protos::One(Proto::ICMP));
    let common = one.ports.common(&other.ports);
    one.proto.overlaps(other.proto) && common.is_some_and(|(first, _)| first == 0 || !portless)
}

type At<'a> = (&'a Service, &'a Spanned<IpNet>);

fn report(document: &mut Document, domains: &[Domain], [inner, outer]: [At<'_>; 2], equal: bool) {
    let full = |service: &Service| {
        format!("{}/{}", domains[usize::from(service.domain.0)].name, service.name)
    };
    let (narrow, wide) = (full(inner.0), full(outer.0));
    let network = inner.1.get_ref();
    let port = match inner.0.ports.common(&outer.0.ports) {
        None | Some((0, u16::MAX)) => "any port".to_owned(),
        Some((first, last)) if first == last => format!("port {first}"),
        Some((first, last)) => format!("ports {first}-{last}"),
    };
    let message = format!("`{narrow}` and `{wide}` both claim {network}, {port}");
    let help = if equal && inner.0.domain == outer.0.domain {
        "one address, protocol and port belongs to one service: change one of the two".to_owned()
    } else if equal {
        "one address, protocol and port belongs to one domain: change one of the two".to_owned()
    } else {
        format!("change one of the two, or let `{narrow}` win here with `carve_out = true` in it")
    };
    let problem = Problem::error(&document.source(), inner.1.span(), message, help)
        .label(format!("`{narrow}` claims it here"))
        .also(outer.1.span(), format!("`{wide}` claims it here"));
    document.push(problem);
}
