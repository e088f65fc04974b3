//! The shape of `gateway.toml`: sections with a place on every value, every key optional.

use std::ops::Range;

use lookup::document::{Document, section};
use serde::Deserialize;
use toml::Spanned;

section! {
    /// `[interface]`
    InterfaceText { outside: Spanned<String>, inside: Spanned<String>, }
}
section! {
    /// `[workers]`
    WorkersText {
        cores: Spanned<Vec<Spanned<u32>>>,
        mode: Spanned<String>,
        poll: Spanned<String>,
        frames: Spanned<u32>,
        flows: Spanned<u32>,
    }
}
section! {
    /// `[drops]`
    DropsText { path: Spanned<String>, rate: Spanned<u32>, }
}
section! {
    /// `[control]`
    ControlText { socket: Spanned<String>, metrics: Spanned<String>, }
}
section! {
    /// `[fail]`
    FailText { mode: Spanned<String>, }
}
