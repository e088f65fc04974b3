//! The drop log's file: whole lines, each written once, or counted.
//!
//! ```text
//!  push --> | in the file | not yet |          one buffer; `done` is the border
//!                         ^ a write that the disk cut short goes on here
//! ```
//! Before each write the log looks whether its path still leads to its file. A log that was renamed
//! (logrotate) or removed is opened anew, without a signal; one that cannot be written (full disk,
//! stalled reader) keeps its lines until it can. It never blocks on a pipe, so a stop never waits for
//! one. Between two writes, when no line is cut, it may begin a new file by itself: see [`rotation`].
//! Costs three system calls a write, and a write has up to 256 KiB.

mod rotation;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use self::rotation::Rotation;
use crate::{config::Rotate, ledger::Account, say};

/// How long a log may take nothing before the operator hears of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file at a path, whichever that is.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are in the file.
    done: usize,
    rotation: Rotation,
    /// Since when nothing can be written.
    stuck: Option<Instant>,
    /// What it takes no lines for, once that is worth a word.
    trouble: Option<String>,
    account: Arc<Account>,
}

impl Log {
    /// The log at `path`, which is opened with the first line.
    pub(crate) fn new(path: PathBuf, rotate: Option<Rotate>, account: Arc<Account>) -> Self {
        Self {
            path,
            file: None,
            buffer: Vec::new(),
            done: 0,
            rotation: Rotation::new(rotate),
            stuck: None,
            trouble: None,
            account,
        }
    }

    /// Opens it now, and makes its folder where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(mut self) -> io::Result<Self> {
        self.follow()?;
        Ok(self)
    }

    /// Bytes of lines that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Takes one line, whole, with its end.
    pub(crate) fn push(&mut self, line: &[u8]) {
        self.buffer.extend_from_slice(line);
    }

    /// What it takes no lines for.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Writes what waits; `false` when some of it waits on. `turns` is how often somebody asked so far
    /// for the log to be begun anew.
    pub(crate) fn flush(&mut self, turns: u64) -> bool {
        if self.done == 0 {
            self.turn(turns);
        }
        match self.write() {
            Ok(()) => {
                self.stuck = None;
                if self.trouble.take().is_some() {
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

    /// The end: counts what was not written, and leaves no half line behind.
    pub(crate) fn finish(mut self) -> u64 {
        self.recede();
        let unwritten = lines(&self.buffer[self.done..]);
        self.account.write(lines(&self.buffer[..self.done]));
        self.account.lose(unwritten);
        unwritten
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
        if self.done > 0 {
            self.account.write(lines(&self.buffer));
            self.buffer.clear();
            self.done = 0;
        }
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
            self.account.write(lines(&self.buffer[..self.done]));
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

    fn complain(&mut self, error: &io::Error) {
        let path = self.path.display();
        let trouble = format!(
            "the drop log {path} takes no records: {error}; they wait, and those that find no room \
             are counted as lost: free some space, or move the log away"
        );
        if self.trouble.replace(trouble.clone()).is_none() {
            say(trouble);
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
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
