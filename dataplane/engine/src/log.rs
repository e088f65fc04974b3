//! The drop log's file: whole lines, each written once, or counted.
//!
//! ```text
//!  push --> | in the file | not yet |          one buffer; `done` is the border
//!                         ^ a write that the disk cut short goes on here
//! ```
//! Before each write the log looks whether its path still leads to its file. A log that was renamed
//! (logrotate) or removed is opened anew, without a signal; one that cannot be written (full disk,
//! stalled reader) keeps its lines until it can. It never blocks on a pipe, so a stop never waits for
//! one. Costs three system calls a write, and a write has up to 256 KiB.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::fs::OFlags;
use serde::Serialize;

use crate::say;

/// Bytes of lines that wait for one write.
const BUFFER_BYTES: usize = 1 << 18;
/// How long a log may take nothing before the operator hears of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `status` shows of the log.
#[derive(Debug, Default)]
pub(crate) struct LogState {
    unwritten: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl LogState {
    /// Records that were never written; final, at the end.
    pub(crate) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Why nothing can be written now.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.is_some() != trouble.is_some();
        *known = trouble;
        changed
    }
}

/// The file at a path, whichever that is.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are in the file.
    done: usize,
    /// Since when nothing can be written.
    stuck: Option<Instant>,
    state: Arc<LogState>,
}

impl Log {
    /// Opens the log for appending, and makes its folder where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(path: &Path, state: Arc<LogState>) -> io::Result<Self> {
        let file = Some(open(path)?);
        let buffer = Vec::with_capacity(2 * BUFFER_BYTES);
        Ok(Self { path: path.to_owned(), file, buffer, done: 0, stuck: None, state })
    }

    /// Whether it takes more lines before the next write.
    pub(crate) fn room(&self) -> bool {
        self.buffer.len() < BUFFER_BYTES
    }

    /// Takes one line.
    pub(crate) fn push(&mut self, line: &impl Serialize) {
        let whole = self.buffer.len();
        match serde_json::to_writer(&mut self.buffer, line) {
            Ok(()) => self.buffer.push(b'\n'),
            // Never in practice: a line has nothing that JSON cannot say.
            Err(_) => {
                self.buffer.truncate(whole);
                self.state.unwritten.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes what waits; `false` when some of it waits on.
    pub(crate) fn flush(&mut self) -> bool {
        match self.write() {
            Ok(()) => {
                self.stuck = None;
                if self.state.set_trouble(None) {
                    say(format_args!("the drop log {} is written again", self.path.display()));
                }
                true
            }
            Err(error) => {
                let since = *self.stuck.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    self.complain(&error);
                }
                false
            }
        }
    }

    /// The end: counts what was not written, `waiting` records in the rings among it, and leaves no
    /// half line behind.
    pub(crate) fn finish(mut self, waiting: u64) {
        self.recede();
        let lines = self.buffer[self.done..].iter().filter(|byte| **byte == b'\n').count();
        let unwritten = lines as u64 + waiting;
        if unwritten > 0 {
            self.state.unwritten.fetch_add(unwritten, Ordering::Relaxed);
            say(format_args!(
                "{unwritten} drop records could not be written to {}",
                self.path.display()
            ));
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.done < self.buffer.len() {
            self.follow()?;
            let Some(mut file) = self.file.as_ref() else { return Err(ErrorKind::NotFound.into()) };
            match file.write(&self.buffer[self.done..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.done += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // Removed between the look and the write: nobody will read that file.
            if self.file.as_ref().is_some_and(removed) {
                self.file = None;
                self.done = 0;
            }
        }
        self.buffer.clear();
        self.done = 0;
        Ok(())
    }

    /// The file that the path leads to now, opened anew where that is another one than before.
    fn follow(&mut self) -> io::Result<()> {
        let there = fs::metadata(&self.path).ok().as_ref().map(identity);
        let ours = self.file.as_ref().and_then(|file| file.metadata().ok());
        let ours = ours.as_ref().map(identity);
        if there.is_none() || there != ours {
            self.recede();
            // What is left belongs to the next file alone.
            self.buffer.drain(..self.done);
            self.done = 0;
            self.file = None;
            self.file = Some(open(&self.path)?);
        }
        Ok(())
    }

    /// Takes a half line back, from a file that gets no more of it; a removed file had none at all.
    fn recede(&mut self) {
        let Some(file) = &self.file else { return };
        if removed(file) {
            self.done = 0;
            return;
        }
        let in_file = &self.buffer[..self.done];
        let whole = in_file.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let half = (self.done - whole) as u64;
        if half > 0
            && let Ok(facts) = file.metadata()
            && facts.is_file()
        {
            // What cannot be cut off stays as a half line; the whole one follows elsewhere.
            let _ = file.set_len(facts.len().saturating_sub(half));
        }
        self.done = whole;
    }

    fn complain(&self, error: &io::Error) {
        let path = self.path.display();
        let trouble = format!(
            "the drop log {path} takes no records: {error}; they wait, and those that find no room \
             are counted as lost: free some space, or move the log away"
        );
        if self.state.set_trouble(Some(trouble.clone())) {
            say(trouble);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        fs::create_dir_all(folder)?;
    }
    // Not to wait for the reader of a pipe; for a file it means nothing.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().create(true).append(true).custom_flags(flags).open(path)
}

fn identity(facts: &Metadata) -> (u64, u64) {
    (facts.dev(), facts.ino())
}

fn removed(file: &File) -> bool {
    file.metadata().is_ok_and(|facts| facts.nlink() == 0)
}

#[cfg(test)]
mod tests;
