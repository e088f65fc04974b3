//! What each group holds, read off the policy's own words: axes are `and`, `any_of` is `or`,
//! `except` is `but not`.
//!
//! Nothing of the compiled classes is used. What is shared with the compiler is the data that both
//! start from: the parsed policy, and which country and operator an address has.

use ipnet::IpNet;

use super::spans::Spans;
use crate::policy::{Body, Group, PRIVATE, Policy};
use crate::{OriginKey, OriginKeys};

/// The addresses of a group, in both families.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) v4: Spans<u32>,
    pub(super) v6: Spans<u128>,
}

impl Held {
    pub(super) fn networks<'a>(networks: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(net) => v4.push((net.network().into(), net.broadcast().into())),
                IpNet::V6(net) => v6.push((net.network().into(), net.broadcast().into())),
            }
        }
        Self { v4: Spans::of(v4), v6: Spans::of(v6) }
    }

    fn all() -> Self {
        Self { v4: Spans::all(), v6: Spans::all() }
    }

    fn none() -> Self {
        Self { v4: Spans::none(), v6: Spans::none() }
    }

    fn private() -> Self {
        let networks: Vec<IpNet> = PRIVATE.iter().filter_map(|text| text.parse().ok()).collect();
        Self::networks(&networks)
    }

    /// The addresses whose origin is one that is asked for.
    fn origins(keys: &OriginKeys, asked: impl Fn(OriginKey) -> bool) -> Self {
        let wanted: Vec<bool> = keys.keys.iter().map(|&key| asked(key)).collect();
        let is = |id: &crate::OriginId| wanted.get(id.0 as usize).copied().unwrap_or(false);
        let v4 = keys.v4.iter().filter(|(.., id)| is(id)).map(|(first, last, _)| (first, last));
        let v6 = keys.v6.iter().filter(|(.., id)| is(id)).map(|(first, last, _)| (first, last));
        Self { v4: Spans::of(v4), v6: Spans::of(v6) }
    }

    fn or(&self, other: &Self) -> Self {
        Self { v4: self.v4.or(&other.v4), v6: self.v6.or(&other.v6) }
    }

    fn and(&self, other: &Self) -> Self {
        Self { v4: self.v4.and(&other.v4), v6: self.v6.and(&other.v6) }
    }

    fn but_not(&self, other: &Self) -> Self {
        Self { v4: self.v4.and(&other.v4.not()), v6: self.v6.and(&other.v6.not()) }
    }
}

/// What each group of the policy holds, by its id.
pub(super) fn groups(policy: &Policy, keys: &OriginKeys) -> Vec<Held> {
    let mut held = vec![Held::none(); policy.groups.len()];
    for id in &policy.order {
        let index = usize::from(id.0);
        let group = &policy.groups[index];
        let mut holds = body(group, keys, &held);
        for part in &group.except {
            holds = holds.but_not(&held[usize::from(part.0)]);
        }
        held[index] = holds;
    }
    held
}

fn body(group: &Group, keys: &OriginKeys, held: &[Held]) -> Held {
    match &group.body {
        Body::Anyone => Held::all(),
        Body::Private => Held::private(),
        Body::Unknown => Held::origins(keys, |key| key.country.is_none()).but_not(&Held::private()),
        Body::AnyOf(parts) => {
            parts.iter().fold(Held::none(), |all, part| all.or(&held[usize::from(part.0)]))
        }
        Body::Axes { networks, countries, asns } => {
            let mut holds = Held::all();
            if let Some(networks) = networks {
                holds = holds.and(&Held::networks(networks));
            }
            if let Some(list) = countries {
                let country = |key: OriginKey| key.country.is_some_and(|one| list.contains(&one));
                holds = holds.and(&Held::origins(keys, country));
            }
            if let Some(list) = asns {
                let operator = |key: OriginKey| key.asn.is_some_and(|one| list.contains(&one));
                holds = holds.and(&Held::origins(keys, operator));
            }
            holds
        }
    }
}
