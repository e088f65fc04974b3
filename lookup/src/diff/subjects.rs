//! What is compared with what: services that stay in their domain, services that move to another,
//! services that come and go, and egress.
//!
//! A verdict belongs to a pair of an address and a service, and the service's domain gives it. So
//! services with the same domain before and the same after are one subject.

use serde::Serialize;

use crate::DomainId;
use crate::policy::{Policy, Service};

/// Services whose verdicts change alike, or egress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Connections opened from the inside, which have no domain.
    pub egress: bool,
    /// Their domain in the old policy; `None` when they are not in it.
    pub before: Option<String>,
    /// Their domain in the new policy; `None` when they are not in it.
    pub after: Option<String>,
    /// Their names, without the domain's.
    pub services: Vec<String>,
    /// The domain is in shadow mode: before, after.
    pub shadow: [bool; 2],
}

/// A subject with what its verdicts are asked of.
pub(super) struct Compared {
    pub(super) subject: Subject,
    pub(super) egress: bool,
    pub(super) before: Option<DomainId>,
    pub(super) after: Option<DomainId>,
}

impl Compared {
    /// Whether a packet goes on. In shadow mode it does whatever the verdict; a domain that is a
    /// shadow before and after is compared by what it would do.
    pub(super) fn goes_on(&self, side: usize, allowed: bool) -> bool {
        let [before, after] = self.subject.shadow;
        allowed || (self.subject.shadow[side] && before != after)
    }
}

/// All subjects: egress, then the domains in the order of the old policy, then what is new.
pub(super) fn subjects(old: &Policy, new: &Policy) -> Vec<Compared> {
    let mut found = vec![compared(old, new, None, None, true)];
    let mut add = |before: Option<DomainId>, after: Option<DomainId>, service: &Service| {
        let at = found
            .iter()
            .position(|one| !one.egress && (one.before, one.after) == (before, after))
            .unwrap_or_else(|| {
                found.push(compared(old, new, before, after, false));
                found.len() - 1
            });
        let services = &mut found[at].subject.services;
        if !services.contains(&service.name) {
            services.push(service.name.clone());
        }
    };
    for service in &old.services {
        let after = same(old, service, new).or_else(|| heir(service, new));
        add(Some(service.domain), after.map(|it| it.domain), service);
    }
    for service in new.services.iter().filter(|service| same(new, service, old).is_none()) {
        let before = heir(service, old);
        add(before.map(|it| it.domain), Some(service.domain), service);
    }
    found
}

fn compared(
    old: &Policy,
    new: &Policy,
    before: Option<DomainId>,
    after: Option<DomainId>,
    egress: bool,
) -> Compared {
    let domain = |policy: &'_ Policy, id: Option<DomainId>| {
        id.map(|id| policy.domains[usize::from(id.0)].clone())
    };
    let (was, is) = (domain(old, before), domain(new, after));
    let shadow = [&was, &is].map(|it| it.as_ref().is_some_and(|domain| domain.shadow));
    let subject = Subject {
        egress,
        before: was.map(|domain| domain.name),
        after: is.map(|domain| domain.name),
        services: Vec::new(),
        shadow,
    };
    Compared { subject, egress, before, after }
}

/// The service of the same domain and name.
fn same<'a>(here: &Policy, service: &Service, there: &'a Policy) -> Option<&'a Service> {
    let domain = |policy: &'_ Policy, id: DomainId| policy.domains[usize::from(id.0)].name.clone();
    let name = domain(here, service.domain);
    there
        .services
        .iter()
        .find(|other| other.name == service.name && domain(there, other.domain) == name)
}

/// The service that answers where this one did: of those that share an address, protocol and port
/// the one with the most specific network.
fn heir<'a>(service: &Service, there: &'a Policy) -> Option<&'a Service> {
    let meet = |other: &&Service| {
        service.proto.overlaps(other.proto) && service.ports.common(&other.ports).is_some()
    };
    let length = |other: &Service| {
        let shared = other.networks.iter().map(toml::Spanned::get_ref).filter(|theirs| {
            let ours = service.networks.iter().map(toml::Spanned::get_ref);
            ours.into_iter().any(|ours| ours.contains(*theirs) || theirs.contains(ours))
        });
        shared.map(ipnet::IpNet::prefix_len).max()
    };
    there
        .services
        .iter()
        .filter(meet)
        .filter_map(|other| Some((length(other)?, other)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, other)| other)
}
