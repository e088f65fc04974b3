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

pub(crate) mod drill;
#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use af_xdp_rs::{FreeList, Packet, Socket, Umem};
use arrayvec::ArrayVec;
use filter::{Action, Actions, BURST, Counters, Filter, Now};
use lookup::Side;

use crate::{
    board::Board,
    clock::Clock,
    config::Poll,
    idle::Idle,
    mail::Inbox,
    pace::Pace,
    publish::Reader,
    pulse::Pulse,
    records::Sender,
    say,
    spent::{Shown, Spent, Stage},
    status::{BurstTimes, FrameCounts},
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
    pub(crate) frames: FrameCounts,
    /// Packets that the kernel dropped for want of a frame or of room, outside and inside.
    pub(crate) kernel_dropped: [u64; 2],
    /// The longest that it went without housekeeping.
    pub(crate) longest_pause_ms: u64,
    /// How long its bursts take.
    pub(crate) burst_ns: BurstTimes,
    /// Where its time goes.
    pub(crate) spent: Shown,
}

/// What a worker moves frames with: one queue of the two interfaces as they are now.
#[derive(Debug)]
pub(crate) struct Wires {
    /// The memory that both sockets share.
    pub umem: Umem,
    /// The frames that are in no ring.
    pub free: FreeList,
    /// Sockets of outside and inside.
    pub sockets: [Socket; 2],
}

/// What a worker knows: it outlives the interfaces, and goes on over the next ones.
#[derive(Debug)]
pub(crate) struct Mind {
    /// What judges.
    pub filter: Filter,
    /// Where the ruleset comes from.
    pub rules: Reader,
    /// Where drop records go.
    pub records: Sender,
    /// Who asks about its flows.
    pub inbox: Inbox,
    /// The time.
    pub clock: Clock,
    /// How to wait.
    pub poll: Poll,
    /// Where the counters are shown.
    pub board: Board<Snapshot>,
    /// Where it shows that it goes on.
    pub pulse: Pulse,
    /// What the kernel dropped of interfaces that are gone, outside and inside.
    pub kernel_dropped: [u64; 2],
    /// The longest that it went without housekeeping.
    pub longest_pause_ms: u64,
    /// How long bursts take.
    pub pace: Pace,
    /// Where time goes.
    pub spent: Spent,
}

/// A mind at its wires.
#[derive(Debug)]
pub(crate) struct Worker {
    sockets: [Socket; 2],
    umem: Umem,
    free: FreeList,
    mind: Mind,
}

impl Worker {
    /// Puts a worker together.
    pub(crate) fn new(wires: Wires, mind: Mind) -> Self {
        let Wires { umem, free, sockets } = wires;
        let mode = sockets[0].granted().name();
        // Nobody else writes here now; a reader would only delay the name by a moment.
        while !mind.board.show(|slot| mode.clone_into(&mut slot.mode)) {
            thread::yield_now();
        }
        Self { sockets, umem, free, mind }
    }

    /// The mind of a worker that was never put to work.
    pub(crate) fn leave(self) -> Mind {
        self.mind
    }

    /// Outside and inside.
    pub(crate) fn sockets(&self) -> &[Socket; 2] {
        &self.sockets
    }

    /// Forwards until `stop` is set; then the last records are out and every frame is home.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> Mind {
        let mut idle = Idle::new(self.mind.poll);
        let start_ns = self.mind.clock.elapsed_ns();
        self.mind.spent.start(start_ns);
        let (mut kept_ms, mut shown_ms) = (self.mind.clock.at(start_ns).mono_ms, 0);
        while !stop.load(Ordering::Relaxed) {
            let at_ns = self.mind.clock.elapsed_ns();
            let now = self.mind.clock.at(at_ns);
            let received = self.round(now, at_ns);
            if now.mono_ms >= kept_ms + HOUSEKEEPING_MS {
                let begin_ns = self.mind.clock.elapsed_ns();
                let pause_ms = now.mono_ms - kept_ms;
                self.mind.longest_pause_ms = self.mind.longest_pause_ms.max(pause_ms);
                kept_ms = now.mono_ms;
                self.mind.pulse.beat();
                self.mind.filter.housekeep(now, &mut self.mind.records);
                self.mind.records.commit();
                self.mind.inbox.serve(&self.mind.filter, now, received == 0);
                if now.mono_ms >= shown_ms + SHOW_MS {
                    shown_ms = now.mono_ms;
                    self.mind.clock.sync();
                    self.show();
                }
                self.mind.spent.kept(begin_ns, self.mind.clock.elapsed_ns());
            }
            let Mind { clock, spent, .. } = &mut self.mind;
            idle.wait((at_ns, received), &self.sockets, (clock, spent));
        }
        self.finish()
    }

    /// One turn of each side; returns how many packets they had.
    fn round(&mut self, now: Now, at_ns: u64) -> usize {
        self.mind.spent.begin(at_ns);
        let received = self.turn(Side::Outside, now) + self.turn(Side::Inside, now);
        self.mind.spent.took(received, &self.mind.clock);
        received
    }

    /// One burst that arrived on `side`; returns how many packets it had.
    fn turn(&mut self, side: Side, now: Now) -> usize {
        let mut burst: ArrayVec<Packet, BURST> = ArrayVec::new();
        let [from, to] = facing(&mut self.sockets, side);
        to.reclaim(&mut self.free);
        from.receive(&mut burst);
        let received = burst.len();
        let begin = if received > 0 { self.mind.pace.begin() } else { None };
        // After the receive: a packet that came when the new ruleset was in force is judged by it.
        self.mind.rules.refresh();
        if received > 0 {
            self.mind.spent.mark(Stage::Receive, &self.mind.clock);
            let actions = self.judge(side, now, &burst);
            self.mind.spent.mark(Stage::Classify, &self.mind.clock);
            for (packet, action) in burst.into_iter().zip(actions) {
                self.dispatch(side, now, packet, action);
            }
            self.mind.records.commit();
        }
        // Also without a packet: what an earlier turn could not send or refill is tried again.
        let [from, to] = facing(&mut self.sockets, side);
        to.commit();
        if received > 0 {
            self.mind.spent.mark(Stage::Transmit, &self.mind.clock);
        }
        from.refill(&mut self.free);
        self.mind.pace.end(begin);
        received
    }

    /// One action for each packet of the burst.
    fn judge(&mut self, side: Side, now: Now, burst: &[Packet]) -> Actions {
        let mut actions = Actions::new();
        let frames: ArrayVec<&[u8], BURST> =
            burst.iter().map(|packet| self.umem.bytes(packet)).collect();
        let rules = self.mind.rules.current();
        self.mind.filter.process(rules, now, side, &frames, &mut actions, &mut self.mind.records);
        self.mind.records.commit();
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
            let arrived = (self.mind.rules.current(), now, side);
            self.mind.filter.undeliverable(arrived, (bytes, action), &mut self.mind.records);
            self.free.push(packet.into_frame());
        }
    }

    /// The last records go out, packets on their way get a moment to leave, frames come home.
    fn finish(mut self) -> Mind {
        self.mind.filter.finish(&mut self.mind.records);
        self.mind.records.commit();
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
        self.mind.spent.begin(self.mind.clock.elapsed_ns());
        while !self.show() {
            thread::yield_now();
        }
        let Self { sockets, mut free, umem, mut mind } = self;
        for (socket, dropped) in sockets.into_iter().zip(&mut mind.kernel_dropped) {
            *dropped += kernel_dropped(&socket);
            socket.close(&mut free);
        }
        let total = umem.config().frames as usize;
        if free.len() != total {
            say(format_args!("{} of {total} frames did not come home", total - free.len()));
        }
        mind
    }

    /// Shows counters and frames as they are between two bursts.
    fn show(&mut self) -> bool {
        let Self { sockets, free, mind, umem } = self;
        let Mind { filter, rules, board, .. } = mind;
        let mut frames = FrameCounts {
            free: free.len() as u64,
            total: u64::from(umem.config().frames),
            ..FrameCounts::default()
        };
        let mut dropped_by_kernel = mind.kernel_dropped;
        for (socket, dropped) in sockets.iter().zip(&mut dropped_by_kernel) {
            let counts = socket.counts();
            frames.fill += counts.fill;
            frames.rx += counts.rx;
            frames.tx += counts.tx;
            frames.completion += counts.completion;
            *dropped += kernel_dropped(socket);
        }
        let revision = rules.current().revision().0;
        let longest_pause_ms = mind.longest_pause_ms;
        mind.pace.turn(Instant::now());
        let burst_ns = mind.pace.times();
        let spent = mind.spent.show(filter.counters().received);
        board.show(|slot| {
            slot.revision = revision;
            slot.counters = *filter.counters();
            slot.frames = frames;
            slot.kernel_dropped = dropped_by_kernel;
            slot.longest_pause_ms = longest_pause_ms;
            slot.burst_ns = burst_ns;
            slot.spent = spent;
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

/// Packets that the kernel had to drop for want of a frame, or of room in RX.
fn kernel_dropped(socket: &Socket) -> u64 {
    let statistics = socket.statistics();
    statistics.rx_dropped + statistics.rx_ring_full
}
