//! Bytes taken from the front, as a target needs them; an input that ends early gives zeros.

/// What is left of an input.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// Nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// At most `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// A byte that says how many follow, and those; 255 means all that are left.
    pub(crate) fn counted(&mut self) -> &'a [u8] {
        match self.byte() {
            255 => self.bytes(usize::MAX),
            count => self.bytes(count.into()),
        }
    }
}
