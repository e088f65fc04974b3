//! Huge pages for the length of a comparison, for all peers alike; or none, for a test.

use std::fs;

use crate::Result;
use crate::error::system;
use crate::lab::Duty;

const SETTING: &str = "/proc/sys/vm/nr_hugepages";
/// Of 2 MiB: twice what testpmd takes, so that nobody goes without.
const FOR_PEERS: u32 = 512;

/// A number of huge pages; what was there before comes back when this is dropped.
#[derive(Debug)]
pub struct HugePages {
    _duty: Duty,
}

impl HugePages {
    /// Sees to it that every peer finds what it takes.
    ///
    /// # Errors
    /// When the setting cannot be read or written.
    pub fn for_peers() -> Result<Self> {
        Self::reserve(FOR_PEERS)
    }

    /// Sees to it that so many pages are reserved at least.
    ///
    /// # Errors
    /// When the setting cannot be read or written.
    pub fn reserve(pages: u32) -> Result<Self> {
        Self::change(|before| before.max(pages))
    }

    /// Sees to it that no free page is left.
    ///
    /// # Errors
    /// When the setting cannot be read or written.
    pub fn none() -> Result<Self> {
        Self::change(|_| 0)
    }

    fn change(wanted: impl FnOnce(u32) -> u32) -> Result<Self> {
        let before = fs::read_to_string(SETTING).map_err(system("read", SETTING))?;
        let pages = wanted(before.trim().parse().unwrap_or(0));
        fs::write(SETTING, pages.to_string()).map_err(system("write", SETTING))?;
        let duty = Duty::new(move || {
            let _ = fs::write(SETTING, before.trim());
        })?;
        Ok(Self { _duty: duty })
    }
}
