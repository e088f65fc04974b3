//! DIR-24-8 (stand-in: a cover).

use crate::{ClassId, Ranges};

/// IPv4 classes.
#[derive(Debug)]
pub struct Dir24_8(Ranges<u32, ClassId>);

impl Dir24_8 {
    /// Compiles a cover.
    #[must_use]
    pub fn compile(ranges: &Ranges<u32, ClassId>) -> Self {
        Self(ranges.clone())
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u32) -> ClassId {
        *self.0.find(address)
    }

    /// `find` of each.
    pub fn find_batch(&self, addresses: &[u32], classes: &mut [ClassId]) {
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
