//! Address to [`ClassId`], for both families: what a worker asks for every new flow.

mod burst;
mod dir24_8;
mod error;
mod grow;
mod packed;
mod six;

pub use dir24_8::Dir24_8;
pub use error::TableError;
pub use six::Six;

use crate::{ClassId, Ranges};

/// The classes of all addresses, compiled for lookup.
#[derive(Debug)]
pub struct ClassTable {
    v4: Dir24_8,
    v6: Six,
}

impl ClassTable {
    /// Compiles the two covers. Classes are dense from 0, so that they fit an entry.
    ///
    /// # Errors
    /// A cover with more classes or ranges than the tables' entries can count.
    pub fn compile(
        v4: &Ranges<u32, ClassId>,
        v6: &Ranges<u128, ClassId>,
    ) -> Result<Self, TableError> {
        Ok(Self { v4: Dir24_8::compile(v4)?, v6: Six::compile(v6)? })
    }

    /// The class of one IPv4 address (host byte order).
    #[must_use]
    #[inline]
    pub fn class_v4(&self, address: u32) -> ClassId {
        self.v4.find(address)
    }

    /// The class of one IPv6 address (host byte order).
    #[must_use]
    #[inline]
    pub fn class_v6(&self, address: u128) -> ClassId {
        self.v6.find(address)
    }

    /// The classes of a batch of IPv4 addresses: `class_v4` of each. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn classes_v4(&self, addresses: &[u32], classes: &mut [ClassId]) {
        self.v4.find_batch(addresses, classes);
    }

    /// The classes of a batch of IPv6 addresses: `class_v6` of each, under the same rule.
    #[inline]
    pub fn classes_v6(&self, addresses: &[u128], classes: &mut [ClassId]) {
        self.v6.find_batch(addresses, classes);
    }

    /// The memory behind both tables.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
