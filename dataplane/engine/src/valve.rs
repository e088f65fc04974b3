//! The valve: a flood of new TCP connections must not take the running ones out of the receive ring.
//!
//! A receive ring is first in, first out. When packets come faster than a worker takes them, the
//! kernel drops whatever comes next, and a flood of SYNs so starves flows that were allowed long ago,
//! although none of them left the flow table. While a queue's ring overflows, its XDP program lets
//! fewer openers in (SYN without ACK), before the ring; the rest of the traffic goes on.
//!
//! ```text
//!  worker shows kernel_dropped ---> valve: more than last turn? --> limits[queue] of the program
//!       every 10 ms                  halve : a little more                    drops openers over it
//! ```
//! Additive increase, multiplicative decrease (Chiu and Jain, 1989): the limit settles where the ring
//! no longer overflows. One thread beside the workers; without an overflow it writes nothing, and the
//! program reads no header.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::state::State;

/// How often the valves are set; as often as a worker shows its counters.
const TURN: Duration = Duration::from_millis(10);
/// The first limit, and the highest: openers a millisecond.
const MOST: u32 = 128;
/// New connections go on under any flood.
const LEAST: u32 = 4;
/// Turns without an overflow that raise the limit by one.
const CALM: u32 = 8;
/// Turns in which the highest limit held nothing back, after which there is none.
const OVER: u32 = 100;

/// The valve of one queue of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Valve {
    /// The kernel's drops so far.
    dropped: u64,
    /// What the interface held back so far.
    shed: u64,
    /// Openers a millisecond; 0: no limit.
    per_ms: u32,
    calm: u32,
}

impl Valve {
    /// A turn with what the kernel dropped and the program held back so far; the limit when it is
    /// another one now.
    fn turn(&mut self, dropped: u64, shed: u64) -> Option<u32> {
        let before = self.per_ms;
        if dropped < self.dropped {
            // Another socket, and with it another program, whose valve is open.
            *self = Self::default();
        }
        let (overflow, held) = (dropped > self.dropped, shed > self.shed);
        (self.dropped, self.shed) = (dropped, shed);
        if overflow {
            self.calm = 0;
            self.per_ms = if before == 0 { MOST } else { (before / 2).max(LEAST) };
        } else if before == MOST {
            self.calm = if held { 0 } else { self.calm + 1 };
            if self.calm == OVER {
                self.per_ms = 0;
            }
        } else if before > 0 {
            self.calm += 1;
            if self.calm == CALM {
                self.calm = 0;
                self.per_ms = before + 1;
            }
        }
        (self.per_ms != before).then_some(self.per_ms)
    }
}

/// Sets the valves of all queues until `stop` is set.
pub(crate) fn run(state: &State, stop: &AtomicBool) {
    let mut valves = vec![[Valve::default(); 2]; state.workers()];
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TURN);
        state.each_queue(|[place, side], interface, queue, dropped| {
            let Some(valve) = valves.get_mut(place).and_then(|both| both.get_mut(side)) else {
                return;
            };
            let shed = if valve.per_ms > 0 { interface.shed() } else { valve.shed };
            if let Some(per_ms) = valve.turn(dropped, shed) {
                interface.limit_openers(queue, per_ms);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_overflow_there_is_no_limit() {
        let mut valve = Valve::default();
        assert!((0..1000).all(|_| valve.turn(0, 0).is_none()));
    }

    #[test]
    fn an_overflow_closes_the_valve_fast_and_calm_opens_it_slowly() {
        let mut valve = Valve::default();
        let closing: Vec<_> = (1..=7).map(|dropped| valve.turn(dropped * 9, 0)).collect();
        let limits = [MOST, 64, 32, 16, 8, LEAST].map(Some);
        assert_eq!(closing, [&limits[..], &[None]].concat());
        let opening: Vec<_> =
            (0..CALM * (MOST - LEAST) + OVER).map(|_| valve.turn(63, 0)).collect();
        assert!(opening.iter().flatten().copied().eq((LEAST + 1..=MOST).chain([0])));
    }

    #[test]
    fn the_highest_limit_stays_while_it_holds_back() {
        let mut valve = Valve::default();
        assert_eq!(valve.turn(1, 0), Some(MOST));
        assert!((1..1000).all(|shed| valve.turn(1, shed).is_none()));
        assert_eq!((0..OVER).find_map(|_| valve.turn(1, 999)), Some(0));
    }

    /// A flood far over what a worker can take: the ring overflows only now and then.
    #[test]
    fn the_limit_settles_below_what_overflows() {
        for capacity in [5, 20, 50, 100, 500] {
            let (mut valve, mut dropped, mut shed, mut overflows) = (Valve::default(), 0, 0, 0);
            for _ in 0..10_000 {
                let offered = if valve.per_ms == 0 { 1000 } else { valve.per_ms };
                shed += u64::from(1000 - offered);
                if offered > capacity {
                    dropped += u64::from(offered - capacity);
                    overflows += 1;
                }
                valve.turn(dropped, shed);
            }
            assert!(overflows < 1000, "{overflows} of 10,000 turns at {capacity}");
        }
    }
}
