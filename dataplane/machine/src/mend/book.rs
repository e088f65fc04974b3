//! The book of what was changed: one JSON file, for root alone, written whole and renamed into place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::setting::{Change, Setting};

/// What tells an interface from another one of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its index: the kernel gives none twice between two boots, unless it is asked to.
    pub index: u32,
    /// Its permanent address; empty for a virtual one.
    pub address: String,
}

/// One setting that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The setting.
    pub setting: Setting,
    /// Its value before the first change.
    pub was: String,
    /// The value that it was given last.
    pub to: String,
    /// The interface that it belongs to, if it belongs to one.
    pub mark: Option<Mark>,
}

impl Entry {
    /// What puts it back.
    #[must_use]
    pub fn back(&self) -> Change {
        Change { setting: self.setting.clone(), to: self.was.clone() }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Page {
    /// The boot that all this was in: settings of an earlier one are gone.
    boot: String,
    changes: Vec<Entry>,
}

/// The open book; locked until it is dropped.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    page: Page,
    _lock: File,
}

impl Book {
    /// Opens the book at `path`, which need not be there yet. `boot` is this boot's id: a book of an
    /// earlier boot is begun anew.
    ///
    /// # Errors
    /// When another process has it open, or it can't be read or is none.
    pub fn open(path: &Path, boot: &str) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(folder);
            made.map_err(failed("make the folder of", path))?;
        }
        let lock = lock(path)?;
        let page = match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|source| Error::Damaged { path: path.to_owned(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Page::default(),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let changes = if page.boot == boot { page.changes } else { Vec::new() };
        let page = Page { boot: boot.to_owned(), changes };
        Ok(Self { path: path.to_owned(), page, _lock: lock })
    }

    /// What was changed, in this order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.page.changes
    }

    /// Notes a change before it is made. What was before the first of several is kept, unless somebody
    /// else has changed it between them: then that is what was found.
    pub(super) fn note(
        &mut self,
        setting: &Setting,
        was: &str,
        to: &str,
        mark: Option<Mark>,
    ) -> Result<(), Error> {
        let changes = &mut self.page.changes;
        let known = changes.iter().position(|entry| entry.setting == *setting);
        let before = known.map(|place| changes.remove(place));
        let first = before.filter(|entry| entry.to == was && entry.mark == mark);
        let was = first.map_or_else(|| was.to_owned(), |entry| entry.was);
        let (setting, to) = (setting.clone(), to.to_owned());
        changes.push(Entry { setting, was, to, mark });
        self.write()
    }

    /// A change that was noted came out otherwise: this is what the setting took.
    pub(super) fn took(&mut self, setting: &Setting, now: &str) -> Result<(), Error> {
        for entry in &mut self.page.changes {
            if entry.setting == *setting {
                now.clone_into(&mut entry.to);
            }
        }
        self.page.changes.retain(|entry| entry.was != entry.to);
        self.write()
    }

    /// Takes an entry out.
    pub(super) fn strike(&mut self, entry: &Entry) -> Result<(), Error> {
        self.page.changes.retain(|other| other != entry);
        self.write()
    }

    /// Writes the book, or removes it when it is empty.
    fn write(&self) -> Result<(), Error> {
        let failed = |error| failed("write", &self.path)(error);
        if self.page.changes.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            };
        }
        let next = beside(&self.path, ".next");
        let text = serde_json::to_string_pretty(&self.page)
            .map_err(|source| Error::Damaged { path: self.path.clone(), source })?;
        let written = private(&next, true)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&next, &self.path));
        written.map_err(failed)
    }
}

/// Waits for nobody: two at once would mend the same things.
fn lock(path: &Path) -> Result<File, Error> {
    let lock = beside(path, ".lock");
    let file = private(&lock, false).map_err(failed("open", &lock))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path: lock }),
        Err(errno) => Err(failed("lock", &lock)(errno.into())),
    }
}

/// A file for its owner alone, which is no link to somewhere else.
fn private(path: &Path, empty: bool) -> io::Result<File> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(empty).mode(0o600).custom_flags(nofollow);
    options.open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => "run it as root",
            _ => "--state FILE names another place",
        };
        Error::Book { operation, path, source, hint }
    }
}
