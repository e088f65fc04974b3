//! What a worker does between rounds that bring nothing.
//!
//! ```text
//!  busy        spins
//!  interrupt   sleeps: poll(2) on both sockets, until packets come or the nap is over
//!  adaptive    spins as long as a wake-up costs, if the last pause was no longer than that;
//!              else sleeps at once
//! ```
//! To spin for as long as a wake-up costs is never more than twice as dear as knowing the future
//! (Karlin, Li, Manasse, Owicki: *Empirical Studies of Competitive Spinning*,
//! 1991), and the last pause tells most of the next one. So under load nothing sleeps and no packet
//! waits for a wake-up, and a trickle takes no more of a core than its wake-ups. It costs a comparison
//! a round. The kernel looks at the rings again before a sleep, so that no packet is slept through.

use std::{hint, time::Duration};

use af_xdp_rs::{Socket, wait};

use crate::{clock::Clock, config::Poll, spent::Spent};

/// How long an adaptive worker spins: about what a wake-up costs, which `palisade-bench poll` measures.
const SPIN_NS: u64 = 50_000;
/// The longest sleep: counters, timeouts and a stop wait no longer than this.
const NAP: Duration = Duration::from_millis(10);
/// The same while the kernel has not taken all packets that are to be sent: they are tried again.
const SHORT_NAP: Duration = Duration::from_micros(100);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    /// When the pause began: the first round that brought nothing.
    since_ns: Option<u64>,
    /// The last pause was no longer than a spin.
    short: bool,
}

impl Idle {
    /// After the round that began then and brought `received` packets.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        poll: Poll,
        (at_ns, received): (u64, usize),
        sockets: &[Socket; 2],
        (clock, spent): (&Clock, &mut Spent),
    ) {
        if !self.pauses(at_ns, received) {
            return;
        }
        if self.spins(poll, at_ns) {
            hint::spin_loop();
            return;
        }
        let unsent = sockets.iter().any(Socket::unsent);
        let begin_ns = clock.elapsed_ns();
        wait(sockets, if unsent { SHORT_NAP } else { NAP });
        spent.slept(begin_ns, clock.elapsed_ns());
    }

    /// Whether there was nothing to do; notes when that began, and how long it was.
    #[inline]
    fn pauses(&mut self, at_ns: u64, received: usize) -> bool {
        if received == 0 {
            self.since_ns.get_or_insert(at_ns);
            return true;
        }
        self.short = self.since_ns.take().is_none_or(|since_ns| at_ns - since_ns <= SPIN_NS);
        false
    }

    /// Whether a worker that has nothing to do goes on looking.
    fn spins(&self, poll: Poll, at_ns: u64) -> bool {
        match poll {
            Poll::Busy => true,
            Poll::Interrupt => false,
            Poll::Adaptive => {
                let pause_ns = self.since_ns.map_or(0, |since_ns| at_ns - since_ns);
                self.short && pause_ns <= SPIN_NS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays packets that come at these times, rounds a microsecond apart; when it slept.
    fn play(poll: Poll, packets_ns: &[u64], until_ns: u64) -> Vec<bool> {
        let mut idle = Idle::default();
        (0..until_ns / 1000)
            .map(|round| {
                let at_ns = round * 1000;
                let received = packets_ns.iter().filter(|packet| **packet == at_ns).count();
                idle.pauses(at_ns, received) && !idle.spins(poll, at_ns)
            })
            .collect()
    }

    #[test]
    fn busy_never_sleeps_and_interrupt_sleeps_whenever_there_is_nothing() {
        assert!(play(Poll::Busy, &[5000], 1_000_000).iter().all(|sleeps| !sleeps));
        let slept = play(Poll::Interrupt, &[5000, 6000], 10_000);
        let expected = [true, true, true, true, true, false, false, true, true, true];
        assert_eq!(slept, expected);
    }

    #[test]
    fn adaptive_spins_between_packets_that_come_fast_and_sleeps_after_them() {
        let fast: Vec<u64> = (1..=100).map(|packet| packet * SPIN_NS / 2).collect();
        let last = fast.last().copied().unwrap() / 1000;
        let slept = play(Poll::Adaptive, &fast, 10_000_000);
        let (under, after) = slept.split_at(last as usize);
        let first = (fast[1] / 1000) as usize;
        assert!(under[first..].iter().all(|sleeps| !sleeps), "a packet would wait");
        let spun = after.iter().take_while(|sleeps| !**sleeps).count() as u64;
        assert!(spun * 1000 <= SPIN_NS + 3000, "{spun}");
        assert!(after[spun as usize..].iter().all(|sleeps| *sleeps));
    }

    #[test]
    fn adaptive_sleeps_at_once_between_packets_that_come_slowly() {
        let slow: Vec<u64> = (1..=50).map(|packet| packet * 3 * SPIN_NS).collect();
        let slept = play(Poll::Adaptive, &slow, 50 * 3 * SPIN_NS);
        let awake = slept.iter().filter(|sleeps| !**sleeps).count();
        assert!(awake <= slow.len(), "{awake} rounds awake for {} packets", slow.len());
    }
}
