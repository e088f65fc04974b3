//! A ruleset into force, its entry into the history, and both onto the disk.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lookup::{GeoInfo, Revision, Ruleset};

use super::{Book, Desk, Note, Wait, file, lock, moment};
use crate::history::{Confirmation, Database, Entry, EntryFacts};
use crate::publish::Taken;

/// How long workers may take to take a ruleset: many times their longest sleep.
const EFFECT: Duration = Duration::from_secs(1);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_micros(100);

/// How the policy stands, for `status`.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The ruleset in force.
    pub(crate) ruleset: Arc<Ruleset>,
    /// What waits for its confirmation.
    pub(crate) pending: Option<Wait>,
    /// The policy's file says something else than what is in force.
    pub(crate) differs: bool,
    /// Revisions in the history.
    pub(crate) history: usize,
    /// Revisions that could not be written to the disk.
    pub(crate) unwritten: u64,
    /// What is wrong with the history on disk.
    pub(crate) troubles: Vec<String>,
}

impl Desk {
    /// Puts a ruleset in force under the next number, and notes it.
    pub(super) fn publish(
        &self,
        book: &mut Book,
        note: &Note,
        ruleset: Ruleset,
        policy: String,
    ) -> Arc<Entry> {
        let revision = book.publisher.next_revision();
        // An exception ended, or a trial did, while this one was compiled.
        let ruleset =
            if ruleset.revision() == revision { ruleset } else { ruleset.at(moment(), revision) };
        let entry = Arc::new(note.entry(&ruleset, policy));
        self.legends.add(revision, Arc::clone(ruleset.legend()));
        book.publisher.publish(ruleset);
        book.history.add(Arc::clone(&entry));
        entry
    }

    /// Waits until every worker judges by a revision; how long that took, or nothing when one did not
    /// take it in a second: the gateway waits for an interface, or a worker has no core.
    pub(super) fn effect(&self, revision: u32) -> Option<Duration> {
        let taken = self.taken();
        let begun = Instant::now();
        while !taken.by_all(Revision(revision)) {
            if begun.elapsed() > EFFECT {
                return None;
            }
            thread::sleep(LOOK);
        }
        Some(begun.elapsed())
    }

    /// What each worker judges by, by queue.
    pub(crate) fn taken(&self) -> Taken {
        lock(&self.book).publisher.taken()
    }

    /// Writes an entry to the disk, if there is a history there; what went wrong.
    pub(super) fn shelve(&self, entry: &Entry) -> Option<String> {
        let shelf = lock(self.shelf.as_ref()?);
        let (entry, oldest) = {
            let history = &lock(&self.book).history;
            // It may have been confirmed meanwhile.
            let newest = history.find(entry.facts.revision).map(|entry| &**entry);
            (newest.unwrap_or(entry).clone(), history.oldest())
        };
        let written = shelf.write(&entry);
        shelf.prune(oldest.unwrap_or(0));
        drop(shelf);
        let mut book = lock(&self.book);
        match written {
            Ok(()) => {
                book.trouble = None;
                None
            }
            Err(error) => {
                book.unwritten += 1;
                let revision = entry.facts.revision;
                let trouble = format!(
                    "revision {revision} is in force, but not in the history on disk: {error}"
                );
                book.trouble = Some(trouble.clone());
                Some(trouble)
            }
        }
    }

    /// Makes an entry's text the policy's file; what went wrong, and what stood there that was never in
    /// force.
    pub(super) fn settle(&self, entry: &Entry) -> Option<String> {
        let known = |text: &str| text == entry.policy || lock(&self.book).history.has(text);
        let kept = file::keep(&self.policy, entry.facts.revision, known);
        let done = kept.and_then(|kept| {
            file::replace(&self.policy, &entry.policy)?;
            Ok(kept)
        });
        let path = self.policy.display();
        match done {
            Ok(kept) => kept.map(|kept| {
                let kept = kept.display();
                format!("{path} held an edit that was never in force; it is kept as {kept}")
            }),
            Err(error) => Some(format!(
                "the policy is in force, but {path} could not be written, and a restart would bring back \
                 what stands there: {error}"
            )),
        }
    }

    /// How the policy stands.
    pub(crate) fn standing(&self) -> Standing {
        let (standing, text) = {
            let mut book = lock(&self.book);
            book.publisher.collect();
            let standing = Standing {
                ruleset: book.publisher.current(),
                pending: book.waiting.wait(Instant::now()),
                differs: false,
                history: book.history.len(),
                unwritten: book.unwritten,
                troubles: self.past.iter().chain(&book.trouble).cloned().collect(),
            };
            (standing, book.history.last().map(Arc::clone))
        };
        // The file may be large, or its disk slow: nobody waits behind this but another `status`.
        let differs = text.is_some_and(|entry| {
            lock(&self.seen).differs(&self.policy, entry.facts.revision, &entry.policy)
        });
        Standing { differs, ..standing }
    }

    /// The revision in force, and whether it waits for a confirmation.
    pub(crate) fn in_force(&self) -> (u32, bool) {
        let book = lock(&self.book);
        (book.publisher.current().revision().0, book.waiting.wait(Instant::now()).is_some())
    }

    /// The history without its policies, newest first, and which of them is on trial.
    pub(crate) fn history(&self) -> (Vec<EntryFacts>, Option<u32>) {
        let book = lock(&self.book);
        let pending = book.waiting.wait(Instant::now()).map(|wait| wait.revision);
        (book.history.facts(), pending)
    }

    /// One revision of the history.
    pub(crate) fn entry(&self, revision: u32) -> Option<Arc<Entry>> {
        lock(&self.book).history.find(revision).map(Arc::clone)
    }
}

impl Note {
    /// The entry of a ruleset that comes into force now.
    pub(super) fn entry(&self, ruleset: &Ruleset, policy: String) -> Entry {
        let Self { how, who, why, back_to, confirm, changes } = self.clone();
        let geo = ruleset.geo();
        let country = database("country", &geo.country);
        let asn = geo.asn.as_ref().map(|info| database("asn", info));
        let facts = EntryFacts {
            revision: ruleset.revision().0,
            time: Timestamp::now().to_string(),
            how,
            who,
            why,
            back_to,
            confirm: confirm.map(|within| Confirmation { within_s: within.as_secs(), by: None }),
            databases: std::iter::once(country).chain(asn).collect(),
        };
        Entry { facts, changes, policy }.plain()
    }
}

fn database(kind: &str, info: &GeoInfo) -> Database {
    let build = info.build_epoch_secs.and_then(|seconds| i64::try_from(seconds).ok());
    let build = build.and_then(|seconds| Timestamp::from_second(seconds).ok());
    Database {
        kind: kind.to_owned(),
        source: info.source.clone(),
        build: build.map(|time| time.to_string()),
    }
}
