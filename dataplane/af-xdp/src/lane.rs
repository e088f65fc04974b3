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

use crate::interface::Interface;
use crate::nic::Channels;
use crate::region::Region;

/// What the program shares for one queue, of 64-bit words.
pub type Line = [AtomicU64; 8];

/// The word of a lane that says what the other interface takes.
const TAKES: usize = 0;

/// Rows of [`Lane::let_through`] (`ROWS`).
pub const LANE_ROWS: usize = 512;

/// Frames of one batch ([`Lane::outgoing`], `BATCH`).
pub(crate) const BATCH: usize = 128;

/// A frame that the program sends: a word for its length in bytes, then its bytes in their order in memory.
pub(crate) type Outgoing = [AtomicU64; 256];

/// How much memory a program shares with workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Index of the interface that packets with a lease go to.
    pub to: u32,
    /// Queues that may have leases, from queue 0 on.
    pub lanes: u32,
    /// Leases of each; a power of two, at least [`LanePlan::LEAST`].
    pub leases: u32,
}

/// What the interface that packets with a lease go to takes of them. A driver drops the rest, and nobody hears
/// of it, so they keep to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Frames that so many CPUs send it, from CPU 0 on.
    pub cpus: u32,
    /// Bytes of the longest frame, with its link header.
    pub frame_bytes: u32,
}

/// The maps of a program.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Region,
    leases: Region,
    tags: Region,
    let_through: Region,
    outgoing: Region,
    taken: Region,
    plan: LanePlan,
}

/// What one queue of a program shares with its worker; the memory stays as long as this does.
#[derive(Clone, Debug)]
pub struct Lane {
    all: Arc<Lanes>,
    queue: usize,
}

impl LanePlan {
    /// For a program that has no leases: the least that a map may have.
    pub(crate) const NONE: Self = Self { to: 0, lanes: 1, leases: Self::LEAST };
    /// The least number of leases.
    pub const LEAST: u32 = 8;

    /// Words of tags of all lanes.
    pub(crate) fn tags(&self) -> u32 {
        self.places() / 8
    }

    /// Leases of all lanes; more than the kernel gives memory for where they are more than a map may have.
    pub(crate) fn places(&self) -> u32 {
        self.lanes.saturating_mul(self.leases)
    }

    /// Rows of all lanes.
    pub(crate) fn rows(&self) -> u32 {
        self.lanes.saturating_mul(LANE_ROWS as u32)
    }

    /// Frames of a batch of each lane.
    pub(crate) fn outgoing(&self) -> u32 {
        self.lanes.saturating_mul(BATCH as u32)
    }
}

impl Takes {
    /// No frame.
    pub const NOTHING: Self = Self { cpus: 0, frame_bytes: 0 };

    /// What an interface takes now.
    #[must_use]
    pub fn of(interface: &Interface) -> Self {
        let support = interface.xdp().ok().flatten();
        if !interface.up || !support.is_some_and(|support| support.transmit) {
            return Self::NOTHING;
        }
        let channels = || interface.channels().ok().flatten();
        // `xdp_ok_fwd_dev` in `include/linux/netdevice.h`: its MTU, the Ethernet header and a tag.
        let frame_bytes = interface.mtu_bytes.saturating_add(14 + 4);
        Self { cpus: Self::cpus(&interface.driver, channels), frame_bytes }
    }

    /// From how many CPUs a driver takes redirected frames: its `ndo_xdp_xmit`, Linux 6.3 to 6.18. These share a
    /// queue where CPUs are more than queues; mlx5e and i40e answer -ENXIO to those above. So one that is not
    /// known to share takes none where nobody says how many queues it uses: there may be more than that.
    #[must_use]
    pub fn cpus(driver: &str, channels: impl FnOnce() -> Option<Channels>) -> u32 {
        match driver {
            "veth" | "tun" | "virtio_net" | "ena" | "igb" | "igc" | "ixgbe" | "bnxt_en" => u32::MAX,
            _ => channels().map_or(0, |Channels { rx, tx, combined }| {
                combined.now.saturating_add(rx.now.min(tx.now))
            }),
        }
    }

    fn word(self) -> u64 {
        // A lane that takes from no CPU takes nothing, which is 0.
        let frame_bytes = if self.cpus == 0 { 0 } else { self.frame_bytes };
        u64::from(self.cpus) | u64::from(frame_bytes) << 32
    }

    fn from_word(word: u64) -> Self {
        Self { cpus: word as u32, frame_bytes: (word >> 32) as u32 }
    }
}

impl Lanes {
    /// Maps the maps `lanes`, `leases`, `tags`, `let_through`, `outgoing` and `taken`.
    pub(crate) fn map(fds: [BorrowedFd<'_>; 6], plan: LanePlan) -> Result<Self, Errno> {
        let [lanes, leases, tags, let_through, outgoing, taken] = fds;
        let map = |fd, entries: u32, bytes| Region::shared(fd, entries as usize * bytes, 0);
        Ok(Self {
            lanes: map(lanes, plan.lanes, size_of::<Line>())?,
            leases: map(leases, plan.places(), size_of::<Line>())?,
            tags: map(tags, plan.tags(), 8)?,
            let_through: map(let_through, plan.rows(), 8)?,
            outgoing: map(outgoing, plan.outgoing(), size_of::<Outgoing>())?,
            taken: map(taken, plan.lanes, 8)?,
            plan,
        })
    }

    /// The lane of a queue, if it has one.
    pub(crate) fn of(self: &Arc<Self>, queue: u32) -> Option<Lane> {
        (queue < self.plan.lanes).then(|| Lane { all: Arc::clone(self), queue: queue as usize })
    }

    /// Leases of each queue count for frames that the other interface takes.
    pub(crate) fn open(self: &Arc<Self>, takes: impl Fn(u32) -> Takes) {
        for queue in 0..self.plan.lanes {
            if let Some(lane) = self.of(queue) {
                lane.words()[TAKES].store(takes(queue).word(), Ordering::Release);
            }
        }
    }
}

impl Lane {
    /// The words of the lane: what the other interface takes, which [`crate::Program::open_lanes`] writes;
    /// the revision, the mask and the five words of the secret, which the worker writes.
    #[must_use]
    pub fn words(&self) -> &Line {
        &self.part::<Line>(&self.all.lanes, 1)[0]
    }

    /// Its leases: term, five words of the key, use, mark.
    #[must_use]
    pub fn leases(&self) -> &[Line] {
        self.part(&self.all.leases, self.all.plan.leases as usize)
    }

    /// A byte of the hash of each lease, 0 where there is none; eight in a word, from its lowest byte on.
    #[must_use]
    pub fn tags(&self) -> &[AtomicU64] {
        self.part(&self.all.tags, self.all.plan.leases as usize / 8)
    }

    /// Packets let through, by row.
    #[must_use]
    pub fn let_through(&self) -> &[AtomicU64] {
        self.part(&self.all.let_through, LANE_ROWS)
    }

    /// The queue that it is of.
    pub(crate) fn queue(&self) -> usize {
        self.queue
    }

    /// What the other interface takes now.
    pub(crate) fn takes(&self) -> Takes {
        Takes::from_word(self.words()[TAKES].load(Ordering::Acquire))
    }

    /// The frames of the next batch.
    pub(crate) fn outgoing(&self) -> &[Outgoing] {
        self.part(&self.all.outgoing, BATCH)
    }

    /// How many of them the program has taken.
    pub(crate) fn taken(&self) -> &AtomicU64 {
        &self.part::<AtomicU64>(&self.all.taken, 1)[0]
    }

    /// This queue's `each` elements of a map that has as many for each queue of the plan.
    fn part<'a, T: Words>(&self, map: &'a Region, each: usize) -> &'a [T] {
        let first = self.queue * each;
        assert!((first + each) * size_of::<T>() <= map.bytes(), "a lane lies in its maps");
        let start = map.start().cast::<T>().as_ptr().wrapping_add(first);
        // SAFETY: the elements lie in the mapping, which is page-aligned and lives as long as `map`; they
        // are atomic words, for which all bits are values, and which both sides access whole.
        unsafe { std::slice::from_raw_parts(start, each) }
    }
}

/// What is made of atomic words alone.
///
/// # Safety
/// All bits are values of it, also while another process writes them, and it needs no more than page alignment.
unsafe trait Words {}
// SAFETY: an atomic integer has no invalid value, and is read and written whole.
unsafe impl Words for AtomicU64 {}
// SAFETY: an array of them.
unsafe impl Words for Line {}
// SAFETY: an array of them.
unsafe impl Words for Outgoing {}
