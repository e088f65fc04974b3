//! Latencies as the sink counts them: a histogram whose buckets are a thirty-second wide at most.

use std::time::Duration;

/// Buckets of a power of two, as a power of two (`bpf/sink.bpf.c`).
const PART_BITS: u32 = 5;
/// Buckets for latencies of 32 bits, in nanoseconds.
pub(super) const BUCKETS: usize = (33 - PART_BITS as usize) << PART_BITS;

/// How long frames took from when they should have gone out to the sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    frames: Vec<u64>,
}

impl Delays {
    /// From the counts of the buckets.
    pub(super) fn new(frames: Vec<u64>) -> Self {
        Self { frames }
    }

    /// Frames counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.frames.iter().sum()
    }

    /// The latency that so much of the frames (0 to 1) did not exceed, by the upper end of its
    /// bucket; nothing when nothing came.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let bucket = self.frames.iter().position(|frames| {
            seen += frames;
            seen >= rank
        })?;
        Some(Duration::from_nanos(last_ns(bucket as u64)))
    }
}

/// The longest latency of a bucket.
fn last_ns(bucket: u64) -> u64 {
    let parts = 1 << PART_BITS;
    if bucket < 2 * parts {
        return bucket;
    }
    let bits = bucket / parts - 1;
    ((bucket % parts + parts + 1) << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the sink does it.
    fn bucket(delay_ns: u64) -> u64 {
        if delay_ns < 1 << PART_BITS {
            return delay_ns;
        }
        let bits = delay_ns.ilog2() - PART_BITS;
        (u64::from(bits) << PART_BITS) + (delay_ns >> bits)
    }

    #[test]
    fn buckets_cover_all_latencies_closely() {
        let mut last = None;
        for delay_ns in (0..5000).chain((0..32).map(|bit| 1 << bit)).chain([u32::MAX.into()]) {
            let bucket = bucket(delay_ns);
            assert!(bucket < BUCKETS as u64, "{delay_ns}");
            let end = last_ns(bucket);
            assert!(end >= delay_ns && end - delay_ns <= delay_ns / 32, "{delay_ns} {end}");
            if let Some((before, at)) = last.replace((delay_ns, bucket))
                && before + 1 == delay_ns
            {
                assert!(bucket == at || bucket == at + 1, "{delay_ns}");
            }
        }
        assert_eq!(last_ns(BUCKETS as u64 - 1), u64::from(u32::MAX));
    }

    #[test]
    fn quantiles() {
        let mut frames = vec![0; BUCKETS];
        frames[10] = 990;
        frames[20] = 9;
        frames[30] = 1;
        let delays = Delays::new(frames);
        for (part, expected) in
            [(0.0, 10), (0.5, 10), (0.99, 10), (0.991, 20), (0.999, 20), (1.0, 30)]
        {
            assert_eq!(delays.quantile(part), Some(Duration::from_nanos(expected)), "{part}");
        }
        assert_eq!(Delays::default().quantile(0.5), None);
    }
}
