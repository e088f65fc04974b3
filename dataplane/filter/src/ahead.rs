//! Memory that is asked for before it is needed.
//!
//! A load that misses the caches holds a core up once a few hundred instructions wait behind it; a
//! prefetch does not. So each pass over a burst asks for what the next one reads. A prefetch that misses
//! the TLB waits all the same, which is why a gateway's allocator puts long tables on large pages.

/// Asks for the cache line that `place` begins in. A hint: nothing is read.
#[inline(always)]
pub(crate) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(place);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
