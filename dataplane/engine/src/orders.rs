//! What a worker at work is told from outside: how to wait, how large a burst may be, where to run, and
//! when to end.
//!
//! ```text
//!  crew --poll, burst, core, end--> words --> worker: each round, housekeeping
//!                                     `--stands at--> crew
//! ```
//! Words that are written seldom and read by one worker each: its copy of the line stays in its cache,
//! and a read costs what any other memory there does.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};

use crate::config::Poll;

/// No core: not there yet, or refused.
const NOWHERE: u32 = u32::MAX;

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// To work.
    Never,
    /// Nothing comes any more: what is in the rings is judged first.
    Drained,
    /// Now: what is in the rings is nobody's.
    Now,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Orders(Arc<Words>);

#[derive(Debug)]
#[repr(align(64))]
struct Words {
    poll: AtomicU8,
    burst: AtomicU8,
    end: AtomicU8,
    /// The core to run on, and the one that it runs on.
    core: AtomicU32,
    stands: AtomicU32,
}

impl Orders {
    /// To work on a core.
    pub(crate) fn new(core: usize, poll: Poll, burst: u8) -> Self {
        Self(Arc::new(Words {
            poll: AtomicU8::new(poll as u8),
            burst: AtomicU8::new(burst),
            end: AtomicU8::new(End::Never as u8),
            core: AtomicU32::new(core as u32),
            stands: AtomicU32::new(NOWHERE),
        }))
    }

    /// How to wait.
    #[inline]
    pub(crate) fn poll(&self) -> Poll {
        match self.0.poll.load(Ordering::Relaxed) {
            word if word == Poll::Busy as u8 => Poll::Busy,
            word if word == Poll::Adaptive as u8 => Poll::Adaptive,
            _ => Poll::Interrupt,
        }
    }

    /// Packets that one burst may have.
    #[inline]
    pub(crate) fn burst(&self) -> usize {
        usize::from(self.0.burst.load(Ordering::Relaxed))
    }

    /// Whether to go on.
    #[inline]
    pub(crate) fn end(&self) -> End {
        match self.0.end.load(Ordering::Acquire) {
            word if word == End::Never as u8 => End::Never,
            word if word == End::Drained as u8 => End::Drained,
            _ => End::Now,
        }
    }

    /// The core to run on, when it is another one than that on which it stands.
    pub(crate) fn moved(&self) -> Option<usize> {
        let core = self.0.core.load(Ordering::Acquire);
        (core != self.0.stands.load(Ordering::Relaxed)).then_some(core as usize)
    }

    /// The worker has gone to a core, or was refused there.
    pub(crate) fn stand(&self, core: usize, pinned: bool) {
        if !pinned {
            // Nobody asks again: it runs where it is.
            self.0.core.store(NOWHERE, Ordering::Release);
        }
        let core = if pinned { core as u32 } else { NOWHERE };
        self.0.stands.store(core, Ordering::Release);
    }

    /// Where it runs; nothing while it is on its way, or was refused.
    pub(crate) fn stands(&self) -> Option<usize> {
        let core = self.0.stands.load(Ordering::Acquire);
        (core != NOWHERE).then_some(core as usize)
    }

    /// Whether it was refused where it was sent.
    pub(crate) fn refused(&self) -> bool {
        self.0.core.load(Ordering::Acquire) == NOWHERE
    }

    pub(crate) fn set_poll(&self, poll: Poll) {
        self.0.poll.store(poll as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_burst(&self, burst: u8) {
        self.0.burst.store(burst, Ordering::Relaxed);
    }

    pub(crate) fn set_core(&self, core: usize) {
        self.0.core.store(core as u32, Ordering::Release);
    }

    pub(crate) fn set_end(&self, end: End) {
        self.0.end.store(end as u8, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written() {
        let orders = Orders::new(3, Poll::Adaptive, 32);
        for poll in [Poll::Busy, Poll::Adaptive, Poll::Interrupt] {
            orders.set_poll(poll);
            assert_eq!(orders.poll(), poll);
        }
        for end in [End::Never, End::Drained, End::Now] {
            orders.set_end(end);
            assert_eq!(orders.end(), end);
        }
        orders.set_burst(64);
        assert_eq!(orders.burst(), 64);
    }

    #[test]
    fn a_worker_goes_where_it_is_sent_or_says_that_it_cannot() {
        let orders = Orders::new(3, Poll::Busy, 64);
        assert_eq!((orders.moved(), orders.stands()), (Some(3), None));
        orders.stand(3, true);
        assert_eq!((orders.moved(), orders.stands()), (None, Some(3)));
        orders.set_core(5);
        assert_eq!(orders.moved(), Some(5));
        orders.stand(5, false);
        assert_eq!((orders.moved(), orders.stands(), orders.refused()), (None, None, true));
        orders.set_core(3);
        assert_eq!(orders.moved(), Some(3), "and goes back");
    }
}
