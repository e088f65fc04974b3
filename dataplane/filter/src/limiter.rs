//! The rate limit of drop records: a flood is summed up, never silently.
//!
//! A token bucket that holds one second's worth. When it is empty the next drop is *held*: counted
//! as recorded right then, which is a promise. Drops that come while one is held are counted
//! `suppressed`, and in the held record too. When a token arrives the held record goes out.
//!
//! ```text
//!  drop -+- token ----------> push -+- ok ---> recorded
//!        |                          `- full -> lost
//!        +- none, none held -> hold ---------> recorded      (goes out with a later token)
//!        `- none, one held  -> count it there: suppressed
//! ```
//!
//! So the lines of the log are `recorded` exactly, and their `suppressed` fields sum up to
//! `suppressed` exactly, once the last held record is flushed.

use crate::{DropRecord, RecordCounters, Records};

const MILLI: u64 = 1000;

/// Tokens, counted in thousandths: a rate of n a second brings n thousandths a millisecond.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_s: u64,
    milli_tokens: u64,
    filled_ms: Option<u64>,
}

impl Bucket {
    pub(crate) fn new(per_s: u32) -> Self {
        let per_s = u64::from(per_s);
        Self { per_s, milli_tokens: per_s * MILLI, filled_ms: None }
    }

    pub(crate) fn refill(&mut self, now_ms: u64) {
        let since_ms = now_ms.saturating_sub(self.filled_ms.unwrap_or(now_ms));
        let more = self.per_s.saturating_mul(since_ms);
        self.milli_tokens = self.milli_tokens.saturating_add(more).min(self.per_s * MILLI);
        self.filled_ms = Some(now_ms);
    }

    fn ready(&self) -> bool {
        self.milli_tokens >= MILLI
    }

    fn take(&mut self) {
        self.milli_tokens = self.milli_tokens.saturating_sub(MILLI);
    }
}

/// Where drops of one kind wait for a token.
#[derive(Debug, Default)]
pub(crate) struct Hold(Option<DropRecord>);

impl Hold {
    /// Takes one drop: pushes, holds or counts it. Only what is pushed or held is written at all, so that
    /// a drop of a flood costs a count.
    #[inline]
    pub(crate) fn add(
        &mut self,
        record: impl FnOnce() -> DropRecord,
        bucket: &mut Bucket,
        counters: &mut RecordCounters,
        records: &mut impl Records,
    ) {
        self.release(bucket, records);
        if let Some(held) = &mut self.0 {
            // Never in practice: four thousand million drops without one token.
            let Some(more) = held.suppressed.checked_add(1) else {
                counters.lost += 1;
                return;
            };
            held.suppressed = more;
            counters.suppressed += 1;
        } else if !bucket.ready() {
            self.0 = Some(record());
            counters.recorded += 1;
        } else if records.push(record()).is_ok() {
            bucket.take();
            counters.recorded += 1;
        } else {
            counters.lost += 1;
        }
    }

    /// Lets the held record go, if there is a token and room.
    pub(crate) fn release(&mut self, bucket: &mut Bucket, records: &mut impl Records) {
        // The token first: the held record, just counted up, is not to be copied for nothing.
        if bucket.ready()
            && let Some(held) = self.0
            && records.push(held).is_ok()
        {
            bucket.take();
            self.0 = None;
        }
    }

    /// The last call: what finds no room is lost, with all that it summed up.
    pub(crate) fn flush(&mut self, counters: &mut RecordCounters, records: &mut impl Records) {
        if let Some(held) = self.0.take()
            && records.push(held).is_err()
        {
            let summed = u64::from(held.suppressed);
            counters.recorded -= 1;
            counters.suppressed -= summed;
            counters.lost += 1 + summed;
        }
    }
}
