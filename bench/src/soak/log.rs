//! Rotating the drop log as logrotate does, and counting every line of what was moved away.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::error::system;
use crate::lab::records;

const EVERY: Duration = Duration::from_secs(60);

/// A log that is moved away now and then.
#[derive(Debug)]
pub(super) struct Rotation {
    path: PathBuf,
    turned: Duration,
    /// A log that was moved away at the last turn: by now its last line is there.
    moved: Option<PathBuf>,
    pub(super) rotations: u64,
    pub(super) lines: u64,
    pub(super) suppressed: u64,
}

impl Rotation {
    pub(super) fn new(path: PathBuf) -> Self {
        let turned = Duration::ZERO;
        Self { path, turned, moved: None, rotations: 0, lines: 0, suppressed: 0 }
    }

    /// Counts what was moved away the last time, and moves the log away when it is time.
    pub(super) fn turn(&mut self, at: Duration) -> Result<()> {
        if let Some(moved) = self.moved.take() {
            self.count(&moved)?;
        }
        if at < self.turned + EVERY {
            return Ok(());
        }
        self.turned = at;
        let moved = self.path.with_extension("jsonl.1");
        // A log that was not begun yet is moved at the next turn.
        if fs::rename(&self.path, &moved).is_ok() {
            self.rotations += 1;
            self.moved = Some(moved);
        }
        Ok(())
    }

    fn count(&mut self, path: &PathBuf) -> Result<()> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(system("read", &name))?;
        for record in records(&text)? {
            self.lines += 1;
            self.suppressed += record.palisade.suppressed;
        }
        fs::remove_file(path).map_err(system("remove", &name))
    }
}
