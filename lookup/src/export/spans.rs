//! Sets of addresses as intervals, and the algebra of groups: or, and, but not.
//!
//! Written for the export alone: the compiler of address classes does not use it, so that a mistake
//! in either shows as a disagreement between the two.

use std::net::{IpAddr, Ipv6Addr};

use crate::{Address, Prefix};

/// Intervals, ascending, with a gap between each and the next; both ends are inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spans<A>(Vec<(A, A)>);

impl<A: Address> Spans<A> {
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn all() -> Self {
        Self(vec![(A::MIN, A::MAX)])
    }

    /// Intervals in any order, overlapping or not.
    pub(super) fn of(intervals: impl IntoIterator<Item = (A, A)>) -> Self {
        let mut sorted: Vec<(A, A)> = intervals.into_iter().collect();
        sorted.sort_unstable();
        let mut spans: Vec<(A, A)> = Vec::new();
        for (first, last) in sorted {
            match spans.last_mut() {
                // Touching counts as overlapping: there is no address between the two.
                Some((_, end)) if end.successor().is_none_or(|next| first <= next) => {
                    *end = last.max(*end);
                }
                _ => spans.push((first, last)),
            }
        }
        Self(spans)
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    pub(super) fn not(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some(A::MIN);
        for &(first, last) in &self.0 {
            if let (Some(start), Some(end)) = (next, first.predecessor())
                && start <= end
            {
                gaps.push((start, end));
            }
            next = last.successor();
        }
        gaps.extend(next.map(|start| (start, A::MAX)));
        Self(gaps)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        self.not().or(&other.not()).not()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements of an nftables set: networks where an interval is one, ranges where not.
    pub(super) fn elements(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|&(first, last)| {
            let mut cover = Prefix::cover(first, last);
            match (cover.next(), cover.next()) {
                (Some(one), None) if first == last => text(one.first()),
                (Some(one), None) => format!("{}/{}", text(one.first()), one.bits()),
                _ => format!("{}-{}", text(first), text(last)),
            }
        })
    }
}

fn text<A: Address>(address: A) -> String {
    match address.network(A::BITS).addr() {
        IpAddr::V6(v6) => v6_text(v6),
        v4 => v4.to_string(),
    }
}

/// nftables reads no dotted quad within an IPv6 address.
pub(super) fn v6_text(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(list: &[(u32, u32)]) -> Spans<u32> {
        Spans::of(list.iter().copied())
    }

    #[test]
    fn intervals_merge_when_they_touch() {
        let merged = spans(&[(10, 20), (0, 4), (5, 7), (15, 30), (u32::MAX, u32::MAX)]);
        assert_eq!(merged.0, [(0, 7), (10, 30), (u32::MAX, u32::MAX)]);
        assert_eq!(merged.not().0, [(8, 9), (31, u32::MAX - 1)]);
        assert_eq!(merged.not().not(), merged);
    }

    #[test]
    fn the_ends_of_the_space_are_addresses_like_others() {
        assert_eq!(Spans::<u32>::all().not(), Spans::none());
        assert_eq!(Spans::<u128>::none().not(), Spans::all());
        assert_eq!(spans(&[(0, 0)]).not().0, [(1, u32::MAX)]);
        assert_eq!(spans(&[(u32::MAX, u32::MAX)]).not().0, [(0, u32::MAX - 1)]);
        assert_eq!(spans(&[(0, u32::MAX), (3, 4)]), Spans::all());
    }

    #[test]
    fn and_is_what_both_hold() {
        let (one, other) = (spans(&[(0, 10), (20, 30)]), spans(&[(5, 25), (30, 40)]));
        assert_eq!(one.and(&other).0, [(5, 10), (20, 25), (30, 30)]);
        assert!(one.and(&one.not()).is_empty());
    }

    #[test]
    fn elements_are_networks_ranges_and_addresses() {
        let list = spans(&[(0x0a00_0000, 0x0aff_ffff), (0x0b00_0001, 0x0b00_0002), (7, 7)]);
        let elements: Vec<_> = list.elements().collect();
        assert_eq!(elements, ["0.0.0.7", "10.0.0.0/8", "11.0.0.1-11.0.0.2"]);
        let mapped = Spans::<u128>::of([(0xffff_0000_0000, 0xffff_ffff_ffff)]);
        assert_eq!(mapped.elements().next().as_deref(), Some("::ffff:0:0/96"));
    }
}
