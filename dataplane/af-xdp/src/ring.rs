//! The rings: single-producer, single-consumer queues in memory shared with the kernel.
//!
//! ```text
//!            producer --.          consumer --.
//!                       v                     v
//!  entries  | . | . | . | . | . | . |  a power of two; index & mask is the slot
//! ```
//! Both indices are 32-bit and run freely, so they wrap at 2^32 and their difference is the number
//! of entries. The producer writes entries, then its index with Release; the consumer reads that
//! index with Acquire, then the entries, and gives the slots back the same way with its own index.
//! Each side keeps a cached copy of the other's index and reads the shared one, a cache line that
//! the other core writes, only when the copy does not suffice.
//!
//! The same two types play the kernel's side in [`sim`](crate::sim), with the roles exchanged.
//!
//! Source: `net/xdp/xsk_queue.h`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::place::{Entry, Layout, Place};
use crate::region::Region;

/// The other side wants a system call before it goes on (`XDP_RING_NEED_WAKEUP`).
pub(crate) const NEED_WAKEUP: u32 = 1;

/// The side that puts entries in: ours for fill and TX.
#[derive(Debug)]
pub(crate) struct Producer<T> {
    place: Place<T>,
    /// The next index to write; from `published` on, entries are staged.
    next: u32,
    published: u32,
    /// The consumer's index when last read.
    consumer: u32,
}

impl<T: Entry> Producer<T> {
    pub(crate) fn new(region: &Arc<Region>, layout: Layout, size: u32) -> Option<Self> {
        let place = Place::new(region, layout, size)?;
        let next = place.producer().load(Ordering::Relaxed);
        let consumer = place.consumer().load(Ordering::Acquire);
        Some(Self { place, next, published: next, consumer })
    }

    /// How many entries can be staged, up to `wanted`: looks at the other side only if it must.
    #[inline]
    pub(crate) fn room(&mut self, wanted: u32) -> u32 {
        if self.known_room() < wanted {
            // Acquire: what the consumer did with the slots comes before our writing them again.
            self.consumer = self.place.consumer().load(Ordering::Acquire);
        }
        self.known_room().min(wanted)
    }

    /// A consumer ahead of the producer, or too far behind, leaves no room rather than too much.
    #[inline]
    fn known_room(&self) -> u32 {
        self.place.size().saturating_sub(self.next.wrapping_sub(self.consumer))
    }

    /// Puts an entry in, unseen by the other side until [`publish`](Self::publish).
    #[inline]
    pub(crate) fn stage(&mut self, entry: T) -> bool {
        if self.room(1) == 0 {
            return false;
        }
        // SAFETY: the slot is ours, since there is room, until the index is published.
        unsafe { self.place.write(self.next, entry) };
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Shows the staged entries to the other side; answers how many they were.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        let staged = self.next.wrapping_sub(self.published);
        if staged > 0 {
            // Release: the entries come before the index that shows them.
            self.place.producer().store(self.next, Ordering::Release);
            self.published = self.next;
        }
        staged
    }

    /// How many published entries the other side has not taken.
    #[inline]
    pub(crate) fn waiting(&self) -> u32 {
        let consumer = self.place.consumer().load(Ordering::Acquire);
        self.published.wrapping_sub(consumer).min(self.place.size())
    }

    /// Whether the kernel asks for a system call before it takes entries.
    #[inline]
    pub(crate) fn needs_wakeup(&self) -> bool {
        self.place.flags().load(Ordering::Relaxed) & NEED_WAKEUP != 0
    }

    /// Publishes an index that no entry stands behind, as only a broken kernel would.
    pub(crate) fn overrun(&mut self, by: u32) {
        self.place.producer().store(self.next.wrapping_add(by), Ordering::Release);
    }
}

/// The side that takes entries out: ours for RX and completion.
#[derive(Debug)]
pub(crate) struct Consumer<T> {
    place: Place<T>,
    /// The next index to read; below it, entries are taken but not yet given back.
    next: u32,
    released: u32,
    /// The producer's index when last read.
    producer: u32,
}

impl<T: Entry> Consumer<T> {
    pub(crate) fn new(region: &Arc<Region>, layout: Layout, size: u32) -> Option<Self> {
        let place = Place::new(region, layout, size)?;
        let next = place.consumer().load(Ordering::Relaxed);
        Some(Self { place, next, released: next, producer: next })
    }

    /// How many entries can be taken, up to `wanted`; `None` when the producer's index is absurd.
    #[inline]
    pub(crate) fn ready(&mut self, wanted: u32) -> Option<u32> {
        if self.producer.wrapping_sub(self.next) < wanted {
            // Acquire: the entries were written before the index that shows them.
            let producer = self.place.producer().load(Ordering::Acquire);
            if producer.wrapping_sub(self.next) > self.place.size() {
                return None;
            }
            self.producer = producer;
        }
        Some(self.producer.wrapping_sub(self.next).min(wanted))
    }

    /// Takes the next entry. Call it only as often as [`ready`](Self::ready) allowed.
    #[inline]
    pub(crate) fn take(&mut self) -> T {
        debug_assert_ne!(self.next, self.producer, "nothing is ready");
        // SAFETY: the slot is ours, since an entry is ready, until it is released. A producer that
        // breaks the rules may write it meanwhile: then the entry is garbage, and is checked.
        let entry = unsafe { self.place.read(self.next) };
        self.next = self.next.wrapping_add(1);
        entry
    }

    /// Gives the slots of the taken entries back to the other side.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.next != self.released {
            // Release: our reading of the slots comes before their reuse.
            self.place.consumer().store(self.next, Ordering::Release);
            self.released = self.next;
        }
    }

    /// How many entries stand ready now; 0 when the producer's index is absurd.
    pub(crate) fn waiting(&self) -> u32 {
        let waiting = self.place.producer().load(Ordering::Acquire).wrapping_sub(self.next);
        if waiting > self.place.size() { 0 } else { waiting }
    }

    /// How many entries it holds at most.
    pub(crate) fn size(&self) -> u32 {
        self.place.size()
    }

    /// Asks the producer for a system call before entries are taken, or no longer.
    pub(crate) fn ask_wakeup(&self, asked: bool) {
        self.place.flags().store(if asked { NEED_WAKEUP } else { 0 }, Ordering::Relaxed);
    }
}
