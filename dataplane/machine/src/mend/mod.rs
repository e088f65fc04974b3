//! Mending what checks found, and putting it back.
//!
//! ```text
//!  change --read what is--> entry, written and synced --run the command--> read again
//!                              |
//!  undo   <--last one first----'   what is there now?   the entry's `to`   -> write `was`
//!                                                       the entry's `was`  -> nothing to do
//!                                                       anything else      -> somebody's: leave it
//! ```
//! An entry is on the disk before its command runs, so whatever moment a process is killed at, the next
//! one knows what there may be to put back. The book lies under `/run`: what it tells of, settings of
//! the kernel, ends with the boot, and so does the book.

mod book;
mod host;
#[cfg(test)]
mod tests;
mod undo;

use std::{io, path::PathBuf};

pub use book::{Book, Entry, Mark};
pub use host::Host;
pub use undo::{Fate, undo};

use crate::setting::{Change, Setting};

/// Where the book is kept, unless told otherwise.
pub const BOOK: &str = "/run/palisade-doctor.json";

/// Why nothing could be mended, or put back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The book can't be read or written.
    #[error("cannot {operation} {path}: {source}; {hint}")]
    Book {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// The way out.
        hint: &'static str,
    },
    /// The book is none.
    #[error(
        "{path} is not what palisade doctor wrote ({source}): look at it, and remove it; what it told \
         of stays as it is"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another process is mending.
    #[error("another palisade doctor is at work ({path} is locked): wait for it")]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// A setting can't be read, changed, or does not take the value.
    #[error("cannot set {setting} to {to}: {source}")]
    Setting {
        /// The setting.
        setting: Setting,
        /// The value.
        to: String,
        /// What the kernel or the command said.
        source: io::Error,
    },
}

/// A machine whose settings can be changed.
pub trait Machine {
    /// A setting's value.
    ///
    /// # Errors
    /// When it has no such setting, or does not say.
    fn read(&self, setting: &Setting) -> io::Result<String>;

    /// Gives it another one.
    ///
    /// # Errors
    /// When it refuses.
    fn write(&mut self, setting: &Setting, to: &str) -> io::Result<()>;

    /// What tells an interface from another one of its name; none where there is none.
    fn mark(&self, link: &str) -> Option<Mark>;
}

/// Makes a change, and remembers what was before it.
///
/// # Errors
/// When the setting can't be read (then it is not touched), or does not take the value; what it took
/// instead is remembered.
pub fn apply(book: &mut Book, machine: &mut dyn Machine, change: &Change) -> Result<(), Error> {
    let Change { setting, to } = change;
    let failed = |source| Error::Setting { setting: setting.clone(), to: to.clone(), source };
    let was = machine.read(setting).map_err(failed)?;
    if was == *to {
        return Ok(());
    }
    let mark = setting.link().and_then(|link| machine.mark(link));
    book.note(setting, &was, to, mark)?;
    let written = machine.write(setting, to);
    let now = machine.read(setting).map_err(failed)?;
    if now == *to && written.is_ok() {
        return Ok(());
    }
    // Refused as a whole, there is nothing to put back; in part, that part.
    book.took(setting, &now)?;
    let short = || io::Error::other(format!("it is {now} now"));
    Err(failed(written.err().unwrap_or_else(short)))
}
