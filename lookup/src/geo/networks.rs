//! One database by address: for every address its value and the network that the database gives
//! it by.
//!
//! A range remembers the prefix length of its networks. Neighbours of equal value and length share
//! one range and lose nothing, because an address and a length give the network. So a whole-world
//! country table costs 8 bytes a range in IPv4 and 20 in IPv6.
//!
//! Databases let other parts of the IPv6 space (`::ffff:0:0/96`, `2002::/16`, …) point at their
//! IPv4 tree. Such a part is kept as an alias, not as a copy:
//!
//! ```text
//!  2002:c633:6407::1  in alias 2002::/16  -->  198.51.100.7 in v4  -->  its /24 is a /40 there
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::{Address, Prefix, Ranges};

/// The value of an address and the length of the network that it is from (0 without a value).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net<T> {
    pub(crate) value: Option<T>,
    pub(crate) bits: u8,
}

impl<T> Net<T> {
    pub(crate) const NONE: Self = Self { value: None, bits: 0 };
}

/// All networks of one database, or of the overrides of one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Networks<T> {
    pub(crate) v4: Ranges<u32, Net<T>>,
    pub(crate) v6: Ranges<u128, Net<T>>,
    /// Parts of the IPv6 space that stand for the IPv4 space, ascending, without values in `v6`.
    pub(crate) aliases: Vec<Prefix<u128>>,
}

impl<T: Copy + PartialEq> Networks<T> {
    /// No networks.
    pub(crate) fn none() -> Self {
        Self { v4: Ranges::new(Net::NONE), v6: Ranges::new(Net::NONE), aliases: Vec::new() }
    }

    /// The longest of these networks gives an address its value.
    pub(crate) fn build(
        v4: impl IntoIterator<Item = (Prefix<u32>, T)>,
        v6: impl IntoIterator<Item = (Prefix<u128>, T)>,
    ) -> Self {
        Self { v4: nets(v4), v6: nets(v6), aliases: Vec::new() }
    }

    /// Gives back the room that nothing was written to, and lets rulesets share what is left.
    pub(crate) fn share(mut self) -> Arc<Self> {
        self.v4.shrink();
        self.v6.shrink();
        Arc::new(self)
    }

    /// The value of an address and its network.
    pub(crate) fn find(&self, address: IpAddr) -> Option<(T, IpNet)> {
        match address {
            IpAddr::V4(address) => {
                let address = u32::from(address);
                let net = self.v4.find(address);
                Some((net.value?, address.network(net.bits)))
            }
            IpAddr::V6(address) => {
                let address = u128::from(address);
                let alias = self.aliases.iter().find(|alias| alias.holds(address));
                let net = alias.map_or_else(
                    || *self.v6.find(address),
                    |alias| {
                        let net = self.v4.find((address >> shift(*alias)) as u32);
                        Net { value: net.value, bits: alias.bits() + net.bits }
                    },
                );
                Some((net.value?, address.network(net.bits)))
            }
        }
    }

    /// `f` of the values of the IPv4 space, without the networks.
    pub(crate) fn map_v4<X: PartialEq>(&self, f: impl Fn(Option<T>) -> X) -> Ranges<u32, X> {
        self.v4.map(|net| f(net.value))
    }

    /// `f` of the values of the IPv6 space, without the networks, aliases written out.
    pub(crate) fn map_v6<X: PartialEq>(&self, f: impl Fn(Option<T>) -> X) -> Ranges<u128, X> {
        let room = self.v6.len() + self.aliases.len() * (self.v4.len() + 1);
        let mut whole = Ranges::with_capacity(f(None), room);
        let mut aliases = self.aliases.iter().peekable();
        for (first, last, net) in self.v6.iter() {
            whole.append(first, f(net.value));
            while let Some(alias) = aliases.next_if(|alias| alias.last() <= last) {
                for (inner, _, net) in self.v4.iter() {
                    whole.append(alias.first() | u128::from(inner) << shift(*alias), f(net.value));
                }
                if let Some(after) = alias.last().successor().filter(|&after| after <= last) {
                    whole.append(after, f(net.value));
                }
            }
        }
        whole
    }

    /// The memory behind it.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }
}

/// How far left of its place in an IPv4 address a bit stands in an alias.
fn shift(alias: Prefix<u128>) -> u32 {
    96 - u32::from(alias.bits())
}

fn nets<A: Address, T: Copy + PartialEq>(
    prefixes: impl IntoIterator<Item = (Prefix<A>, T)>,
) -> Ranges<A, Net<T>> {
    let net =
        |(prefix, value): (Prefix<A>, T)| (prefix, Net { value: Some(value), bits: prefix.bits() });
    Ranges::build(Net::NONE, prefixes.into_iter().map(net))
}
