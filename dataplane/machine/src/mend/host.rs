//! The machine that this process runs on, as one whose settings can be changed.

use std::io;

use af_xdp_rs::Interface;

use super::{Machine, Mark};
use crate::{Setting, Tree, setting::hex};

/// See the module.
#[derive(Debug)]
pub struct Host {
    tree: Tree,
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn new(tree: Tree) -> Self {
        Self { tree }
    }

    /// The id of this boot.
    #[must_use]
    pub fn boot(&self) -> String {
        self.tree.text("/proc/sys/kernel/random/boot_id").unwrap_or_default()
    }
}

impl Machine for Host {
    fn read(&self, setting: &Setting) -> io::Result<String> {
        setting.read(&self.tree)
    }

    fn write(&mut self, setting: &Setting, to: &str) -> io::Result<()> {
        setting.write(&self.tree, to)
    }

    fn mark(&self, link: &str) -> Option<Mark> {
        let found = Interface::find(link).ok()?;
        let address = hex(&found.wire().ok()?.permanent);
        Some(Mark { index: found.index, address })
    }
}
