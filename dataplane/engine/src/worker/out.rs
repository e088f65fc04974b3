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
use filter::{Action, Now};

use crate::say;

/// After the kernel refused, it is not asked for so long.
const PAUSE_MS: u64 = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Out {
    bulk: Option<Bulk>,
    /// Bytes of the longest packet that the bulk takes now.
    longest: usize,
    held: ArrayVec<(Packet, Action), { Bulk::MOST }>,
    /// Until when the bulk is not used; nothing until it failed for the first time.
    pause_ms: Option<u64>,
}

impl Out {
    pub(super) fn new(bulk: Option<Bulk>) -> Self {
        Self { bulk, longest: 0, held: ArrayVec::new(), pause_ms: None }
    }

    /// Once a turn: what the other interface takes may have changed.
    #[inline]
    pub(super) fn look(&mut self, now: Now) {
        let pauses = self.pause_ms.is_some_and(|until_ms| now.mono_ms < until_ms);
        self.longest = self.bulk.as_ref().filter(|_| !pauses).map_or(0, Bulk::longest);
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

    /// Packets that are held.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Keeps a packet for [`Out::leave`].
    ///
    /// # Panics
    /// When it is full.
    #[inline]
    pub(super) fn hold(&mut self, packet: Packet, action: Action) {
        self.held.push((packet, action));
    }

    /// Sends what is held, if it is many; answers how many left.
    pub(super) fn leave(
        &mut self,
        umem: &Umem,
        free: &mut FreeList,
        to: &mut Socket,
        now: Now,
    ) -> usize {
        let Some(bulk) = self.bulk.as_mut().filter(|_| self.held.len() >= Bulk::LEAST) else {
            return 0;
        };
        to.commit();
        if self.longest == 0 || to.unsent() {
            return 0;
        }
        let (sent, result) = bulk.send(self.held.iter().map(|(packet, _)| umem.bytes(packet)));
        for (packet, _) in self.held.drain(..sent) {
            free.push(packet.into_frame());
        }
        if let Err(errno) = result {
            self.longest = 0;
            if self.pause_ms.replace(now.mono_ms + PAUSE_MS).is_none() {
                say(format_args!(
                    "the kernel does not send many packets at once ({errno}): they go one by one, and it is \
                     tried again every {} s",
                    PAUSE_MS / 1000
                ));
            }
        }
        sent
    }

    /// What [`Out::leave`] has left over, in its order.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = (Packet, Action)> {
        self.held.drain(..)
    }
}
