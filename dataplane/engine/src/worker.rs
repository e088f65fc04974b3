//! The worker: one thread on one core, one queue of both interfaces, one UMEM.
//!
//! ```text
//!            .------------------------- a turn, for each side --------------------------.
//!  refresh   reclaim        receive       process        send / free     commit     refill
//!  ruleset   completion --> RX --> burst --------> actions --> TX ------> kernel    fill <-- free
//! ```
//!
//! A frame is in exactly one place: the free list, one of the eight rings, or the burst. The burst
//! is empty between turns, which is where counters are shown and a new ruleset is taken.

#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use af_xdp_rs::{FreeList, Packet, Socket, Umem};
use arrayvec::ArrayVec;
use filter::{Action, Actions, BURST, Counters, DomainCounters, Filter, Now};
use lookup::Side;

use crate::{
    board::Board, clock::Clock, config::Poll, idle::Idle, publish::Reader, records::Sender,
    status::FrameCounts,
};

/// Housekeeping is due after this many milliseconds, busy or idle.
const HOUSEKEEPING_MS: u64 = 1;
/// The wall clock is read again, and the counters are shown, after this many.
const SHOW_MS: u64 = 10;
/// At the end, how long packets that were given to the kernel may take to leave.
const DRAIN: Duration = Duration::from_millis(200);

/// What a worker shows of itself, taken between two bursts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) core: usize,
    pub(crate) queue: u32,
    pub(crate) mode: String,
    pub(crate) revision: u32,
    pub(crate) counters: Counters,
    pub(crate) domains: Vec<DomainCounters>,
    pub(crate) frames: FrameCounts,
    /// Packets that the kernel dropped for want of a frame or of room, outside and inside.
    pub(crate) kernel_dropped: [u64; 2],
}

/// What a worker is made of.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Sockets of outside and inside.
    pub sockets: [Socket; 2],
    /// The memory that both share.
    pub umem: Umem,
    /// The frames that are in no ring.
    pub free: FreeList,
    /// What judges.
    pub filter: Filter,
    /// Where the ruleset comes from.
    pub rules: Reader,
    /// Where drop records go.
    pub records: Sender,
    /// The time.
    pub clock: Clock,
    /// How to wait.
    pub poll: Poll,
    /// Where the counters are shown.
    pub board: Board<Snapshot>,
}

impl Worker {
    /// Forwards until `stop` is set; then the last records are out and every frame is home.
    pub(crate) fn run(mut self, stop: &AtomicBool) {
        let mut idle = Idle::new(self.poll);
        let (mut kept_ms, mut shown_ms) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            let received = self.turn(Side::Outside, now) + self.turn(Side::Inside, now);
            if now.mono_ms >= kept_ms + HOUSEKEEPING_MS {
                kept_ms = now.mono_ms;
                self.filter.housekeep(now, &mut self.records);
                self.records.commit();
            }
            if now.mono_ms >= shown_ms + SHOW_MS {
                shown_ms = now.mono_ms;
                self.clock.sync();
                self.show();
            }
            idle.wait(received, &self.sockets);
        }
        self.finish();
    }

    /// One burst that arrived on `side`; returns how many packets it had.
    fn turn(&mut self, side: Side, now: Now) -> usize {
        let mut burst: ArrayVec<Packet, BURST> = ArrayVec::new();
        let [from, to] = facing(&mut self.sockets, side);
        to.reclaim(&mut self.free);
        from.receive(&mut burst);
        let received = burst.len();
        // After the receive: a packet that came when the new ruleset was in force is judged by it.
        if self.rules.refresh() {
            self.filter.clear_domains();
        }
        if received > 0 {
            let actions = self.judge(side, now, &burst);
            for (packet, action) in burst.into_iter().zip(actions) {
                self.dispatch(side, now, packet, action);
            }
            self.records.commit();
        }
        // Also without a packet: what an earlier turn could not send or refill is tried again.
        let [from, to] = facing(&mut self.sockets, side);
        to.commit();
        from.refill(&mut self.free);
        received
    }

    /// One action for each packet of the burst.
    fn judge(&mut self, side: Side, now: Now, burst: &[Packet]) -> Actions {
        let mut actions = Actions::new();
        let frames: ArrayVec<&[u8], BURST> =
            burst.iter().map(|packet| self.umem.bytes(packet)).collect();
        let rules = self.rules.current();
        self.filter.process(rules, now, side, &frames, &mut actions, &mut self.records);
        self.records.commit();
        actions
    }

    /// The packet into the other side's TX ring, or its frame home.
    #[inline]
    fn dispatch(&mut self, side: Side, now: Now, packet: Packet, action: Action) {
        if action == Action::Drop {
            self.free.push(packet.into_frame());
            return;
        }
        let [_, to] = facing(&mut self.sockets, side);
        if let Err(packet) = to.send(packet) {
            let bytes = self.umem.bytes(&packet);
            let arrived = (self.rules.current(), now, side);
            self.filter.undeliverable(arrived, (bytes, action), &mut self.records);
            self.free.push(packet.into_frame());
        }
    }

    /// The last records go out, packets on their way get a moment to leave, frames come home.
    fn finish(mut self) {
        self.filter.finish(&mut self.records);
        self.records.commit();
        let deadline = Instant::now() + DRAIN;
        loop {
            for socket in &mut self.sockets {
                socket.commit();
                socket.reclaim(&mut self.free);
            }
            let sending = self.sockets.iter().any(|socket| socket.counts().tx > 0);
            if !sending || Instant::now() > deadline {
                break;
            }
            thread::yield_now();
        }
        while !self.show() {
            thread::yield_now();
        }
        let Self { sockets, mut free, umem, .. } = self;
        for socket in sockets {
            socket.close(&mut free);
        }
        let total = umem.config().frames as usize;
        if free.len() != total {
            eprintln!("palisade: {} of {total} frames did not come home", total - free.len());
        }
    }

    /// Shows counters and frames as they are between two bursts.
    fn show(&mut self) -> bool {
        let Self { sockets, free, filter, rules, board, umem, .. } = self;
        let mut frames = FrameCounts {
            free: free.len() as u64,
            total: u64::from(umem.config().frames),
            ..FrameCounts::default()
        };
        let mut kernel_dropped = [0; 2];
        for (socket, dropped) in sockets.iter().zip(&mut kernel_dropped) {
            let counts = socket.counts();
            frames.fill += counts.fill;
            frames.rx += counts.rx;
            frames.tx += counts.tx;
            frames.completion += counts.completion;
            let statistics = socket.statistics();
            *dropped = statistics.rx_dropped + statistics.rx_ring_full;
        }
        let revision = rules.current().revision().0;
        board.show(|slot| {
            slot.revision = revision;
            slot.counters = *filter.counters();
            slot.domains.clear();
            slot.domains.extend_from_slice(filter.domains());
            slot.frames = frames;
            slot.kernel_dropped = kernel_dropped;
        })
    }
}

/// The sockets as a packet that arrived on `side` meets them: where from, where to.
fn facing(sockets: &mut [Socket; 2], side: Side) -> [&mut Socket; 2] {
    let [outside, inside] = sockets;
    match side {
        Side::Outside => [outside, inside],
        Side::Inside => [inside, outside],
    }
}
