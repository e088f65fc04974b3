//! A ring's memory over loom: two atomic indices, flags, and slots that no two threads may touch at
//! once. It stands in for the crate's `place` and `region`, which map the kernel's memory.

use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::sync::AtomicU32;

/// What a slot holds.
pub(crate) trait Entry: Copy {
    fn word(self) -> u64;
    fn of(word: u64) -> Self;
}

impl Entry for u64 {
    fn word(self) -> u64 {
        self
    }

    fn of(word: u64) -> Self {
        word
    }
}

/// There are no offsets to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout;

/// The memory of one ring.
#[derive(Debug)]
pub(crate) struct Region {
    producer: AtomicU32,
    consumer: AtomicU32,
    flags: AtomicU32,
    slots: Vec<UnsafeCell<u64>>,
}

/// The view of one side.
#[derive(Debug)]
pub(crate) struct Place<T> {
    region: Arc<Region>,
    _entries: std::marker::PhantomData<T>,
}

impl Region {
    /// A ring of `size` slots with both indices at `start`.
    #[expect(clippy::arc_with_non_send_sync, reason = "loom runs its threads on one")]
    pub(crate) fn new(size: u32, start: u32) -> Arc<Self> {
        Arc::new(Self {
            producer: AtomicU32::new(start),
            consumer: AtomicU32::new(start),
            flags: AtomicU32::new(0),
            slots: (0..size).map(|_| UnsafeCell::new(0)).collect(),
        })
    }
}

impl<T: Entry> Place<T> {
    pub(crate) fn new(region: &Arc<Region>, _layout: Layout, size: u32) -> Option<Self> {
        assert_eq!(size as usize, region.slots.len());
        Some(Self { region: Arc::clone(region), _entries: std::marker::PhantomData })
    }

    pub(crate) fn producer(&self) -> &AtomicU32 {
        &self.region.producer
    }

    pub(crate) fn consumer(&self) -> &AtomicU32 {
        &self.region.consumer
    }

    pub(crate) fn flags(&self) -> &AtomicU32 {
        &self.region.flags
    }

    pub(crate) fn size(&self) -> u32 {
        self.region.slots.len() as u32
    }

    fn slot(&self, index: u32) -> &UnsafeCell<u64> {
        &self.region.slots[(index & (self.size() - 1)) as usize]
    }

    /// # Safety
    /// The slot is the caller's, or the model fails.
    pub(crate) unsafe fn write(&self, index: u32, entry: T) {
        // SAFETY: loom hands out the place of a cell that lives, and fails if another has it too.
        self.slot(index).with_mut(|slot| unsafe { *slot = entry.word() });
    }

    /// # Safety
    /// The slot is the caller's, or the model fails.
    pub(crate) unsafe fn read(&self, index: u32) -> T {
        // SAFETY: as in `write`.
        self.slot(index).with(|slot| T::of(unsafe { *slot }))
    }
}
