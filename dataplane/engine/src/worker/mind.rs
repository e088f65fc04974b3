//! What a worker knows, what it works with, and what it shows of itself.
//!
//! A mind outlives its wires: interfaces go and come back, and a queue may be without a worker for a
//! while. Meanwhile somebody else [lets it rest](Mind::rest), at no cost to those at work.

use std::sync::atomic::AtomicU64;

use af_xdp_rs::{Bulk, FreeList, Lane, Socket, Umem};
use filter::{Counters, Filter};

use crate::{
    board::Board,
    clock::Clock,
    mail::Inbox,
    pace::Pace,
    publish::Reader,
    pulse::Pulse,
    records::Sender,
    spent::{Shown, Spent},
    status::{BurstTimes, FrameCounts, WorkerState},
};

/// What a worker shows of itself, taken between two bursts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) core: usize,
    pub(crate) queue: u32,
    pub(crate) mode: String,
    pub(crate) state: WorkerState,
    pub(crate) revision: u32,
    pub(crate) counters: Counters,
    pub(crate) frames: FrameCounts,
    /// Packets that the kernel dropped for want of a frame or of room, outside and inside.
    pub(crate) kernel_dropped: [u64; 2],
    /// The longest that it went without housekeeping.
    pub(crate) longest_pause_ms: u64,
    /// Packets that left many at once.
    pub(crate) in_bulk: u64,
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
    /// What the programs of outside and inside share with the worker, where they do.
    pub lanes: [Option<Lane>; 2],
    /// What sends many packets at once that arrived outside, and inside, where it is cheaper than a socket.
    pub bulks: [Option<Bulk>; 2],
}

impl Wires {
    /// Of simulated sockets, which no program stands before.
    pub(crate) fn of_sockets(umem: Umem, free: FreeList, sockets: [Socket; 2]) -> Self {
        Self { umem, free, sockets, lanes: [None, None], bulks: [None, None] }
    }
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
    /// Where the counters are shown.
    pub board: Board<Snapshot>,
    /// Where it shows that it goes on.
    pub pulse: Pulse,
    /// What the kernel dropped of interfaces that are gone, outside and inside.
    pub kernel_dropped: [u64; 2],
    /// The longest that it went without housekeeping.
    pub longest_pause_ms: u64,
    /// Packets that left many at once.
    pub in_bulk: u64,
    /// How long bursts take.
    pub pace: Pace,
    /// Where time goes.
    pub spent: Spent,
}

impl Mind {
    /// While it is not at work: what a worker does beside its packets, so that no superseded ruleset
    /// is held, flows fade, and questions are answered.
    pub(crate) fn rest(&mut self) {
        let now = self.clock.now();
        self.refresh();
        self.filter.housekeep(now, &mut self.records);
        self.records.commit();
        self.inbox.serve(&self.filter, now, true);
        let (revision, counters) = (self.rules.current().revision().0, *self.filter.counters());
        self.board.show(|slot| (slot.revision, slot.counters) = (revision, counters));
    }

    /// Flows may get leases over these lanes from now on.
    pub(super) fn lease_over(&mut self, lanes: [Option<Lane>; 2]) {
        let lanes =
            lanes.map(|lane| lane.map(|lane| Box::new(Shared(lane)) as Box<dyn filter::Lane>));
        let (rules, now) = (self.rules.current(), self.clock.now());
        self.filter.lease_over(lanes, (rules, now), self.clock.origin_ns());
    }

    /// Takes the ruleset in force. No lease of the one before counts any more when others see it taken.
    #[inline]
    pub(crate) fn refresh(&mut self) {
        let Self { rules, filter, .. } = self;
        rules.refresh(|next| filter.revise(next));
    }

    /// It leaves its place for now.
    pub(crate) fn leave(&self, state: WorkerState) {
        self.board.put(|slot| {
            slot.state = state;
            if state == WorkerState::Resting {
                slot.frames = FrameCounts::default();
                slot.mode.clear();
            }
        });
    }
}

/// A lane as the filter writes it.
#[derive(Debug)]
struct Shared(Lane);

impl filter::Lane for Shared {
    fn words(&self) -> &filter::Line {
        self.0.words()
    }

    fn leases(&self) -> &[filter::Line] {
        self.0.leases()
    }

    fn tags(&self) -> &[AtomicU64] {
        self.0.tags()
    }

    fn let_through(&self) -> &[AtomicU64] {
        self.0.let_through()
    }
}
