//! The worker: one thread on one core, one queue of both interfaces, one UMEM.
//!
//! ```text
//!            .------------------------- a turn, for each side --------------------------.
//!  refresh   reclaim        receive       process        send / free     commit     refill
//!  ruleset   completion --> RX --> burst --------> actions --> TX ------> kernel    fill <-- free
//!                                                     '-> held -> program of the side, to the other one
//! ```
//!
//! A frame is in exactly one place: the free list, one of the eight rings, held to leave with others ([`Out`]),
//! or the burst. The burst is empty between turns, which is where counters are shown and a new ruleset is taken.

pub(crate) mod drill;
mod mind;
mod out;
#[cfg(test)]
mod tests;

use std::{
    thread,
    time::{Duration, Instant},
};

use af_xdp_rs::{FreeList, Packet, Socket, Umem};
use arrayvec::ArrayVec;
use filter::{Action, Actions, BURST, Now};
use lookup::Side;

pub(crate) use self::mind::{Mind, Snapshot, Wires};
use self::out::Out;
use crate::{
    cores,
    idle::Idle,
    orders::{End, Orders},
    say,
    spent::Stage,
    status::{FrameCounts, WorkerState},
};

/// Housekeeping is due after this many milliseconds, busy or idle.
const HOUSEKEEPING_MS: u64 = 1;
/// The wall clock is read again, and the counters are shown, after this many.
const SHOW_MS: u64 = 10;
/// At the end, how long packets that were given to the kernel may take to leave, and to come.
const DRAIN: Duration = Duration::from_millis(200);
/// A queue that nothing is sent to any more is empty after so long without a packet.
const DRY: Duration = Duration::from_millis(3);

/// A mind at its wires.
#[derive(Debug)]
pub(crate) struct Worker {
    sockets: [Socket; 2],
    umem: Umem,
    free: FreeList,
    /// The ways out of packets that arrived outside, and inside.
    outs: [Out; 2],
    mind: Mind,
}

impl Worker {
    /// Puts a worker together.
    pub(crate) fn new(wires: Wires, mut mind: Mind) -> Self {
        let Wires { umem, free, sockets, lanes, bulks } = wires;
        mind.lease_over(lanes);
        let mode = sockets[0].granted().name();
        // Nobody else writes here now; a reader would only delay the name by a moment.
        mind.board.put(|slot| {
            mode.clone_into(&mut slot.mode);
            slot.state = WorkerState::Working;
        });
        Self { sockets, umem, free, outs: bulks.map(Out::new), mind }
    }

    /// Forwards until it is told to end; then the last records are out and every frame is home.
    pub(crate) fn run(mut self, orders: &Orders) -> Mind {
        let mut idle = Idle::default();
        let start_ns = self.mind.clock.elapsed_ns();
        self.mind.spent.start(start_ns);
        let (mut kept_ms, mut shown_ms) = (self.mind.clock.at(start_ns).mono_ms, 0);
        self.go(orders);
        while orders.end() == End::Never {
            let at_ns = self.mind.clock.elapsed_ns();
            let now = self.mind.clock.at(at_ns);
            let received = self.round(now, at_ns, orders.burst());
            if now.mono_ms >= kept_ms + HOUSEKEEPING_MS {
                let begin_ns = self.mind.clock.elapsed_ns();
                let pause_ms = now.mono_ms - kept_ms;
                self.mind.longest_pause_ms = self.mind.longest_pause_ms.max(pause_ms);
                kept_ms = now.mono_ms;
                self.mind.pulse.beat();
                self.mind.filter.housekeep(now, &mut self.mind.records);
                self.mind.filter.tend(self.mind.rules.current(), now);
                self.mind.records.commit();
                self.mind.inbox.serve(&self.mind.filter, now, received == 0);
                self.go(orders);
                if now.mono_ms >= shown_ms + SHOW_MS {
                    shown_ms = now.mono_ms;
                    self.mind.clock.sync();
                    self.show();
                }
                self.mind.spent.kept(begin_ns, self.mind.clock.elapsed_ns());
            }
            let Mind { clock, spent, .. } = &mut self.mind;
            idle.wait(orders.poll(), (at_ns, received), &self.sockets, (clock, spent));
        }
        if orders.end() == End::Drained {
            self.drain(orders.burst());
        }
        self.finish()
    }

    /// Goes to the core that it is sent to, if that is another one.
    fn go(&self, orders: &Orders) {
        if let Some(core) = orders.moved() {
            let pinned = cores::pin(core);
            orders.stand(core, pinned);
            if pinned {
                cores::name(core);
            } else {
                say(format_args!("core {core} refuses to be pinned to; running where it was"));
            }
        }
    }

    /// Judges what is still in the rings of queues that nothing is sent to any more.
    fn drain(&mut self, burst: usize) {
        let begin = Instant::now();
        let mut last = begin;
        while last.elapsed() < DRY && begin.elapsed() < DRAIN {
            let at_ns = self.mind.clock.elapsed_ns();
            if self.round(self.mind.clock.at(at_ns), at_ns, burst) > 0 {
                last = Instant::now();
            }
        }
    }

    /// One turn of each side; returns how many packets they had.
    fn round(&mut self, now: Now, at_ns: u64, burst: usize) -> usize {
        self.mind.spent.begin(at_ns);
        let received = self.turn(Side::Outside, now, burst) + self.turn(Side::Inside, now, burst);
        self.mind.spent.took(received, &self.mind.clock);
        received
    }

    /// One burst of at most so many that arrived on `side`; returns how many packets it had.
    fn turn(&mut self, side: Side, now: Now, most: usize) -> usize {
        let mut burst: ArrayVec<Packet, BURST> = ArrayVec::new();
        let [from, to] = facing(&mut self.sockets, side);
        to.reclaim(&mut self.free);
        from.receive_up_to(&mut burst, most);
        let received = burst.len();
        let begin = if received > 0 { self.mind.pace.begin() } else { None };
        // After the receive: a packet that came when the new ruleset was in force is judged by it.
        if self.mind.rules.superseded() {
            // What is held was judged by the one before, and leaves before another one counts.
            self.leave_all(now);
            self.mind.refresh();
        }
        if received > 0 {
            self.mind.spent.mark(Stage::Receive, &self.mind.clock);
            let actions = self.judge(side, now, &burst);
            self.mind.spent.mark(Stage::Classify, &self.mind.clock);
            self.outs[side as usize].look(now);
            for (packet, action) in burst.into_iter().zip(actions) {
                self.dispatch(side, now, packet, action);
            }
            self.mind.records.commit();
        }
        let [from, _] = facing(&mut self.sockets, side);
        let may_lease = received > 0 && self.mind.filter.may_lease() && caught_up(from);
        let more = received == most && from.waiting().0 > 0;
        if may_lease || !more || self.outs[side as usize].full() {
            self.leave(side, now);
        }
        // Also without a packet: what an earlier turn could not send or refill is tried again.
        let [from, to] = facing(&mut self.sockets, side);
        to.commit();
        if received > 0 {
            if may_lease {
                self.mind.filter.lease(self.mind.rules.current(), now, side);
            }
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

    /// The packet on its way out, or its frame home.
    #[inline]
    fn dispatch(&mut self, side: Side, now: Now, packet: Packet, action: Action) {
        if action == Action::Drop {
            self.free.push(packet.into_frame());
            return;
        }
        let out = &self.outs[side as usize];
        let holds = out.takes(&packet);
        if out.full() || !holds && out.len() > 0 {
            self.leave(side, now);
        }
        if holds {
            self.outs[side as usize].hold(packet, action);
        } else {
            let Self { sockets, umem, free, mind, .. } = self;
            let [_, to] = facing(sockets, side);
            send((to, umem, free), mind, (side, now), (packet, action));
        }
    }

    /// All that is held on its way out.
    fn leave_all(&mut self, now: Now) {
        for side in [Side::Outside, Side::Inside] {
            self.leave(side, now);
        }
    }

    /// What is held on its way out.
    fn leave(&mut self, side: Side, now: Now) {
        let Self { sockets, umem, free, outs, mind } = self;
        let (out, [_, to]) = (&mut outs[side as usize], facing(sockets, side));
        if out.len() == 0 {
            return;
        }
        mind.in_bulk += out.leave(umem, free, to, now) as u64;
        for (packet, action) in out.rest() {
            send((to, umem, free), mind, (side, now), (packet, action));
        }
    }

    /// The last records go out, packets on their way get a moment to leave, frames come home.
    fn finish(mut self) -> Mind {
        self.leave_all(self.mind.clock.now());
        self.mind.filter.close_leases();
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
        self.mind.filter.end_leases(self.mind.clock.now());
        self.mind.spent.begin(self.mind.clock.elapsed_ns());
        while !self.show() {
            thread::yield_now();
        }
        let Self { sockets, mut free, umem, mut mind, .. } = self;
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
        let Self { sockets, free, mind, umem, outs } = self;
        let Mind { filter, rules, board, .. } = mind;
        let mut frames = FrameCounts {
            free: free.len() as u64,
            total: u64::from(umem.config().frames),
            ..FrameCounts::default()
        };
        // They are on their way; no TX ring has them yet.
        frames.tx += outs.iter().map(|out| out.len() as u64).sum::<u64>();
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
        let (longest_pause_ms, in_bulk) = (mind.longest_pause_ms, mind.in_bulk);
        mind.pace.turn(Instant::now());
        let burst_ns = mind.pace.times();
        let counters = filter.counters();
        let spent = mind.spent.show(counters.received - counters.leased);
        board.show(|slot| {
            slot.revision = revision;
            slot.counters = *filter.counters();
            slot.frames = frames;
            slot.kernel_dropped = dropped_by_kernel;
            slot.longest_pause_ms = longest_pause_ms;
            slot.in_bulk = in_bulk;
            slot.burst_ns = burst_ns;
            slot.spent = spent;
        })
    }
}

/// The packet into the TX ring of the other side, or its frame home.
#[inline]
fn send(
    (to, umem, free): (&mut Socket, &Umem, &mut FreeList),
    mind: &mut Mind,
    (side, now): (Side, Now),
    (packet, action): (Packet, Action),
) {
    if let Err(packet) = to.send(packet) {
        let (bytes, arrived) = (umem.bytes(&packet), (mind.rules.current(), now, side));
        mind.filter.undeliverable(arrived, (bytes, action), &mut mind.records);
        free.push(packet.into_frame());
    }
}

/// Whether no packet waits for the worker that the next one of its flow would overtake if it had a lease; or
/// so many that the ring is about to overflow, and to be overtaken is better than to be lost.
fn caught_up(from: &Socket) -> bool {
    let (waiting, room) = from.waiting();
    waiting == 0 || waiting > room / 2
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
