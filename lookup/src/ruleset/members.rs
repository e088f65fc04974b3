//! Which groups and exceptions hold an address, from what is known of it: origin and lists.
//!
//! Evaluated once for each combination that occurs (a few thousand), never for an address.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::policy::{Body, GroupId, PRIVATE, Policy};
use crate::{Asn, Country, OriginKey};

/// A list of networks: the failsafe's, the private ones, then each group's, then each exception's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ListId(u32);

impl ListId {
    pub(super) const FAILSAFE: Self = Self(0);
    const PRIVATE: Self = Self(1);

    /// The list of a group's networks.
    fn of(group: usize) -> Self {
        Self(group as u32 + 2)
    }

    /// The list of an exception, behind those of all groups.
    fn of_exception(policy: &Policy, exception: usize) -> Self {
        Self::of(policy.groups.len() + exception)
    }
}

/// All networks of all lists.
pub(super) fn networks(policy: &Policy) -> impl Iterator<Item = (IpNet, ListId)> {
    let failsafe = policy.failsafe.iter().map(|&network| (network, ListId::FAILSAFE));
    let private = PRIVATE.iter().filter_map(|text| Some((text.parse().ok()?, ListId::PRIVATE)));
    let groups = policy.groups.iter().enumerate().flat_map(|(index, group)| {
        let networks = match &group.body {
            Body::Axes { networks: Some(networks), .. } => networks.as_slice(),
            _ => &[],
        };
        networks.iter().map(move |&network| (network, ListId::of(index)))
    });
    let exceptions = policy.exceptions.iter().enumerate().flat_map(|(index, exception)| {
        let list = ListId::of_exception(policy, index);
        exception.networks.iter().map(move |&network| (network, list))
    });
    failsafe.chain(private).chain(groups).chain(exceptions)
}

/// The groups that hold an address, then the exceptions: a bit for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Members(Box<[u64]>);

impl Members {
    pub(super) fn holds(&self, group: GroupId) -> bool {
        self.bit(usize::from(group.0))
    }

    /// Whether the bit of a group, or behind all groups of an exception, is set.
    pub(super) fn bit(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

/// The axes of one group as sets.
enum Axes {
    None,
    Some { countries: Option<HashSet<Country>>, asns: Option<HashSet<Asn>> },
}

/// The groups of a policy, ready to be asked.
pub(super) struct Evaluator<'a> {
    policy: &'a Policy,
    axes: Vec<Axes>,
    /// All that groups name, ascending.
    asns: Vec<Asn>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        let axes: Vec<Axes> = policy
            .groups
            .iter()
            .map(|group| match &group.body {
                Body::Axes { countries, asns, .. } => Axes::Some {
                    countries: countries.as_ref().map(|list| list.iter().copied().collect()),
                    asns: asns.as_ref().map(|list| list.iter().copied().collect()),
                },
                _ => Axes::None,
            })
            .collect();
        let named = |axes: &Axes| match axes {
            Axes::Some { asns: Some(asns), .. } => asns.iter().copied().collect(),
            _ => Vec::new(),
        };
        let mut asns: Vec<Asn> = axes.iter().flat_map(named).collect();
        asns.sort_unstable();
        asns.dedup();
        Self { policy, axes, asns }
    }

    /// Whether a group names an operator; the policy cannot tell the others apart.
    pub(super) fn names(&self, asn: Asn) -> bool {
        self.asns.binary_search(&asn).is_ok()
    }

    /// The groups and exceptions that hold an address of this origin in these lists.
    pub(super) fn members(&self, origin: OriginKey, lists: &[ListId]) -> Members {
        let (groups, exceptions) = (self.policy.groups.len(), self.policy.exceptions.len());
        let words = (groups + exceptions).div_ceil(64);
        let mut members = Members(vec![0; words].into());
        for &id in &self.policy.order {
            let group = &self.policy.groups[usize::from(id.0)];
            let held = match &group.body {
                Body::Anyone => true,
                Body::Private => lists.contains(&ListId::PRIVATE),
                Body::Unknown => origin.country.is_none() && !lists.contains(&ListId::PRIVATE),
                Body::AnyOf(parts) => parts.iter().any(|&part| members.holds(part)),
                Body::Axes { networks, .. } => {
                    let index = usize::from(id.0);
                    (networks.is_none() || lists.contains(&ListId::of(index)))
                        && self.axes[index].hold(origin)
                }
            };
            if held && !group.except.iter().any(|&part| members.holds(part)) {
                members.insert(usize::from(id.0));
            }
        }
        for index in 0..exceptions {
            if lists.contains(&ListId::of_exception(self.policy, index)) {
                members.insert(groups + index);
            }
        }
        members
    }
}

impl Axes {
    /// The axes other than networks; what is not known satisfies none.
    fn hold(&self, origin: OriginKey) -> bool {
        let Self::Some { countries, asns } = self else {
            return true;
        };
        let country = |set: &HashSet<Country>| origin.country.is_some_and(|one| set.contains(&one));
        let asn = |set: &HashSet<Asn>| origin.asn.is_some_and(|one| set.contains(&one));
        countries.as_ref().is_none_or(country) && asns.as_ref().is_none_or(asn)
    }
}
