//! Memory that a worker shares with the XDP program: what lets the packets of a flow through without it.
//!
//! ```text
//!  worker --writes--> lane, leases      (one writer: the worker of the queue)
//!                         |
//!  NIC queue --> program -+-> let_through, lease.used      (one writer: the program on that queue)
//! ```
//! Maps of the program (`BPF_F_MMAPABLE`) mapped into this process: to give a lease, and to take it back,
//! is a few stores. What the words mean to a packet is the business of who writes them; the layout is that
//! of `dataplane/bpf/palisade.bpf.c`.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::region::Region;

/// What the program shares for one queue, of 64-bit words.
pub type Line = [AtomicU64; 8];

/// Rows of [`Lane::let_through`] (`ROWS`).
pub const LANE_ROWS: usize = 512;

/// How much memory a program shares with workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Index of the interface that packets with a lease go to.
    pub to: u32,
    /// Queues that may have leases, from queue 0 on.
    pub lanes: u32,
    /// Leases of each; a power of two, at least 2.
    pub leases: u32,
}

/// The three maps of a program.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    lanes: Arc<Region>,
    leases: Arc<Region>,
    let_through: Arc<Region>,
    plan: LanePlan,
}

/// What one queue of a program shares with its worker; the memory stays as long as this does.
#[derive(Clone, Debug)]
pub struct Lane {
    all: Lanes,
    queue: usize,
}

impl LanePlan {
    /// For a program that has no leases: the least that a map may have.
    pub(crate) const NONE: Self = Self { to: 0, lanes: 1, leases: 2 };

    pub(crate) fn rows(&self) -> u32 {
        self.lanes * LANE_ROWS as u32
    }
}

impl Lanes {
    /// Maps the maps `lanes`, `leases` and `let_through`.
    pub(crate) fn map(fds: [BorrowedFd<'_>; 3], plan: LanePlan) -> Result<Self, Errno> {
        let lines = [plan.lanes as usize, plan.lanes as usize * plan.leases as usize];
        let bytes = [lines[0] * size_of::<Line>(), lines[1] * size_of::<Line>(), plan.rows() as usize * 8];
        let map = |i: usize| Region::shared(fds[i], bytes[i], 0).map(Arc::new);
        Ok(Self { lanes: map(0)?, leases: map(1)?, let_through: map(2)?, plan })
    }

    /// The lane of a queue, if it has one.
    pub(crate) fn of(&self, queue: u32) -> Option<Lane> {
        (queue < self.plan.lanes).then(|| Lane { all: self.clone(), queue: queue as usize })
    }

    /// Whether leases count.
    pub(crate) fn open(&self, open: bool) {
        for queue in 0..self.plan.lanes {
            if let Some(lane) = self.of(queue) {
                lane.words()[0].store(open.into(), Ordering::Release);
            }
        }
    }
}

impl Lane {
    /// The words of the lane: whether leases count, which [`crate::Program::open_lanes`] writes; the
    /// revision, the mask and the five words of the secret, which the worker writes.
    #[must_use]
    pub fn words(&self) -> &Line {
        // SAFETY: the mapping has a line for each of `plan.lanes` queues, of which this is one; it is
        // page-aligned, lives as long as `self`, and both sides access it by whole words.
        unsafe { &*self.all.lanes.start().cast::<Line>().as_ptr().add(self.queue) }
    }

    /// Its leases: term, five words of the key, use, mark.
    #[must_use]
    pub fn leases(&self) -> &[Line] {
        let count = self.all.plan.leases as usize;
        let start = self.all.leases.start().cast::<Line>();
        // SAFETY: the mapping has `leases` lines for each of `plan.lanes` queues, of which this is one;
        // otherwise as above.
        unsafe { std::slice::from_raw_parts(start.as_ptr().add(self.queue * count), count) }
    }

    /// Packets let through, by row.
    #[must_use]
    pub fn let_through(&self) -> &[AtomicU64] {
        let start = self.all.let_through.start().cast::<AtomicU64>();
        // SAFETY: the mapping has `LANE_ROWS` words for each of `plan.lanes` queues, of which this is
        // one; otherwise as above.
        unsafe { std::slice::from_raw_parts(start.as_ptr().add(self.queue * LANE_ROWS), LANE_ROWS) }
    }
}
