//! Where a ring lies in memory: two indices, flags and slots in a region shared with the kernel.
//!
//! The offsets are the kernel's word and are checked once; what [`ring`](crate::ring) does with the
//! parts is a protocol of its own. They stand apart so that `bench/models` can run that protocol over
//! loom's memory.
//!
//! Source: `include/uapi/linux/if_xdp.h`.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::region::Region;

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
pub(crate) struct Place<T> {
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
    pub(crate) fn new(region: &Arc<Region>, layout: Layout, size: u32) -> Option<Self> {
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
    pub(crate) fn producer(&self) -> &AtomicU32 {
        // SAFETY: aligned and within the region, which is mapped while `self` lives; both sides
        // only ever reach it as an atomic.
        unsafe { self.producer.as_ref() }
    }

    #[inline]
    pub(crate) fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as in `producer`.
        unsafe { self.consumer.as_ref() }
    }

    #[inline]
    pub(crate) fn flags(&self) -> &AtomicU32 {
        // SAFETY: as in `producer`.
        unsafe { self.flags.as_ref() }
    }

    #[inline]
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Puts an entry into the slot of an index.
    ///
    /// # Safety
    /// The slot is the caller's until it publishes the index.
    #[inline]
    pub(crate) unsafe fn write(&self, index: u32, entry: T) {
        // SAFETY: the slot lies within the region and is aligned, and the caller has it for itself.
        // Volatile, for the other side is not a Rust program.
        unsafe { self.slot(index).write_volatile(entry) };
    }

    /// The entry in the slot of an index.
    ///
    /// # Safety
    /// The slot is the caller's until it releases the index.
    #[inline]
    pub(crate) unsafe fn read(&self, index: u32) -> T {
        // SAFETY: the slot lies within the region and is aligned, and any bits are a value of `T`.
        // Volatile, so that what is checked is what is used, whatever the other side does.
        unsafe { self.slot(index).read_volatile() }
    }

    #[inline]
    fn slot(&self, index: u32) -> NonNull<T> {
        // SAFETY: the mask keeps the slot below `size`, and `size` entries lie within the region.
        unsafe { self.entries.add((index & (self.size - 1)) as usize) }
    }
}
