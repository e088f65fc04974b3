//! What a worker does between turns that bring nothing.

use std::time::Duration;

use af_xdp_rs::{Socket, wait};

use crate::{clock::Clock, config::Poll, spent::Spent};

/// Empty turns before an adaptive worker sleeps.
const PATIENCE: u32 = 2_000;
/// The longest sleep: counters, timeouts and a stop wait no longer than this.
const NAP: Duration = Duration::from_millis(10);

/// Counts empty turns and sleeps when the poll mode says so.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Empty turns to spin through before a sleep; `None` never sleeps.
    patience: Option<u32>,
    empty: u32,
}

impl Idle {
    pub(crate) fn new(poll: Poll) -> Self {
        let patience = match poll {
            Poll::Busy => None,
            Poll::Adaptive => Some(PATIENCE),
            Poll::Interrupt => Some(0),
        };
        Self { patience, empty: 0 }
    }

    /// After a round that brought `received` packets.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        received: usize,
        sockets: &[Socket; 2],
        (clock, spent): (&Clock, &mut Spent),
    ) {
        if received > 0 {
            self.empty = 0;
            return;
        }
        self.empty = self.empty.saturating_add(1);
        match self.patience {
            Some(patience) if self.empty > patience => {
                let begin_ns = clock.elapsed_ns();
                wait(sockets, NAP);
                spent.slept(begin_ns, clock.elapsed_ns());
            }
            _ => std::hint::spin_loop(),
        }
    }
}
