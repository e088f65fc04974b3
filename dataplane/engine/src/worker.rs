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

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use af_xdp_rs::{FreeList, Packet, Socket, Umem};
use arrayvec::ArrayVec;
use filter::{Action, Actions, BURST, Counters, DomainCounters, Filter};
use lookup::{Legend, Side};

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
pub struct Snapshot {
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
pub struct Worker {
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
    pub fn run(mut self, stop: &AtomicBool) {
        let mut idle = Idle::new(self.poll);
        let mut legend = Arc::clone(self.rules.refresh().legend());
        let (mut kept_ms, mut shown_ms) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            self.follow(&mut legend);
            let received = self.turn(Side::Outside) + self.turn(Side::Inside);
            let now = self.clock.now();
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

    /// Takes the published ruleset for this turn: one atomic load. Counters by domain start anew when
    /// it numbers its domains differently.
    fn follow(&mut self, legend: &mut Arc<Legend>) {
        let next = self.rules.refresh().legend();
        if !Arc::ptr_eq(next, legend) {
            if !next.same_domains(legend) {
                self.filter.clear_domains();
            }
            *legend = Arc::clone(next);
        }
    }

    /// One burst that arrived on `side`; returns how many packets it had.
    fn turn(&mut self, side: Side) -> usize {
        let [outside, inside] = &mut self.sockets;
        let (from, to) = match side {
            Side::Outside => (outside, inside),
            Side::Inside => (inside, outside),
        };
        to.reclaim(&mut self.free);
        let mut burst: ArrayVec<Packet, BURST> = ArrayVec::new();
        let received = from.receive(&mut burst);
        if received > 0 {
            let mut actions = Actions::new();
            let frames: ArrayVec<&[u8], BURST> =
                burst.iter().map(|packet| self.umem.bytes(packet)).collect();
            let (rules, now) = (self.rules.current(), self.clock.now());
            self.filter.process(rules, now, side, &frames, &mut actions, &mut self.records);
            for (packet, action) in burst.drain(..).zip(actions) {
                if action == Action::Drop {
                    self.free.push(packet.into_frame());
                } else if let Err(packet) = to.send(packet) {
                    self.filter.undeliverable(action);
                    self.free.push(packet.into_frame());
                }
            }
            self.records.commit();
        }
        // Also without a packet: what an earlier turn could not send or refill is tried again.
        to.commit();
        from.refill(&mut self.free);
        received
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
