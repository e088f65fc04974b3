//! When a log is begun anew by the gateway itself, and where the old ones go.
//!
//! ```text
//!  drops.jsonl.2 -> .3    drops.jsonl.1 -> .2    drops.jsonl -> .1    (a new drops.jsonl)
//! ```
//! It is asked only between two writes, when the file ends with a whole line, by the thread that
//! writes: so no line is lost or cut. What cannot be renamed is written to on.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::Log;
use crate::{clock::unix_ns, config::Rotate, say};

/// What is remembered between two writes.
#[derive(Debug)]
pub(super) struct Rotation {
    rotate: Option<Rotate>,
    /// How often somebody had asked when the log was last begun anew.
    turns: u64,
    /// The rename fails, and the operator knows.
    refused: bool,
}

impl Rotation {
    pub(super) fn new(rotate: Option<Rotate>) -> Self {
        Self { rotate, turns: 0, refused: false }
    }

    /// Whether the file is to be left before `more` bytes are written to it.
    fn due(&self, file: &File, more: usize) -> io::Result<bool> {
        let Some(rotate) = self.rotate else { return Ok(false) };
        if more == 0 {
            return Ok(false);
        }
        let facts = file.metadata()?;
        let full = rotate.size_bytes.is_some_and(|limit| facts.len() + more as u64 > limit);
        let old = match rotate.every {
            None => false,
            Some(every) => period(facts.modified()?, every) != period_now(every),
        };
        Ok(facts.is_file() && facts.len() > 0 && (full || old))
    }
}

/// Which multiple of `every` since 1970 UTC a moment is in.
fn period(moment: SystemTime, every: Duration) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / every.as_secs().max(1))
}

fn period_now(every: Duration) -> u64 {
    unix_ns() / 1_000_000_000 / every.as_secs().max(1)
}

impl Log {
    /// Begins a new file where that is due or was asked for; the write that follows makes it.
    pub(super) fn turn(&mut self, turns: u64) {
        let asked = std::mem::replace(&mut self.rotation.turns, turns) != turns;
        let Some(file) = &self.file else { return };
        let due = asked || self.rotation.due(file, self.buffer.len()).unwrap_or(false);
        if !due {
            return;
        }
        let plain = file.metadata().is_ok_and(|facts| facts.is_file() && facts.len() > 0);
        let moved = match self.rotation.rotate {
            Some(rotate) if plain => shift(&self.path, rotate.keep),
            _ => Ok(()),
        };
        match moved {
            Ok(()) => {
                self.file = None;
                self.rotation.refused = false;
                // Asked by a signal, the new file is there before anybody looks.
                if asked && let Err(error) = self.follow() {
                    say(format_args!("cannot open {}: {error}", self.path.display()));
                }
            }
            Err(error) if !std::mem::replace(&mut self.rotation.refused, true) => {
                let path = self.path.display();
                say(format_args!("cannot rename {path}: {error}; it is written to on"));
            }
            Err(_) => {}
        }
    }
}

/// Renames a log to `.1`, `.1` to `.2` and so on; the oldest gives way. A link's target is renamed.
fn shift(path: &Path, keep: u32) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        // Somebody else has moved it away meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        path => path?,
    };
    let last = (1..keep).find(|number| !numbered(&path, *number).exists()).unwrap_or(keep);
    for number in (1..last).rev() {
        fs::rename(numbered(&path, number), numbered(&path, number + 1))?;
    }
    fs::rename(&path, numbered(&path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}
