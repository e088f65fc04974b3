//! Runs the system's own tools: `ip`, `ethtool`, `nft`, `ping`.

use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Runs a command line, split at white space (no shell), and returns what it printed.
///
/// # Errors
/// When it does not start or does not exit with 0.
pub fn run(line: &str) -> Result<String> {
    let mut words = line.split_ascii_whitespace();
    let program = words.next().unwrap_or_default();
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start { command: line.to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if message.is_empty() {
        message = output.status.to_string();
    }
    Err(Error::Command { command: line.to_owned(), message })
}
