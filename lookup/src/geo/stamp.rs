//! What tells whether a file is the one that was read before, without reading it.
//!
//! The same inode with the same length and times holds the same bytes: every write moves the time of
//! change, which no program can set. Only a file that is written over in place, at the same length
//! and within the tick of the kernel's clock (4 ms at most) in which it was opened, would be missed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file as it was when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// Device and number of the inode.
    inode: (u64, u64),
    bytes: u64,
    /// Seconds and nanoseconds of the last write, and of the last change of anything.
    times: [(i64, i64); 2],
}

impl Stamp {
    pub(super) fn new(path: &Path, facts: &Metadata) -> Self {
        Self {
            path: path.into(),
            inode: (facts.dev(), facts.ino()),
            bytes: facts.len(),
            times: [(facts.mtime(), facts.mtime_nsec()), (facts.ctime(), facts.ctime_nsec())],
        }
    }

    /// When it was last written, in seconds since 1970.
    pub(super) fn written_secs(&self) -> i64 {
        self.times[0].0
    }

    /// Whether the file at a path is still this one.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.path == path && std::fs::metadata(path).is_ok_and(|it| Self::new(path, &it) == *self)
    }
}
