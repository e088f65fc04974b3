//! Addresses as integers, and prefixes of them.
//!
//! IPv4 is `u32`, IPv6 is `u128`, both in host byte order, so that one piece of code serves the two
//! families and addresses compare as they sort.

use std::fmt::Debug;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address of one family, as an integer in host byte order.
pub trait Address: Copy + Ord + Debug {
    /// Bits of an address: 32 or 128.
    const BITS: u8;
    /// The lowest address.
    const MIN: Self;
    /// The highest address.
    const MAX: Self;

    /// The next address; `None` after [`Address::MAX`].
    fn successor(self) -> Option<Self>;

    /// The address before; `None` before [`Address::MIN`].
    fn predecessor(self) -> Option<Self>;

    /// The first address of the prefix of `len` bits that holds `self`.
    fn first_of(self, len: u8) -> Self;

    /// The last address of the prefix of `len` bits that holds `self`.
    fn last_of(self, len: u8) -> Self;

    /// How many of the lowest bits are 0; `BITS` for address 0.
    fn zeros(self) -> u8;

    /// The prefix of `len` bits that holds `self`, as text shows it.
    fn network(self, len: u8) -> IpNet;
}

macro_rules! address {
    ($int:ty, $net:ident, $variant:ident) => {
        impl Address for $int {
            const BITS: u8 = <$int>::BITS as u8;
            const MIN: Self = 0;
            const MAX: Self = <$int>::MAX;

            fn successor(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn predecessor(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn first_of(self, len: u8) -> Self {
                self & !Self::MAX.checked_shr(u32::from(len)).unwrap_or(0)
            }

            fn last_of(self, len: u8) -> Self {
                self | Self::MAX.checked_shr(u32::from(len)).unwrap_or(0)
            }

            fn zeros(self) -> u8 {
                self.trailing_zeros() as u8
            }

            fn network(self, len: u8) -> IpNet {
                let len = len.min(<Self as Address>::BITS);
                IpNet::$variant($net::new_assert(self.first_of(len).into(), len))
            }
        }

        impl From<$net> for Prefix<$int> {
            fn from(network: $net) -> Self {
                Self::new(network.addr().into(), network.prefix_len())
            }
        }
    };
}

address!(u32, Ipv4Net, V4);
address!(u128, Ipv6Net, V6);

/// A prefix: an address whose bits beyond the first `len` are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix<A> {
    first: A,
    len: u8,
}

impl<A: Address> Prefix<A> {
    /// The prefix of `len` bits that holds `address`; a length beyond the family's is taken as that.
    #[must_use]
    pub fn new(address: A, len: u8) -> Self {
        let len = len.min(A::BITS);
        Self { first: address.first_of(len), len }
    }

    /// The lowest address in it.
    #[must_use]
    pub fn first(self) -> A {
        self.first
    }

    /// The highest address in it.
    #[must_use]
    pub fn last(self) -> A {
        self.first.last_of(self.len)
    }

    /// Its length in bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.len
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn holds(self, address: A) -> bool {
        address.first_of(self.len) == self.first
    }

    /// Its two halves, one bit longer; `None` for a single address.
    #[must_use]
    pub fn halves(self) -> Option<(Self, Self)> {
        if self.len >= A::BITS {
            return None;
        }
        let low = Self { first: self.first, len: self.len + 1 };
        let high = Self { first: low.last().successor()?, len: low.len };
        Some((low, high))
    }

    /// The fewest prefixes that together are exactly `first..=last`, in order; none if
    /// `last < first`.
    pub fn cover(first: A, last: A) -> impl Iterator<Item = Self> {
        let mut next = (first <= last).then_some(first);
        std::iter::from_fn(move || {
            let start = next?;
            let mut len = A::BITS - start.zeros();
            while start.last_of(len) > last {
                len += 1;
            }
            let end = start.last_of(len);
            next = end.successor().filter(|_| end < last);
            Some(Self { first: start, len })
        })
    }
}
