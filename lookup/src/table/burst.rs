//! Batches of lookups, compiled for more than one kind of processor.
//!
//! Baseline x86-64 counts bits in a dozen instructions and computes on four lanes. AVX2 and AVX-512
//! count at once and have eight and sixteen lanes, so batches are compiled for them too, and the
//! processor's own is chosen at run time. All come from one source, and tests hold each against the
//! others through [`on`].

use pulp::{Arch, NullaryFnOnce};

use crate::ClassId;

/// Keys whose loads are in flight together: those of a worker's burst.
pub(super) const BURST: usize = 64;

/// A table that looks up several keys at once. Functions below are `inline(always)`: code that is not
/// inlined is compiled for the baseline.
pub(super) trait Bursts<A> {
    /// Writes the class of each key, of which there are at most [`BURST`].
    fn find_burst(&self, keys: &[A], classes: &mut [ClassId]);
}

/// Looks up all addresses. Writes the first `min(addresses.len(), classes.len())` places.
#[inline]
pub(super) fn on<A, T: Bursts<A>>(arch: Arch, table: &T, addresses: &[A], classes: &mut [ClassId]) {
    arch.dispatch(Batch { table, addresses, classes });
}

struct Batch<'a, A, T> {
    table: &'a T,
    addresses: &'a [A],
    classes: &'a mut [ClassId],
}

impl<A, T: Bursts<A>> NullaryFnOnce for Batch<'_, A, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (keys, classes) in self.addresses.chunks(BURST).zip(self.classes.chunks_mut(BURST)) {
            self.table.find_burst(keys, classes);
        }
    }
}
