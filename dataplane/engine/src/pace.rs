//! How long a burst takes, from its receive to its commit.
//!
//! ```text
//!  a window of ten seconds | the one before |   one burst in eight is timed: two clock reads
//! ```
//! Times fall into buckets of an eighth of a power of two, so that a quantile is told at most 12.5 %
//! too high. Both windows together are shown: what was so lately, not since the start.

use std::time::{Duration, Instant};

use crate::status::BurstTimes;

/// One burst in so many is timed.
const SAMPLE: u32 = 8;
const WINDOW: Duration = Duration::from_secs(10);
/// Buckets for each power of two.
const PARTS: u32 = 8;
/// Powers of two of nanoseconds: up to 4 s.
const POWERS: u32 = 32;
const BUCKETS: usize = (PARTS * POWERS) as usize;

/// How many bursts took how long, and the longest of them.
#[derive(Clone, Copy, Debug)]
struct Window {
    buckets: [u32; BUCKETS],
    max_ns: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    bursts: u32,
    begun: Option<Instant>,
    now: Window,
    before: Window,
}

impl Default for Window {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], max_ns: 0 }
    }
}

impl Pace {
    /// A burst begins; the time, if it is one that is timed.
    #[inline]
    pub(crate) fn begin(&mut self) -> Option<Instant> {
        self.bursts = self.bursts.wrapping_add(1);
        self.bursts.is_multiple_of(SAMPLE).then(Instant::now)
    }

    /// The burst that began then is over.
    #[inline]
    pub(crate) fn end(&mut self, begin: Option<Instant>) {
        if let Some(begin) = begin {
            let now = Instant::now();
            self.turn(now);
            self.add(now - begin);
        }
    }

    /// Ends the window when it is time.
    pub(crate) fn turn(&mut self, now: Instant) {
        let begun = *self.begun.get_or_insert(now);
        let age = now.saturating_duration_since(begun);
        if age < WINDOW {
            return;
        }
        self.before = if age < 2 * WINDOW { self.now } else { Window::default() };
        self.now = Window::default();
        self.begun = Some(now);
    }

    fn add(&mut self, time: Duration) {
        let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let count = &mut self.now.buckets[bucket(time_ns)];
        *count = count.saturating_add(1);
        self.now.max_ns = self.now.max_ns.max(time_ns);
    }

    /// What `status` shows.
    pub(crate) fn times(&self) -> BurstTimes {
        let counts = || {
            let both = self.now.buckets.iter().zip(&self.before.buckets);
            both.map(|(now, before)| u64::from(*now) + u64::from(*before))
        };
        let total: u64 = counts().sum();
        let max = self.now.max_ns.max(self.before.max_ns);
        let quantile = |per_mille: u64| {
            let rank = (total * per_mille).div_ceil(1000);
            let mut seen = 0;
            let found = counts().position(|count| {
                seen += count;
                seen >= rank && rank > 0
            });
            found.map_or(0, |bucket| top_ns(bucket).min(max))
        };
        BurstTimes { p50: quantile(500), p99: quantile(990), p999: quantile(999), max }
    }
}

/// The bucket of a time: its power of two, and the three bits behind the first.
#[inline]
fn bucket(time_ns: u64) -> usize {
    let time_ns = time_ns.max(u64::from(PARTS));
    let power = time_ns.ilog2();
    let part = (time_ns >> (power - PARTS.ilog2())) as usize % PARTS as usize;
    (power as usize * PARTS as usize + part).min(BUCKETS - 1)
}

/// The longest time of a bucket.
fn top_ns(bucket: usize) -> u64 {
    let (power, part) = (bucket / PARTS as usize, bucket as u64 % u64::from(PARTS));
    ((u64::from(PARTS) + part + 1) << power) / u64::from(PARTS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket() {
        let mut before = 0;
        for time_ns in (8..100_000).chain([1 << 20, (1 << 20) + 1, u64::from(u32::MAX)]) {
            let top = top_ns(bucket(time_ns));
            assert!(top >= time_ns && top - time_ns <= time_ns / 8, "{time_ns}: {top}");
            assert!(bucket(time_ns) >= before, "{time_ns}");
            before = bucket(time_ns);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_at_most_an_eighth_too_high_and_old_times_go() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.times(), BurstTimes::default());
        pace.turn(begin);
        for micros in 1..=1000 {
            pace.add(Duration::from_micros(micros));
        }
        let times = pace.times();
        for (told, is) in [(times.p50, 500_000), (times.p99, 990_000), (times.p999, 999_000)] {
            assert!(told >= is && told <= is + is / 8, "{told}, not {is}");
        }
        assert_eq!(times.max, 1_000_000);
        pace.turn(begin + WINDOW);
        assert_eq!(pace.times(), times, "the window before still counts");
        pace.turn(begin + 2 * WINDOW);
        assert_eq!(pace.times(), BurstTimes::default());
    }

    #[test]
    fn one_burst_in_eight_is_timed() {
        let mut pace = Pace::default();
        let timed = (0..80).filter(|_| pace.begin().is_some()).count();
        assert_eq!(timed, 10);
    }
}
