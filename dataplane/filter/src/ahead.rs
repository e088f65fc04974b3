//! Memory that is asked for before it is needed.
//!
//! A load that misses the caches holds a core up once a few hundred instructions wait behind it; a
//! prefetch does not. So each pass over a burst asks for what the next one reads, or for what it reads itself
//! some packets later. A prefetch that misses
//! the TLB waits all the same, which is why a gateway's allocator puts long tables on large pages.

/// Asks for the cache line that `place` begins in. A hint: nothing is read.
#[inline(always)]
pub(crate) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(place);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// How many packets ahead, where a pass asks as it goes. A core keeps some twenty misses in flight, and one that
/// is busy with as many drops what more it is asked for: all of a burst at once made a hit twice as slow.
pub(crate) const AHEAD: usize = 16;
