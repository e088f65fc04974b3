//! IPv6 classes (stand-in: a cover).

use crate::{ClassId, Ranges};

/// IPv6 classes.
#[derive(Debug)]
pub struct Six(Ranges<u128, ClassId>);

impl Six {
    /// Compiles a cover.
    #[must_use]
    pub fn compile(ranges: &Ranges<u128, ClassId>) -> Self {
        Self(ranges.clone())
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u128) -> ClassId {
        *self.0.find(address)
    }

    /// `find` of each.
    pub fn find_batch(&self, addresses: &[u128], classes: &mut [ClassId]) {
        for (class, &address) in classes.iter_mut().zip(addresses) {
            *class = self.find(address);
        }
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}
