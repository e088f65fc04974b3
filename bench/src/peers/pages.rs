//! Huge pages for the length of a comparison, for all peers alike.

use std::fs;

use crate::Result;
use crate::error::system;

const SETTING: &str = "/proc/sys/vm/nr_hugepages";

/// Reserved huge pages; given back when dropped.
#[derive(Debug)]
pub struct HugePages {
    before: String,
}

impl HugePages {
    /// Sees to it that so many pages are reserved.
    ///
    /// # Errors
    /// When the setting cannot be written.
    pub fn reserve(pages: u32) -> Result<Self> {
        let before = fs::read_to_string(SETTING).map_err(system("read", SETTING))?;
        if before.trim().parse::<u32>().unwrap_or(0) < pages {
            fs::write(SETTING, pages.to_string()).map_err(system("write", SETTING))?;
        }
        Ok(Self { before })
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let _ = fs::write(SETTING, self.before.trim());
    }
}
