//! What was in force, since when, by whom and why.
//!
//! ```text
//!  change --> Entry --> History (memory, bounded) --> status, `palisade history`
//!                 `---> Shelf (a file a revision, where [history] path is given)
//! ```
//! The memory is what is asked; the files are read at a start and written behind each change, so
//! that a disk that is full, slow or gone never stands before a change.

mod entry;
mod past;
mod shelf;
#[cfg(test)]
mod tests;
mod who;

use std::collections::VecDeque;
use std::sync::Arc;

pub use entry::{Confirmation, Database, Entry, EntryFacts, How};
pub(crate) use past::Past;
pub(crate) use shelf::{Shelf, Ticket};
pub use who::Who;
pub(crate) use who::{NAMES, group, member};

/// The text of all entries together, bytes; the newest entry is kept whatever its size.
const TEXT_BYTES: usize = 64 << 20;

/// The revisions of late, oldest first.
#[derive(Debug)]
pub(crate) struct History {
    entries: VecDeque<Arc<Entry>>,
    keep: usize,
    text_bytes: usize,
}

impl History {
    /// At most `keep` revisions, and at least one.
    pub(crate) fn new(keep: usize, entries: Vec<Entry>) -> Self {
        let mut history = Self { entries: VecDeque::new(), keep: keep.max(1), text_bytes: 0 };
        entries.into_iter().for_each(|entry| history.add(Arc::new(entry)));
        history
    }

    /// Adds the newest; the oldest go when there are too many, or too much text.
    pub(crate) fn add(&mut self, entry: Arc<Entry>) {
        self.text_bytes += entry.policy.len();
        self.entries.push_back(entry);
        while self.entries.len() > self.keep
            || self.text_bytes > TEXT_BYTES && self.entries.len() > 1
        {
            let gone = self.entries.pop_front();
            self.text_bytes -= gone.map_or(0, |entry| entry.policy.len());
        }
    }

    /// Writes the confirmation into an entry; the entry as it is then.
    pub(crate) fn confirm(&mut self, revision: u32, by: Who) -> Option<Arc<Entry>> {
        let entry = self.entries.iter_mut().find(|entry| entry.facts.revision == revision)?;
        let mut confirmed = Entry::clone(entry);
        confirmed.facts.confirm.as_mut()?.by = Some(by);
        *entry = Arc::new(confirmed);
        Some(Arc::clone(entry))
    }

    /// The entry of a revision.
    pub(crate) fn find(&self, revision: u32) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| entry.facts.revision == revision)
    }

    /// The entry of what is in force.
    pub(crate) fn last(&self) -> Option<&Arc<Entry>> {
        self.entries.back()
    }

    /// The newest entry with another policy than that in force, of those that needed no confirmation
    /// or got it.
    pub(crate) fn before(&self) -> Option<&Arc<Entry>> {
        let last = self.last()?;
        let stood = |entry: &Entry| entry.facts.confirm.as_ref().is_none_or(|c| c.by.is_some());
        self.entries.iter().rev().find(|entry| entry.policy != last.policy && stood(entry))
    }

    /// Whether a text is that of some revision.
    pub(crate) fn has(&self, policy: &str) -> bool {
        self.entries.iter().any(|entry| entry.policy == policy)
    }

    /// The text of the policy in force.
    pub(crate) fn policy(&self) -> String {
        self.last().map(|entry| entry.policy.clone()).unwrap_or_default()
    }

    /// The oldest revision that is kept.
    pub(crate) fn oldest(&self) -> Option<u32> {
        self.entries.front().map(|entry| entry.facts.revision)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All but the texts, newest first.
    pub(crate) fn facts(&self) -> Vec<EntryFacts> {
        self.entries.iter().rev().map(|entry| entry.facts.clone()).collect()
    }
}
