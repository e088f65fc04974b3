//! A revision that waits for its confirmation, and what it goes back to without one.
//!
//! ```text
//!            apply --confirm                confirm
//!  (nothing) ---------------> Pending ----------------> (nothing)   it stays
//!                               |  the time is up, or taken back
//!                               `---------------------> (nothing)   what was before is in force again
//! ```
//! It lives in memory alone: a process that ends forgets it, and the next one starts from the
//! policy's file, which nobody has written yet.

use std::time::{Duration, Instant};

/// What waits; `Kept` is what was in force before.
#[derive(Debug)]
pub(crate) struct Pending<Kept> {
    /// The revision that waits.
    pub(crate) revision: u32,
    /// The revision before it.
    pub(crate) back_to: u32,
    deadline: Instant,
    /// What comes into force again.
    pub(crate) kept: Kept,
}

/// At most one that waits.
#[derive(Debug)]
pub(crate) struct Waiting<Kept>(Option<Pending<Kept>>);

impl<Kept> Default for Waiting<Kept> {
    fn default() -> Self {
        Self(None)
    }
}

/// What waits, in numbers: why nothing else may change meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The revision that waits.
    pub(crate) revision: u32,
    /// The revision before it.
    pub(crate) back_to: u32,
    /// What is left of its time, seconds.
    pub(crate) remaining_s: u64,
}

impl<Kept> Waiting<Kept> {
    /// Lets a revision wait from `now` on.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        within: Duration,
        revision: u32,
        back_to: u32,
        kept: Kept,
    ) {
        self.0 = Some(Pending { revision, back_to, deadline: now + within, kept });
    }

    /// What waits, if anything does.
    pub(crate) fn wait(&self, now: Instant) -> Option<Wait> {
        let Pending { revision, back_to, deadline, .. } = self.0.as_ref()?;
        let remaining = deadline.saturating_duration_since(now);
        // Rounded up, so that 0 is said of one whose time is up only.
        let remaining_s = remaining.as_millis().div_ceil(1000) as u64;
        Some(Wait { revision: *revision, back_to: *back_to, remaining_s })
    }

    /// Ends the wait, before its time is up or at it: what waited, unless nothing did.
    pub(crate) fn end(&mut self) -> Option<Pending<Kept>> {
        self.0.take()
    }

    /// Ends a wait whose time is up.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Pending<Kept>> {
        self.0.take_if(|pending| now >= pending.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of a clock of milliseconds, beside a slow model of what waits.
    #[test]
    fn a_wait_ends_once_and_in_its_time_whatever_comes_between() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let start = Instant::now();
        let (mut now_ms, mut number) = (0, 1);
        let mut waiting = Waiting::default();
        let mut model: Option<(u32, u64)> = None;
        for _ in 0..100_000 {
            now_ms += random(40);
            let now = start + Duration::from_millis(now_ms);
            let expected = model
                .map(|(revision, end_ms)| (revision, end_ms.saturating_sub(now_ms).div_ceil(1000)));
            let seen = waiting.wait(now);
            assert_eq!(seen.map(|wait| (wait.revision, wait.remaining_s)), expected);
            match random(20) {
                0 if seen.is_none() => {
                    let within_ms = random(2_000);
                    number += 1;
                    waiting.begin(
                        now,
                        Duration::from_millis(within_ms),
                        number,
                        number - 1,
                        number * 10,
                    );
                    model = Some((number, now_ms + within_ms));
                }
                1 => {
                    let ended = waiting.end().map(|pending| (pending.revision, pending.kept));
                    assert_eq!(ended, model.take().map(|(revision, _)| (revision, revision * 10)));
                }
                _ => {
                    let due = model.take_if(|(_, end_ms)| now_ms >= *end_ms);
                    let ended = waiting.overdue(now).map(|pending| pending.back_to);
                    assert_eq!(ended, due.map(|(revision, _)| revision - 1));
                }
            }
        }
    }
}
