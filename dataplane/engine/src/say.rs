//! Words to the operator, on standard error.
//!
//! `eprintln!` panics where it cannot write: a full disk under a redirected standard error would end
//! the thread that has something to say about it. Here only the words are lost.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says something in one write, `palisade: ` before it.
pub fn say(words: impl Display) {
    // Nobody is left to hear that nobody hears.
    let _ = io::stderr().write_all(format!("palisade: {words}\n").as_bytes());
}
