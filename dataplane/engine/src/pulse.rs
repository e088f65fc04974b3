//! That a worker makes progress: a number that it raises, and whoever waits for it to change.
//!
//! Raised with the housekeeping, once a millisecond, so that it costs a burst nothing. A worker that hangs,
//! within a turn or before it, raises it no more.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crossbeam_utils::CachePadded;

/// The number, shared between a worker and who watches it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<CachePadded<AtomicU64>>);

impl Pulse {
    /// A turn was made. Only the worker itself calls it.
    #[inline]
    pub(crate) fn beat(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// Several of them, and how far they were at the last look.
#[derive(Debug, Default)]
pub(crate) struct Pulses(Vec<(Pulse, u64)>);

impl Pulses {
    /// Whether all have made a turn since the last time that this said so.
    pub(crate) fn moved(&mut self) -> bool {
        let now: Vec<u64> =
            self.0.iter().map(|(pulse, _)| pulse.0.load(Ordering::Relaxed)).collect();
        let moved = self.0.iter().zip(&now).all(|((_, seen), now)| seen != now);
        if moved {
            self.0.iter_mut().zip(now).for_each(|((_, seen), now)| *seen = now);
        }
        moved
    }
}

impl FromIterator<Pulse> for Pulses {
    fn from_iter<T: IntoIterator<Item = Pulse>>(pulses: T) -> Self {
        let seen = |pulse: Pulse| {
            let now = pulse.0.load(Ordering::Relaxed);
            (pulse, now)
        };
        Self(pulses.into_iter().map(seen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_stops_the_whole() {
        let all = [Pulse::default(), Pulse::default()];
        let mut pulses: Pulses = all.iter().cloned().collect();
        assert!(!pulses.moved(), "nobody has made a turn");
        all[0].beat();
        assert!(!pulses.moved(), "one hangs");
        all[1].beat();
        assert!(pulses.moved());
        assert!(!pulses.moved(), "nothing since");
        for _ in 0..3 {
            all[0].beat();
            assert!(!pulses.moved(), "the other one hangs");
        }
        all[1].beat();
        assert!(pulses.moved());
        assert!(Pulses::default().moved(), "nobody can hang");
    }
}
