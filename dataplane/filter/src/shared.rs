//! What all workers share.

use crate::fragment::Fragments;
use crate::pinhole::Pinholes;

/// State that every worker reads and writes, lock-free: which connections were opened from the
/// inside, and which datagrams' first fragments were forwarded.
#[derive(Debug)]
pub struct Shared {
    pub(crate) pinholes: Pinholes,
    pub(crate) fragments: Fragments,
}

impl Shared {
    /// Room for `flows` connections opened from the inside, over all workers, 32 bytes each; `key`
    /// is secret and random.
    #[must_use]
    pub fn new(flows: usize, key: [u8; 16]) -> Self {
        Self { pinholes: Pinholes::new(flows, &key), fragments: Fragments::new(&key) }
    }
}
