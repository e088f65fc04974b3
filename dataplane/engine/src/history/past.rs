//! What a start finds of the gateways before it. Nothing that is wrong with it stops the start.

use lookup::Revision;

use super::{Entry, Shelf};
use crate::config::HistoryConfig;

/// The history before this start.
#[derive(Debug)]
pub(crate) struct Past {
    /// The newest entries, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// The number of the first ruleset.
    pub(crate) first: Revision,
    /// Revisions to keep.
    pub(crate) keep: usize,
    /// Where the next are written.
    pub(crate) shelf: Option<Shelf>,
    /// What is wrong with it.
    pub(crate) trouble: Option<String>,
}

impl Past {
    /// Opens the folder that is configured, if any.
    pub(crate) fn open(config: &HistoryConfig) -> Self {
        let keep = config.keep;
        let none =
            Self { entries: Vec::new(), first: Revision(1), keep, shelf: None, trouble: None };
        let Some(path) = &config.path else { return none };
        let shelf = match Shelf::open(path) {
            Ok(shelf) => shelf,
            Err(error) => {
                let trouble = Some(format!(
                    "the history is kept in memory alone: {} cannot be opened: {error}",
                    path.display()
                ));
                return Self { trouble, ..none };
            }
        };
        let found = shelf.read(keep);
        let trouble = (found.strange > 0).then(|| {
            format!(
                "{} file(s) in {} are no revisions, and were left",
                found.strange,
                path.display()
            )
        });
        let first = Revision(found.last + 1);
        Self { entries: found.entries, first, keep, shelf: Some(shelf), trouble }
    }
}
