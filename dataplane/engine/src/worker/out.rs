//! The way out of packets that arrived on one side: one after the other, or many at once.
//!
//! ```text
//!  dispatch --> held --16 and more--> Bulk::send (the program of the side they came from)
//!     |           '------ fewer ----> TX ring
//!     '--- too long, or no bulk ----> TX ring
//! ```
//! Packets are held only while more wait to be received, so none waits for one that has not arrived. They leave
//! in the order in which they came: what goes another way waits for those that are held, and those for what
//! is in the TX ring.

use af_xdp_rs::{Bulk, FreeList, Packet, Socket, Umem};
use arrayvec::ArrayVec;
use filter::Action;

use crate::say;

/// See the module.
#[derive(Debug)]
pub(super) struct Out {
    bulk: Option<Bulk>,
    /// Bytes of the longest packet that the bulk takes now.
    longest: usize,
    held: Held,
}

/// Judged packets on their way.
pub(super) type Held = ArrayVec<(Packet, Action), { Bulk::MOST }>;

impl Out {
    pub(super) fn new(bulk: Option<Bulk>) -> Self {
        Self { bulk, longest: 0, held: Held::new() }
    }

    /// Once a turn: what the other interface takes may have changed.
    #[inline]
    pub(super) fn look(&mut self) {
        self.longest = self.bulk.as_ref().map_or(0, Bulk::longest);
    }

    /// Whether a packet may leave with others.
    #[inline]
    pub(super) fn takes(&self, packet: &Packet) -> bool {
        (Bulk::SHORTEST..=self.longest).contains(&packet.len())
    }

    /// Whether nothing more can be held.
    #[inline]
    pub(super) fn full(&self) -> bool {
        self.held.is_full()
    }

    /// Keeps a packet for [`Out::leave`].
    ///
    /// # Panics
    /// When it is full.
    #[inline]
    pub(super) fn hold(&mut self, packet: Packet, action: Action) {
        self.held.push((packet, action));
    }

    /// Packets that are held.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Sends what is held, if it is many; answers how many left so, and what is left over for `to`.
    pub(super) fn leave(
        &mut self,
        umem: &Umem,
        free: &mut FreeList,
        to: &mut Socket,
    ) -> (usize, Held) {
        let mut held = std::mem::take(&mut self.held);
        let Some(bulk) = self.bulk.as_mut().filter(|_| held.len() >= Bulk::LEAST) else {
            return (0, held);
        };
        to.commit();
        if self.longest == 0 || to.unsent() {
            return (0, held);
        }
        let (sent, result) = bulk.send(held.iter().map(|(packet, _)| umem.bytes(packet)));
        for (packet, _) in held.drain(..sent.min(held.len())) {
            free.push(packet.into_frame());
        }
        if let Err(errno) = result {
            say(format_args!(
                "the kernel does not send many packets at once ({errno}); they go one by one from now on"
            ));
            (self.bulk, self.longest) = (None, 0);
        }
        (sent, held)
    }
}
