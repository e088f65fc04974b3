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
//! no longer overflows. Only openers over the limit close it further, and not before the ring has
//! overflowed with them some times: bursts of something else must not shut new connections out. One
//! thread beside the workers; without an overflow it writes nothing, and the program reads no header.

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
/// Turns in which the ring overflowed while openers were held back, which make a flood of them.
const PRESSED: u32 = 3;
/// Turns without an overflow that raise the limit: by one, or twofold when it held nothing back.
const CALM: u32 = 8;
/// Turns without an overflow that end a flood; and in which the highest limit held nothing back, after
/// which there is none.
const OVER: u32 = 100;

/// The valve of one queue of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Valve {
    /// The kernel's drops so far.
    dropped: u64,
    /// What was held back so far.
    shed: u64,
    /// Openers a millisecond; 0: no limit.
    per_ms: u32,
    /// Turns that make a flood, and those since the last overflow.
    pressed: u32,
    quiet: u32,
    /// Turns that may open it.
    calm: u32,
    /// Something was held back in these calm turns.
    held: bool,
}

impl Valve {
    /// A turn with what the kernel dropped and the program held back so far; the limit when it is
    /// another one now.
    fn turn(&mut self, dropped: u64, shed: u64) -> Option<u32> {
        let before = self.per_ms;
        if dropped < self.dropped || shed < self.shed {
            // Another socket, and with it another program, whose valve is open.
            *self = Self::default();
        }
        let (overflow, held) = (dropped > self.dropped, shed > self.shed);
        (self.dropped, self.shed) = (dropped, shed);
        if overflow {
            self.press(held);
        } else {
            self.relax(held);
        }
        (self.per_ms != before).then_some(self.per_ms)
    }

    fn press(&mut self, held: bool) {
        (self.quiet, self.calm, self.held) = (0, 0, false);
        self.pressed += u32::from(held);
        if self.per_ms == 0 {
            self.per_ms = MOST;
        } else if held && self.pressed >= PRESSED {
            self.per_ms = (self.per_ms / 2).max(LEAST);
        }
    }

    fn relax(&mut self, held: bool) {
        if self.per_ms == 0 {
            return;
        }
        self.quiet += 1;
        if self.quiet == OVER {
            self.pressed = 0;
        }
        self.calm += 1;
        self.held |= held;
        if self.per_ms == MOST {
            if held {
                (self.calm, self.held) = (0, false);
            } else if self.calm == OVER {
                *self = Self { dropped: self.dropped, shed: self.shed, ..Self::default() };
            }
        } else if self.calm == CALM {
            let raised = if self.held { self.per_ms + 1 } else { self.per_ms * 2 };
            self.per_ms = raised.min(MOST);
            (self.calm, self.held) = (0, false);
        }
    }
}

/// Sets the valves of all queues until `stop` is set.
pub(crate) fn run(state: &State, stop: &AtomicBool) {
    let mut valves = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TURN);
        valves.resize(state.workers(), [Valve::default(); 2]);
        state.each_queue(|[place, side], interface, queue, dropped| {
            let Some(valve) = valves.get_mut(place).and_then(|both| both.get_mut(side)) else {
                return;
            };
            let shed = if valve.per_ms > 0 { interface.shed(queue) } else { valve.shed };
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
    fn a_flood_of_openers_closes_the_valve_fast_and_its_end_opens_it() {
        let mut valve = Valve::default();
        let closing: Vec<_> = (1..=10).map(|turn| valve.turn(turn * 9, turn - 1)).collect();
        let limits = [64, 32, 16, 8, LEAST].map(Some);
        assert_eq!(closing, [&[Some(MOST), None, None][..], &limits, &[None, None]].concat());
        let opening: Vec<_> = (0..CALM * 5 + OVER).filter_map(|_| valve.turn(90, 9)).collect();
        assert_eq!(opening, [8, 16, 32, 64, MOST, 0]);
    }

    #[test]
    fn while_it_holds_back_it_opens_slowly() {
        let mut valve = Valve { per_ms: LEAST, ..Valve::default() };
        let opening: Vec<_> =
            (1..=u64::from(CALM) * 3).filter_map(|shed| valve.turn(0, shed)).collect();
        assert_eq!(opening, [LEAST + 1, LEAST + 2, LEAST + 3]);
    }

    /// Openers below the highest limit pass, however often something else makes the ring overflow.
    #[test]
    fn overflows_of_something_else_shut_no_opener_out() {
        for (burst, pause) in [(1, 9), (2, 8), (5, 5), (1000, 0)] {
            let mut valve = Valve::default();
            let turns = (0..1000).map(|turn| turn % (burst + pause) < burst);
            let mut dropped = 0;
            for overflow in turns {
                dropped += u64::from(overflow);
                let limit = valve.turn(dropped, 0);
                assert!(limit.is_none_or(|limit| limit == MOST), "{limit:?}, {burst} of {pause}");
            }
        }
    }

    /// A burst of openers now and then closes it for a moment only.
    #[test]
    fn rare_bursts_leave_it_open() {
        let mut valve = Valve::default();
        let (mut dropped, mut shed, mut open) = (0, 0, 0);
        for turn in 0..10_000 {
            let burst = turn % 100 < 4;
            dropped += u64::from(burst);
            shed += u64::from(burst);
            valve.turn(dropped, shed);
            open += u32::from(valve.per_ms >= MOST / 2);
        }
        assert!(open > 7_000, "{open} of 10,000 turns");
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
        for capacity in [10, 20, 50, 100, 500] {
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
