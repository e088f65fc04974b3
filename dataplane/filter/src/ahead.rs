//! Memory that is asked for before it is needed, and the pages that it lies on.
//!
//! A load that misses the caches holds a core up once a few hundred instructions wait behind it; a
//! prefetch does not. So each pass over a burst asks for what the next one reads. A prefetch that misses
//! the TLB waits all the same, which is why long tables want large pages.

use std::mem::MaybeUninit;

/// Who knows of better memory for long tables: the filter itself makes no system call.
pub trait Pages {
    /// Called with the room of each long table before it is written to.
    fn large<T>(&self, room: &mut [MaybeUninit<T>]);
}

/// Memory as the allocator gives it.
impl Pages for () {
    fn large<T>(&self, _room: &mut [MaybeUninit<T>]) {}
}

/// `count` times `value`, on such pages.
pub(crate) fn filled<T: Copy>(pages: &impl Pages, count: usize, value: T) -> Box<[T]> {
    let mut table = Vec::with_capacity(count);
    pages.large(table.spare_capacity_mut());
    table.resize(count, value);
    table.into_boxed_slice()
}

/// Asks for the cache line that `place` begins in. A hint: nothing is read.
#[inline(always)]
pub(crate) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(place);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
