//! What is compared with what: services that stay in their domain, traffic that meets a service of
//! another domain now, traffic whose service comes or goes, and egress.
//!
//! A verdict belongs to a pair of an address and a service, and the service's domain gives it. So all
//! traffic that meets one domain before and one domain now is one subject, whichever services they are.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::ground::{Meeting, meetings};
use crate::policy::Policy;
use crate::{DomainId, ServiceId};

/// Traffic whose verdicts change alike, or egress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Connections opened from the inside, which have no domain.
    pub egress: bool,
    /// The domain of its services in the old policy; `None` when they are not in it.
    pub before: Option<String>,
    /// The domain of its services in the new policy; `None` when they are not in it.
    pub after: Option<String>,
    /// The services' names, without the domain's.
    pub services: Vec<String>,
    /// Where the domains differ: which traffic it is, such as `tcp 443` or `udp 53 in VLAN 10`.
    pub traffic: Vec<String>,
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
    let mut places: HashMap<[Option<DomainId>; 2], usize> = HashMap::new();
    let mut known: HashSet<(usize, String)> = HashSet::new();
    for Meeting { services: [before, after], traffic } in meetings(old, new) {
        let (before, after) = (service(old, before), service(new, after));
        let domains = [before, after].map(|it| it.map(|service| service.domain));
        let place = *places.entry(domains).or_insert_with(|| {
            found.push(compared(old, new, domains[0], domains[1], false));
            found.len() - 1
        });
        let subject = &mut found[place].subject;
        for service in [before, after].into_iter().flatten() {
            if known.insert((place, service.name.clone())) {
                subject.services.push(service.name.clone());
            }
        }
        subject.traffic.extend(traffic);
    }
    for one in &mut found {
        let mut told = HashSet::new();
        one.subject.traffic.retain(|text| told.insert(text.clone()));
    }
    found
}

fn service(policy: &Policy, id: Option<ServiceId>) -> Option<&crate::policy::Service> {
    policy.services.get(usize::from(id?.0))
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
        traffic: Vec::new(),
        shadow,
    };
    Compared { subject, egress, before, after }
}
