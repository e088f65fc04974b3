//! The conservation of packets: what was offered is, at the end, in exactly one place.
//!
//! ```text
//!  offered == refused + entered                        at the outside interface
//!             entered == missed + judged               before the peer
//!                                 judged == forwarded + dropped      in the peer
//!                                           forwarded == unsent + sunk     behind it
//! ```
//! What a peer does not count is bounded by what stands beside it instead.

use crate::lab::Hops;
use crate::peers::Tally;

/// Frames that are none of the generator's: neighbour discovery at the start of a wire.
const STRAY: u64 = 64;

/// What all places counted during one offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Frames that the generator sent.
    pub offered: u64,
    /// What the interfaces counted.
    pub hops: Hops,
    /// What the peer counted.
    pub tally: Tally,
    /// Frames that the sink counted.
    pub sunk: u64,
}

impl Books {
    /// Every equation that does not hold, with both sides; nothing when all do.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let Self { offered, hops, tally, sunk } = self;
        let dropped: u64 = tally.dropped.values().sum();
        let mut wrong = Vec::new();
        let mut equal = |what: &str, left: u64, right: u64| {
            if left.abs_diff(right) > STRAY {
                wrong.push(format!("{what}: {left} != {right}"));
            }
        };
        equal("offered == refused + entered", *offered, hops.refused + hops.entered);
        if let (Some(judged), Some(missed)) = (tally.judged, tally.missed) {
            equal("entered == missed + judged", hops.entered, missed + judged);
        }
        if let (Some(judged), Some(forwarded)) = (tally.judged, tally.forwarded) {
            equal("judged == forwarded + dropped", judged, forwarded + dropped);
        }
        match tally.forwarded {
            Some(forwarded) => equal("forwarded == unsent + sunk", forwarded, hops.unsent + sunk),
            None => {
                let ends = hops.unsent + sunk;
                equal("entered >= unsent + sunk", hops.entered.max(ends), hops.entered);
            }
        }
        wrong
    }
}

/// What a peer counted between two readings.
#[must_use]
pub fn since(after: &Tally, before: &Tally) -> Tally {
    let minus = |after: Option<u64>, before: Option<u64>| Some(after?.saturating_sub(before?));
    let dropped = after.dropped.iter().map(|(reason, packets)| {
        let before = before.dropped.get(reason).copied().unwrap_or(0);
        (reason.clone(), packets.saturating_sub(before))
    });
    Tally {
        judged: minus(after.judged, before.judged),
        forwarded: minus(after.forwarded, before.forwarded),
        dropped: dropped.collect(),
        missed: minus(after.missed, before.missed),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn balanced() -> Books {
        Books {
            offered: 100_000,
            hops: Hops { refused: 40_000, entered: 60_000, unsent: 2_000 },
            tally: Tally {
                judged: Some(55_000),
                forwarded: Some(30_000),
                dropped: BTreeMap::from([("denied".to_owned(), 25_000)]),
                missed: Some(5_000),
            },
            sunk: 28_000,
        }
    }

    #[test]
    fn balanced_books_have_no_errors() {
        assert!(balanced().errors().is_empty());
        let silent = Books { tally: Tally::default(), ..balanced() };
        assert!(silent.errors().is_empty());
    }

    #[test]
    fn every_place_counts() {
        type Change = fn(&mut Books);
        let spoil: [(&str, Change); 8] = [
            ("offered", |books| books.offered += 100),
            ("refused", |books| books.hops.refused -= 100),
            ("entered", |books| books.hops.entered += 100),
            ("missed", |books| books.tally.missed = Some(6_000)),
            ("judged", |books| books.tally.judged = Some(55_100)),
            ("dropped", |books| books.tally.dropped.clear()),
            ("unsent", |books| books.hops.unsent = 0),
            ("sunk", |books| books.sunk += 100),
        ];
        for (what, change) in spoil {
            let mut books = balanced();
            change(&mut books);
            assert!(!books.errors().is_empty(), "{what}");
        }
        // Of a peer without counters: more came out than went in.
        let sunk = 60_000;
        let silent = Books { tally: Tally::default(), sunk, ..balanced() };
        assert_eq!(silent.errors().len(), 1);
    }

    #[test]
    fn readings_are_taken_apart() {
        let after = balanced().tally;
        let mut before = after.clone();
        before.judged = Some(50_000);
        before.dropped = BTreeMap::from([("denied".to_owned(), 24_000)]);
        let between = since(&after, &before);
        assert_eq!((between.judged, between.forwarded), (Some(5_000), Some(0)));
        assert_eq!(between.dropped["denied"], 1_000);
        before.judged = None;
        assert_eq!(since(&after, &before).judged, None);
    }
}
