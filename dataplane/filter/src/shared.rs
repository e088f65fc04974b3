//! What all workers share: pinholes and fragments.

/// State that every worker reads and writes, lock-free: which connections were opened from the
/// inside, and which first fragments were allowed.
#[derive(Debug)]
pub struct Shared {}

impl Shared {
    /// Room for `flows` connections opened from the inside, over all workers; `key` is secret and
    /// random.
    #[must_use]
    pub fn new(_flows: usize, _key: [u8; 16]) -> Self {
        Self {}
    }
}
