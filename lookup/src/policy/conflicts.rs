//! What two services may not both claim: one address, VLAN, protocol and port.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;
use toml::Spanned;

use super::nest::chains;
use super::{Domain, Service, vlans};
use crate::document::{Document, Problem};

/// Reports services that claim one address, protocol and port, and carve-outs that carve nothing.
pub(super) fn check(document: &mut Document, domains: &[Domain], services: &[Service]) {
    let entries = services.iter().enumerate().flat_map(|(index, service)| {
        service.networks.iter().map(move |network| (*network.get_ref(), (index, network)))
    });
    let mut reported = HashSet::new();
    let mut carves = Carves::default();
    // Each network against those around it: its own, the first `own` of the chain, come first.
    for (network, chain) in chains(entries) {
        let own = chain.iter().take_while(|(_, at)| *at.get_ref() == network).count();
        for (place, &(narrow, narrow_at)) in chain[..own].iter().enumerate() {
            for &(wide, wide_at) in &chain[place + 1..] {
                let equal = *wide_at.get_ref() == network;
                let (inner, outer) = (&services[narrow], &services[wide]);
                if narrow == wide || !meet(inner, outer) {
                    continue;
                }
                if !equal && inner.domain == outer.domain {
                    continue;
                }
                let Some(vlan) = together(domains, inner, outer) else {
                    carves.apart.insert(narrow);
                    continue;
                };
                if !equal && inner.carve_out.is_some() {
                    carves.done.insert(narrow);
                    let shadow = |one: &Service| domains[usize::from(one.domain.0)].shadow;
                    if shadow(inner) && !shadow(outer) {
                        carves.open.entry(narrow).or_insert(wide);
                    }
                    if !covers(domains, inner, outer) {
                        carves.partly.entry(narrow).or_insert(wide);
                    }
                    continue;
                }
                if reported.insert((narrow, wide)) {
                    let pair = [(inner, narrow_at), (outer, wide_at)];
                    report(document, domains, pair, equal, vlan);
                }
            }
        }
    }
    carves.remark(document, domains, services);
}

/// Services that take something out of another domain, and in which VLANs.
#[derive(Default)]
struct Carves {
    done: HashSet<usize>,
    /// No VLAN sees it and the wider one.
    apart: HashSet<usize>,
    /// Some VLAN sees only the wider one, which is beside it.
    partly: HashMap<usize, usize>,
    /// Its domain is in shadow mode, that of the wider one beside it is not.
    open: HashMap<usize, usize>,
}

impl Carves {
    fn remark(&self, document: &mut Document, domains: &[Domain], services: &[Service]) {
        for (index, service) in services.iter().enumerate() {
            let Some(span) = service.carve_out.clone() else { continue };
            let narrow = full(domains, service);
            if let Some(&wide) = self.open.get(&index) {
                let wide = full(domains, &services[wide]);
                let message =
                    format!("`{narrow}` opens what `{wide}` closes: its domain is a shadow");
                let help = "nothing is dropped here: let the domain enforce, or carve out later";
                document.warn(span.clone(), message, help);
            }
            if let Some(&wide) = self.partly.get(&index) {
                let wide = full(domains, &services[wide]);
                let message = format!("`{narrow}` is carved out of `{wide}` in its own VLANs only");
                let help = format!(
                    "in the other VLANs `{wide}` decides: if that is not meant, give both domains \
                     the same `vlans`"
                );
                document.warn(span, message, help);
            } else if !self.done.contains(&index) {
                let mut message = format!("`{}` takes nothing out of another domain", service.name);
                if self.apart.contains(&index) {
                    message += ": no VLAN sees it and the wider one";
                }
                document.warn(span, message, "take `carve_out` away");
            }
        }
    }
}

/// A service by domain and name.
fn full(domains: &[Domain], service: &Service) -> String {
    format!("{}/{}", domains[usize::from(service.domain.0)].name, service.name)
}

fn seen<'a>(domains: &'a [Domain], service: &Service) -> Option<&'a [u16]> {
    domains[usize::from(service.domain.0)].vlans.as_deref()
}

/// The first VLAN that sees both, if it takes one to see both.
fn together(domains: &[Domain], one: &Service, other: &Service) -> Option<Option<u16>> {
    vlans::common(seen(domains, one), seen(domains, other))
}

/// Each VLAN that sees the other sees the one.
fn covers(domains: &[Domain], one: &Service, other: &Service) -> bool {
    match (seen(domains, one), seen(domains, other)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => other.iter().all(|id| one.binary_search(id).is_ok()),
    }
}

fn meet(one: &Service, other: &Service) -> bool {
    // Packets without ports are in no list of ports, and left to the other service.
    let portless = [one, other].iter().any(|service| service.proto.portless());
    let common = one.ports.common(&other.ports);
    one.proto.overlaps(other.proto) && common.is_some_and(|(first, _)| first == 0 || !portless)
}

type At<'a> = (&'a Service, &'a Spanned<IpNet>);

fn report(
    document: &mut Document,
    domains: &[Domain],
    [inner, outer]: [At<'_>; 2],
    equal: bool,
    vlan: Option<u16>,
) {
    let (narrow, wide) = (full(domains, inner.0), full(domains, outer.0));
    let (network, claim) = (inner.1.get_ref(), claim(inner.0, outer.0));
    let place = match vlan {
        None => "",
        Some(0) => " without a VLAN",
        Some(id) => &format!(" in VLAN {id}"),
    };
    let message = format!("`{narrow}` and `{wide}` both claim {network}, {claim}{place}");
    let change = match vlan {
        None => "change one of the two",
        Some(_) => "change one of the two, or the `vlans` of their domains",
    };
    let help = if equal && inner.0.domain == outer.0.domain {
        format!("one address, protocol and port belongs to one service: {change}")
    } else if equal {
        format!("one address, protocol and port belongs to one domain: {change}")
    } else {
        format!("{change}, or let `{narrow}` win here with `carve_out = true` in it")
    };
    let problem = Problem::error(&document.source(), inner.1.span(), message, help)
        .label(format!("`{narrow}` claims it here"))
        .also(outer.1.span(), format!("`{wide}` claims it here"));
    document.push(problem);
}

/// What both claim: a protocol without ports, or ports.
fn claim(one: &Service, other: &Service) -> String {
    if let Some(portless) = [one, other].into_iter().find(|service| service.proto.portless()) {
        return portless.proto.name();
    }
    match one.ports.common(&other.ports) {
        None | Some((0, u16::MAX)) => "any port".to_owned(),
        Some((first, last)) if first == last => format!("port {first}"),
        Some((first, last)) => format!("ports {first}-{last}"),
    }
}
