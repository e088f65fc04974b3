//! A folder of this process, for configurations and logs; removed at its end.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::duty::Duty;
use super::sweep;
use crate::Result;
use crate::error::system;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder that goes when this does.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _duty: Duty,
}

impl Scratch {
    /// Makes a folder that only its owner can read.
    pub(crate) fn new() -> Result<Self> {
        let name = sweep::name(NEXT.fetch_add(1, Ordering::Relaxed), "scratch");
        let path = std::env::temp_dir().join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(system("make folder", &path.display().to_string()))?;
        let theirs = path.clone();
        let duty = Duty::new(move || {
            let _ = fs::remove_dir_all(theirs);
        })?;
        Ok(Self { path, _duty: duty })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
