//! A socket: one queue of one interface, its four rings, and the calls that a worker makes a turn.
//!
//! ```text
//!              refill                     receive
//!  FreeList ----------> [fill] == kernel ==> [rx] ----------> burst
//!     ^                                                         | send, commit
//!     | reclaim                                                 v
//!     +------------ [completion] <== kernel ================= [tx]    of the other socket
//! ```
//! A turn costs a few shared cache lines for the indices, one descriptor and one holder byte for
//! each hand-over, and a system call only where the kernel asks for one. Nothing allocates, locks
//! or fails: a full ring hands the packet back, and what the kernel gets wrong is counted.
//!
//! Sources: `net/xdp/xsk.c`, `Documentation/networking/af_xdp.rst`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use arrayvec::ArrayVec;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use crate::config::Granted;
use crate::counts::{Counts, Faults, Moved, Statistics};
use crate::frame::{FreeList, Packet};
use crate::place::Descriptor;
use crate::ring::{Consumer, Producer};
use crate::sim::Shared;
use crate::umem::Umem;

/// How often one [`Socket::commit`] calls the kernel while it makes progress. In copy mode a call
/// takes 32 packets where `XDP_MAX_TX_SKB_BUDGET` cannot be raised, so this covers four bursts.
const KICKS: u32 = 8;

/// One queue of one interface.
#[derive(Debug)]
pub struct Socket {
    pub(crate) umem: Umem,
    pub(crate) rings: Rings,
    pub(crate) peer: Peer,
    /// Marks the chunks of fill and RX; the next number marks those of TX and completion.
    pub(crate) mark: u8,
    pub(crate) granted: Granted,
    moved: Moved,
    faults: Faults,
}

/// Our side of the four rings.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(crate) fill: Producer<u64>,
    pub(crate) rx: Consumer<Descriptor>,
    pub(crate) tx: Producer<Descriptor>,
    pub(crate) completion: Consumer<u64>,
}

/// Who works on the other side of the rings.
#[derive(Debug)]
pub(crate) enum Peer {
    Kernel(Arc<OwnedFd>),
    Simulated(Arc<Shared>),
}

impl Socket {
    pub(crate) fn new(umem: Umem, rings: Rings, peer: Peer, mark: u8, granted: Granted) -> Self {
        Self {
            umem,
            rings,
            peer,
            mark,
            granted,
            moved: Moved::default(),
            faults: Faults::default(),
        }
    }

    /// Takes the frames of sent packets home; answers how many.
    #[inline]
    pub fn reclaim(&mut self, free: &mut FreeList) -> usize {
        let completion = &mut self.rings.completion;
        let Some(ready) = completion.ready(u32::MAX) else {
            self.faults.indices += 1;
            return 0;
        };
        let mut home = 0;
        for _ in 0..ready {
            match self.umem.claim(completion.take(), self.mark + 1) {
                Some(frame) => {
                    free.push(frame);
                    home += 1;
                }
                None => self.faults.completions += 1,
            }
        }
        completion.release();
        self.moved.completed += home;
        home as usize
    }

    /// Takes received packets, as many as `burst` has room for; answers how many.
    #[inline]
    pub fn receive<const N: usize>(&mut self, burst: &mut ArrayVec<Packet, N>) -> usize {
        self.receive_up_to(burst, N)
    }

    /// The same, but at most so many.
    #[inline]
    pub fn receive_up_to<const N: usize>(
        &mut self,
        burst: &mut ArrayVec<Packet, N>,
        most: usize,
    ) -> usize {
        let rx = &mut self.rings.rx;
        let Some(ready) = rx.ready(burst.remaining_capacity().min(most) as u32) else {
            self.faults.indices += 1;
            return 0;
        };
        let before = burst.len();
        for _ in 0..ready {
            let Descriptor { address, len, .. } = rx.take();
            match self.umem.accept(address, len, self.mark) {
                Some(packet) => burst.push(packet),
                None => self.faults.descriptors += 1,
            }
        }
        rx.release();
        let received = burst.len() - before;
        self.moved.received += received as u64;
        received
    }

    /// Stages a packet for sending; the kernel sees it at the next [`commit`](Self::commit).
    ///
    /// # Errors
    /// The packet itself when the TX ring is full.
    ///
    /// # Panics
    /// When the packet is of another UMEM, which is a mistake in the program.
    #[inline]
    pub fn send(&mut self, packet: Packet) -> Result<(), Packet> {
        if self.rings.tx.room(1) == 0 {
            return Err(packet);
        }
        let Packet { frame, offset, len } = packet;
        let address = self.umem.lend(frame, self.mark + 1) + u64::from(offset);
        self.rings.tx.stage(Descriptor { address, len: len.into(), options: 0 });
        self.moved.sent += 1;
        Ok(())
    }

    /// Shows the staged packets to the kernel, and calls it if it asks for that.
    ///
    /// Call it once a turn, with nothing staged too: what the kernel could not take last time (a
    /// full completion ring, a full send buffer) is pushed again.
    #[inline]
    pub fn commit(&mut self) {
        let tx = &mut self.rings.tx;
        tx.publish();
        if !tx.needs_wakeup() {
            return;
        }
        let mut waiting = tx.waiting();
        for _ in 0..KICKS {
            if waiting == 0 {
                return;
            }
            self.peer.wake_tx();
            let left = self.rings.tx.waiting();
            if left >= waiting {
                return;
            }
            waiting = left;
        }
    }

    /// Whether the kernel has not taken all packets that were committed.
    #[must_use]
    pub fn unsent(&self) -> bool {
        self.rings.tx.waiting() > 0
    }

    /// Gives free frames to the kernel to receive into, and calls it if it asks for that.
    ///
    /// Call it every turn, not only after a receive: otherwise one moment of an empty free list
    /// stops the queue for ever.
    ///
    /// # Panics
    /// When the frames are of another UMEM, which is a mistake in the program.
    #[inline]
    pub fn refill(&mut self, free: &mut FreeList) -> usize {
        let fill = &mut self.rings.fill;
        let room = fill.room(free.len() as u32);
        for _ in 0..room {
            let Some(frame) = free.pop() else { break };
            fill.stage(self.umem.lend(frame, self.mark));
        }
        let filled = fill.publish();
        self.moved.filled += u64::from(filled);
        if fill.needs_wakeup() {
            self.peer.wake_rx();
        }
        filled as usize
    }

    /// Packets that wait in RX, and how many it holds at most.
    #[must_use]
    pub fn waiting(&self) -> (u32, u32) {
        let rx = &self.rings.rx;
        (rx.waiting(), rx.size())
    }

    /// How many frames each part of this socket holds now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Rings { rx, completion, .. } = &self.rings;
        self.moved.counts(rx.waiting(), completion.waiting())
    }

    /// What the kernel handed over that it should not have.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// The kernel's own counters of this socket; all 0 for a simulated one.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Peer::Kernel(fd) = &self.peer else {
            return Statistics::default();
        };
        sockopt::xdp_statistics(fd).map(Statistics::from).unwrap_or_default()
    }

    /// How the kernel moves packets between this socket and the interface.
    #[must_use]
    pub fn granted(&self) -> Granted {
        self.granted
    }

    /// The descriptor, for calls of this crate alone: a duplicate of it would outlive
    /// [`close`](Self::close), and the kernel would go on writing to frames that came home.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.peer {
            Peer::Kernel(fd) => Some(fd.as_fd()),
            Peer::Simulated(_) => None,
        }
    }

    /// Closes the socket and takes home every frame that its rings or the kernel still had;
    /// answers how many. Packets that were sent but not on their way yet are lost.
    ///
    /// In zero-copy mode the NIC may write to its frames for a moment longer, until a work item of
    /// the kernel has run: do not receive into them through another socket before that.
    ///
    /// A socket that is only dropped keeps its frames from use until the UMEM ends.
    pub fn close(self, free: &mut FreeList) -> usize {
        let Self { umem, rings, peer, mark, .. } = self;
        // The kernel lets go of the chunks when the last reference to the socket goes.
        drop(rings);
        match peer {
            Peer::Kernel(fd) => umem.leave(fd),
            Peer::Simulated(shared) => shared.close(),
        }
        let home = umem.recall(mark, free) + umem.recall(mark + 1, free);
        umem.retire(mark);
        home
    }
}

impl Peer {
    /// Asks the kernel to send. What it cannot take now (`EAGAIN`, `EBUSY`, `ENOBUFS`) stays in
    /// the TX ring for later, and so does everything while the interface is down.
    #[inline]
    fn wake_tx(&self) {
        match self {
            Self::Kernel(fd) => {
                let _: Result<usize, Errno> = send(fd, &[], SendFlags::DONTWAIT);
            }
            Self::Simulated(shared) => shared.tx(),
        }
    }

    /// Asks the driver to look at the fill ring.
    #[inline]
    fn wake_rx(&self) {
        match self {
            Self::Kernel(fd) => {
                let _ = recv(fd, &mut [0; 0], RecvFlags::DONTWAIT);
            }
            Self::Simulated(shared) => shared.rx(),
        }
    }
}
