//! Small files below a root: `/`, or a folder that a test filled.
//!
//! What is not there is `None` or empty, and never an error: kernels and machines differ in what they
//! show, and whoever asks must have an answer for "unknown" anyway.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::list::listed;

/// Where `/sys` and `/proc` are read from.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The machine that this process runs on.
    #[must_use]
    pub fn host() -> Self {
        Self::at("/")
    }

    /// A tree of such files elsewhere.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a file of this tree lies; `path` is absolute, as on a machine.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text, without the white space around it.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        read(&self.path(path))
    }

    /// A file's one value.
    #[must_use]
    pub fn value<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// A file with a list of numbers (`0-3,8`); empty when it is not there.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<usize> {
        self.text(path).map(|text| listed(&text)).unwrap_or_default()
    }

    /// The names in a folder, in order.
    #[must_use]
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The last name of what a link points to.
    #[must_use]
    pub fn target(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }
}

/// A file's text, without the white space around it.
pub(crate) fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
