//! Reads a corpus: the inputs of a target in one file, as `pack.py` writes it.

use std::path::Path;

/// The inputs of a packed corpus; none where there is no file.
///
/// # Panics
/// When the file is cut off: it is part of the tests.
#[must_use]
pub fn unpack(path: &Path) -> Vec<Vec<u8>> {
    let whole = std::fs::read(path).unwrap_or_default();
    let (mut rest, mut inputs) = (whole.as_slice(), Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let (input, tail) = tail.split_at_checked(length).expect("a whole corpus");
        inputs.push(input.to_vec());
        rest = tail;
    }
    assert!(rest.is_empty(), "a whole corpus");
    inputs
}
