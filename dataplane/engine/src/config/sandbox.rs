//! `[sandbox]`: what the process gives up once it is set up.

use std::path::{Path, PathBuf};

use lookup::document::Document;
use toml::Spanned;

use super::{choice, text::SandboxText};

/// How the sandbox is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// What is not needed is refused.
    #[default]
    Enforce,
    /// System calls that are not needed are written to the kernel's log; files are free. For debugging.
    Log,
    /// Everything stays open. For debugging.
    Off,
}

/// `[sandbox]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxConfig {
    /// How it is closed.
    pub mode: SandboxMode,
    /// Folders that may be read beside those of the first policy's files; without a list all may.
    pub read: Option<Vec<PathBuf>>,
}

const MODES: [(&str, SandboxMode); 3] =
    [("enforce", SandboxMode::Enforce), ("log", SandboxMode::Log), ("off", SandboxMode::Off)];

impl SandboxMode {
    /// The word in gateway.toml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

impl SandboxConfig {
    pub(super) fn read(document: &mut Document, text: SandboxText, folder: &Path) -> Self {
        let read = text.read.map(Spanned::into_inner);
        let within = |path: Spanned<String>| folder.join(path.into_inner());
        Self {
            mode: choice(document, text.mode, "sandbox mode", &MODES),
            read: read.map(|paths| paths.into_iter().map(within).collect()),
        }
    }
}
