//! What all workers share.

use crate::fragment::Fragments;
use crate::neighbour::Neighbours;
use crate::pinhole::Pinholes;

/// State that every worker reads and writes, lock-free: which connections were opened from the
/// inside, which datagrams' first fragments were forwarded, and who is on the outside's link.
#[derive(Debug)]
pub struct Shared {
    pub(crate) pinholes: Pinholes,
    pub(crate) fragments: Fragments,
    pub(crate) neighbours: Neighbours,
}

impl Shared {
    /// Room for `flows` connections opened from the inside, over all workers, 32 bytes each, and for
    /// a quarter as many fragmented datagrams, 16 bytes each; `key` is secret and random.
    #[must_use]
    pub fn new(flows: usize, key: [u8; 16]) -> Self {
        Self {
            pinholes: Pinholes::new(flows, &key),
            fragments: Fragments::new(flows, &key),
            neighbours: Neighbours::new(&key),
        }
    }
}
