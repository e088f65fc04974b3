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

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::region::Region;

/// The other side wants a system call before it goes on (`XDP_RING_NEED_WAKEUP`).
pub(crate) const NEED_WAKEUP: u32 = 1;

/// A descriptor in RX and TX: `struct xdp_desc`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) address: u64,
    pub(crate) len: u32,
    pub(crate) options: u32,
}

/// What a ring may hold: plain words for which every bit pattern is a value.
pub(crate) trait Entry: Copy {}
impl Entry for u64 {}
impl Entry for Descriptor {}

/// Where the parts of a ring lie in its region, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    pub(crate) flags: usize,
    pub(crate) entries: usize,
}

impl Layout {
    /// The layout of simulated rings: each index on its own cache line, as the kernel has it.
    pub(crate) const SIMULATED: Self = Self { producer: 0, consumer: 64, flags: 128, entries: 192 };

    /// The size of a region that holds `size` entries.
    pub(crate) fn bytes<T: Entry>(&self, size: u32) -> usize {
        self.entries + size as usize * size_of::<T>()
    }

    /// Sets both indices of a simulated ring before its sides are made.
    pub(crate) fn preset(&self, region: &Arc<Region>, index: u32) {
        if let Some(place) = Place::<u64>::new(region, *self, 1) {
            place.producer().store(index, Ordering::Relaxed);
            place.consumer().store(index, Ordering::Relaxed);
        }
    }
}

/// A ring's place in memory, of which both sides are made.
#[derive(Debug)]
struct Place<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    size: u32,
    /// Keeps the memory mapped.
    _region: Arc<Region>,
    _entries: PhantomData<T>,
}

// SAFETY: the pointers lead into the region that the `Arc` keeps mapped, and nothing in it belongs
// to a thread. Indices and flags are atomics; entries are plain words of a type that is `Send`.
unsafe impl<T: Entry + Send> Send for Place<T> {}

impl<T: Entry> Place<T> {
    /// Answers `None` when the parts do not lie aligned within the region, or the size is no power
    /// of two: the offsets are the kernel's word, and that is checked.
    fn new(region: &Arc<Region>, layout: Layout, size: u32) -> Option<Self> {
        let end = layout.entries.checked_add((size as usize).checked_mul(size_of::<T>())?)?;
        let index_fits = |at: usize| {
            at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= region.bytes())
        };
        let fits = size.is_power_of_two()
            && end <= region.bytes()
            && layout.entries.is_multiple_of(align_of::<T>())
            && [layout.producer, layout.consumer, layout.flags].into_iter().all(index_fits);
        if !fits {
            return None;
        }
        // SAFETY: each offset was checked to lie within the region.
        let at = |offset: usize| unsafe { region.start().add(offset) };
        Some(Self {
            producer: at(layout.producer).cast(),
            consumer: at(layout.consumer).cast(),
            flags: at(layout.flags).cast(),
            entries: at(layout.entries).cast(),
            size,
            _region: region.clone(),
            _entries: PhantomData,
        })
    }

    #[inline]
    fn producer(&self) -> &AtomicU32 {
        // SAFETY: aligned and within the region, which is mapped while `self` lives; both sides
        // only ever reach it as an atomic.
        unsafe { self.producer.as_ref() }
    }

    #[inline]
    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as in `producer`.
        unsafe { self.consumer.as_ref() }
    }

    #[inline]
    fn flags(&self) -> &AtomicU32 {
        // SAFETY: as in `producer`.
        unsafe { self.flags.as_ref() }
    }

    #[inline]
    fn slot(&self, index: u32) -> NonNull<T> {
        // SAFETY: the mask keeps the slot below `size`, and `size` entries lie within the region.
        unsafe { self.entries.add((index & (self.size - 1)) as usize) }
    }
}

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
        self.place.size.saturating_sub(self.next.wrapping_sub(self.consumer))
    }

    /// Puts an entry in, unseen by the other side until [`publish`](Self::publish).
    #[inline]
    pub(crate) fn stage(&mut self, entry: T) -> bool {
        if self.room(1) == 0 {
            return false;
        }
        // SAFETY: the slot lies within the region and is aligned; it is ours, since there is room,
        // until the index is published. Volatile, for the other side is not a Rust program.
        unsafe { self.place.slot(self.next).write_volatile(entry) };
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
        self.published.wrapping_sub(consumer).min(self.place.size)
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
            if producer.wrapping_sub(self.next) > self.place.size {
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
        // SAFETY: the slot lies within the region and is aligned, and any bits are a value of `T`.
        // Volatile, so that what is checked is what is used, whatever the other side does.
        let entry = unsafe { self.place.slot(self.next).read_volatile() };
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
        if waiting > self.place.size { 0 } else { waiting }
    }

    /// Asks the producer for a system call before entries are taken, or no longer.
    pub(crate) fn ask_wakeup(&self, asked: bool) {
        self.place.flags().store(if asked { NEED_WAKEUP } else { 0 }, Ordering::Relaxed);
    }
}
