//! Words for people and scripts. Where nobody takes them (a full disk, a closed pipe) only the words
//! are lost: the exit status stays what the contract says, and `println!` would panic.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// A line on standard output.
pub(crate) fn tell(words: impl Display) {
    let _ = io::stdout().write_all(format!("{words}\n").as_bytes());
}

/// A line on standard error.
pub(crate) fn warn(words: impl Display) {
    let _ = io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// A reader that went away (`palisade status | head`) is no failure.
pub(crate) fn written(result: io::Result<()>) -> ExitCode {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
