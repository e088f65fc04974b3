//! One burst, from frames to actions.

use std::sync::Arc;

use arrayvec::ArrayVec;
use lookup::{Ruleset, Side};

use crate::counters::Domains;
use crate::{Counters, DomainCounters, Records, Shared};

/// The most frames of one burst.
pub const BURST: usize = 64;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Judged: to the other interface.
    Forward,
    /// Link traffic, unjudged: to the other interface.
    Pass,
    /// Back to the free list.
    Drop,
}

/// The actions of a burst, one for each frame, in order.
pub type Actions = ArrayVec<Action, BURST>;

/// The time, read once a burst.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Nanoseconds since 1970 UTC, for records.
    pub unix_ns: u64,
    /// Milliseconds of a clock that never goes back, for timeouts; all workers that share a
    /// [`Shared`] count from the same moment.
    pub mono_ms: u64,
}

/// How big a filter is and how much it says.
#[derive(Clone, Copy, Debug)]
pub struct FilterConfig {
    /// Flow entries; rounded up to a power of two.
    pub flows: usize,
    /// Full records a second; the rest is summarised and counted.
    pub records_per_s: u32,
    /// Secret and random, one a worker: nobody outside can aim at one bucket of the flow table.
    pub key: [u8; 16],
}

/// Judges the frames of one worker.
#[derive(Debug)]
pub struct Filter {
    counters: Counters,
    domains: Domains,
}

impl Filter {
    /// Allocates everything that the filter will ever need.
    #[must_use]
    pub fn new(_config: FilterConfig, _shared: Arc<Shared>) -> Self {
        Self {
            counters: Counters::default(),
            domains: Domains::new(),
        }
    }

    /// Judges a burst: at most [`BURST`] frames that arrived on `side`. `actions` is cleared and
    /// gets one action for each frame, in order; frames beyond the burst get none.
    pub fn process(
        &mut self,
        _rules: &Ruleset,
        _now: Now,
        _side: Side,
        frames: &[&[u8]],
        actions: &mut Actions,
        _records: &mut impl Records,
    ) {
        actions.clear();
        for _ in frames.iter().take(BURST) {
            actions.push(Action::Drop);
        }
    }

    /// Bounded work between bursts: a slice of flow expiry, and the held record when the rate
    /// allows it. Call it some thousand times a second, also when no frames come.
    pub fn housekeep(&mut self, _now: Now, _records: &mut impl Records) {}

    /// At a clean stop: the held records go out whatever the rate says. Make room first: what
    /// does not fit now is lost (and counted so).
    pub fn finish(&mut self, _records: &mut impl Records) {}

    /// What was counted since the filter was made.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets by [`lookup::DomainId`], at most [`MAX_DOMAINS`](crate::MAX_DOMAINS), since the
    /// filter was made or [`Filter::clear_domains`].
    #[must_use]
    pub fn domains(&self) -> &[DomainCounters] {
        self.domains.as_slice()
    }

    /// Starts the counters by domain anew: a new ruleset may number its domains differently, so
    /// read them before the first burst that it judges.
    pub fn clear_domains(&mut self) {
        self.domains.clear();
    }
}
