//! Time as a worker sees it: read once a burst, monotonic, with the wall clock beside it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use filter::Now;

/// Reads the monotonic clock a burst; the wall clock now and then, so that a step of it reaches the
/// records and never the timeouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// Wall clock minus monotonic clock at the last [`Clock::sync`], nanoseconds.
    unix_base_ns: u64,
}

impl Clock {
    /// `start` is shared by all workers of a gateway, so that their milliseconds agree.
    #[must_use]
    pub(crate) fn new(start: Instant) -> Self {
        let mut clock = Self { start, unix_base_ns: 0 };
        clock.sync();
        clock
    }

    /// The time.
    #[inline]
    #[must_use]
    pub(crate) fn now(&self) -> Now {
        self.at(self.elapsed_ns())
    }

    /// The time at so many nanoseconds since the start.
    #[inline]
    #[must_use]
    pub(crate) fn at(&self, elapsed_ns: u64) -> Now {
        Now { unix_ns: self.unix_base_ns + elapsed_ns, mono_ms: elapsed_ns / 1_000_000 }
    }

    /// Reads the wall clock again.
    pub(crate) fn sync(&mut self) {
        self.set(unix_ns());
    }

    /// Takes a wall clock's word for the time of day.
    fn set(&mut self, unix_ns: u64) {
        self.unix_base_ns = unix_ns.saturating_sub(self.elapsed_ns());
    }

    /// What CLOCK_MONOTONIC said at the start, nanoseconds: XDP programs read it.
    #[must_use]
    pub(crate) fn origin_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let now_ns = now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs();
        now_ns.saturating_sub(self.elapsed_ns())
    }

    /// Nanoseconds since the start.
    #[inline]
    #[must_use]
    pub(crate) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Nanoseconds since 1970 UTC; 0 before.
#[must_use]
pub(crate) fn unix_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_never_reaches_the_timeouts() {
        const HOUR_NS: u64 = 3_600_000_000_000;
        let begin = Instant::now();
        let mut clock = Clock::new(begin);
        let mut before_ms = 0;
        let there = unix_ns();
        for wall in [there + HOUR_NS, there - HOUR_NS, 0, 1, u64::MAX / 2, there] {
            clock.set(wall);
            let now = clock.now();
            assert!(now.unix_ns.abs_diff(wall) < HOUR_NS, "{wall}: {now:?}");
            let elapsed_ms = begin.elapsed().as_millis() as u64;
            assert!((before_ms..=elapsed_ms).contains(&now.mono_ms), "{wall}: {now:?}");
            before_ms = now.mono_ms;
        }
    }
}
