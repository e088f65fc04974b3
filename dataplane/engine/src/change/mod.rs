//! Changes of the policy in force: one at a time, each into the history, some on trial.
//!
//! ```text
//!  reload, apply, rollback --loading--> compile --> checks --book--> publish --> wait for workers
//!  confirm, go back, an exception ends ----------------------book--> publish        |
//!                                                                      |            v
//!                                                     policy file, history file <-- answer
//! ```
//! `loading` is held while a policy is compiled, a good part of a second; `book` for moments, so that
//! `status`, a confirmation and the end of an exception never wait for a compilation. A ruleset gets
//! its number when it is published: what was published during a compilation takes none away.
//!
//! Files are written when the workers already judge by the new ruleset: a disk that is full or slow
//! never stands before a change, and the answer says so. Only the revision's number goes to the disk
//! before it, beside the compilation ([claims](claim)).

mod answer;
mod ask;
mod claim;
mod file;
mod guard;
mod load;
mod pending;
mod put;
#[cfg(test)]
mod tests;
mod timer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lookup::{Moment, Ruleset};

pub(crate) use answer::{Changed, Confirmed, Refused};
pub(crate) use ask::{Ask, Origin, Wish};
pub(crate) use pending::Wait;
pub(crate) use put::Standing;
pub(crate) use timer::run as timer;

use crate::history::{Entry, History, How, Past, Who};
use crate::logger::Legends;
use crate::publish::{Publisher, Reader};
use answer::ms;
use claim::{Ahead, Claim, Shelves};
use file::Seen;
use pending::{Pending, Waiting};

/// The largest policy that is taken; text that a person wrote.
pub(crate) const POLICY_BYTES: u64 = 64 << 20;

/// Where changes are made.
#[derive(Debug)]
pub(crate) struct Desk {
    policy: PathBuf,
    legends: Legends,
    /// Held while a policy is compiled, so that changes come one after the other.
    loading: Mutex<()>,
    /// Held for moments only.
    book: Mutex<Book>,
    /// The policy's file as it was last seen.
    seen: Mutex<Seen>,
    /// The history on disk, where there is one.
    shelf: Shelves,
    /// Numbers of revisions that are about to come by themselves.
    ahead: Ahead,
    /// What was wrong with it at the start.
    past: Option<String>,
}

/// What is in force, and what was.
#[derive(Debug)]
struct Book {
    publisher: Publisher,
    history: History,
    waiting: Waiting<Kept>,
    /// Revisions that are not on the disk, and why.
    unwritten: u64,
    trouble: Option<String>,
}

/// What comes into force again when a revision is not confirmed.
#[derive(Debug)]
struct Kept {
    ruleset: Arc<Ruleset>,
    policy: String,
}

/// What the history says of a revision, but for what the ruleset says itself.
#[derive(Clone, Debug)]
struct Note {
    how: How,
    who: Who,
    why: Option<String>,
    back_to: Option<u32>,
    confirm: Option<Duration>,
    /// What the policy says otherwise than the one before.
    changes: Vec<String>,
}

impl Desk {
    /// A desk with the first ruleset in force already, by its readers too.
    pub(crate) fn new(
        policy: PathBuf,
        text: String,
        publisher: Publisher,
        legends: Legends,
        past: Past,
    ) -> Self {
        let Past { entries, keep, shelf, trouble, .. } = past;
        let why = entries.last().and_then(|entry| entry.facts.unconfirmed());
        let note = Note::itself(How::Start, "start", why);
        let first = Arc::new(note.entry(&publisher.current(), text));
        let mut history = History::new(keep, entries);
        history.add(Arc::clone(&first));
        let waiting = Waiting::default();
        let book = Mutex::new(Book { publisher, history, waiting, unwritten: 0, trouble: None });
        let (loading, seen) = (Mutex::new(()), Mutex::new(Seen::default()));
        let shelf = shelf.map(|shelf| Arc::new(Mutex::new(shelf)));
        let ahead = Ahead::default();
        let desk = Self { policy, legends, loading, book, seen, shelf, ahead, past: trouble };
        desk.shelve(&first);
        desk
    }

    /// Where the policy stands, from any folder.
    pub(crate) fn stands(&self) -> PathBuf {
        std::path::absolute(&self.policy).unwrap_or_else(|_| self.policy.clone())
    }

    /// A reading end for a worker that comes later.
    pub(crate) fn reader(&self) -> Reader {
        lock(&self.book).publisher.reader()
    }

    /// Compiles another policy and puts it in force; the last good one stays when it is refused.
    pub(crate) fn change(&self, ask: Ask) -> Result<Changed, Refused> {
        let begun = Instant::now();
        let Ask { origin, who, terms } = ask;
        let confirm = terms.confirm()?;
        let how = origin.how();
        if origin == Origin::Revision(None) && lock(&self.book).waiting.wait(begun).is_some() {
            return self.back(who, terms.why);
        }
        let one = lock(&self.loading);
        let compiling = Instant::now();
        let (before, mut next) = self.compile(origin, terms.accept)?;
        let back_to = next.back_to;
        let cuts = guard::cuts(&before, &next.ruleset, terms.session.as_deref());
        if !cuts.is_empty() && !terms.force {
            return Err(Refused::Cut(cuts));
        }
        self.settle_claim(next.claim.take());
        let compile = compiling.elapsed();
        let mut warnings = next.warnings;
        warnings.extend(cuts);
        // The publisher alone holds what is superseded, so that no table is freed here.
        drop(before);
        let note = Note { how, who, why: terms.why, back_to, confirm, changes: next.changes };
        let entry = {
            let mut book = lock(&self.book);
            let kept = confirm.map(|within| (within, book.kept()));
            let entry = self.publish(&mut book, &note, next.ruleset, next.policy);
            if let Some((within, kept)) = kept {
                let back_to = kept.ruleset.revision().0;
                book.waiting.begin(Instant::now(), within, entry.facts.revision, back_to, kept);
            }
            entry
        };
        let swap = self.effect(entry.facts.revision);
        let total = begun.elapsed();
        if confirm.is_none() && how != How::Reload {
            warnings.extend(self.settle(&entry));
        }
        // The next change need not wait for the history's disk.
        drop(one);
        warnings.extend(self.shelve(&entry));
        Ok(Changed {
            revision: entry.facts.revision,
            compile_ms: Some(ms(compile)),
            swap_ms: swap.map(ms),
            total_ms: ms(total),
            confirm_s: terms.confirm_s,
            back_to,
            warnings,
        })
    }

    /// Keeps the revision that waits: its text becomes the policy's file.
    pub(crate) fn confirm(&self, who: Who) -> Result<Confirmed, Refused> {
        // Nothing is compiled while a revision waits; a file may still be on its way to the disk.
        let one = lock(&self.loading);
        let (revision, entry) = {
            let mut book = lock(&self.book);
            let pending = book.waiting.end().ok_or(Refused::NothingWaits)?;
            (pending.revision, book.history.confirm(pending.revision, who))
        };
        let mut warnings = Vec::new();
        if let Some(entry) = entry {
            warnings.extend(self.settle(&entry));
            drop(one);
            warnings.extend(self.shelve(&entry));
        }
        Ok(Confirmed { revision, warnings })
    }

    /// Waits until the next number is on the disk. It may be another one than was claimed: an exception
    /// ended meanwhile, under the number that was.
    fn settle_claim(&self, claim: Option<Claim>) {
        let number = lock(&self.book).publisher.next_revision().0;
        let other = claim.as_ref().is_none_or(|claim| !claim.is_for(number));
        claim.into_iter().for_each(Claim::settle);
        if other {
            Claim::begin(&self.shelf, number).into_iter().for_each(Claim::settle);
        }
    }

    /// Ends a wait whose time is up, and exceptions that end, in the second they do.
    fn turn(&self, now: Instant, time: Moment) -> Vec<Arc<Entry>> {
        let mut book = lock(&self.book);
        let mut done = Vec::new();
        if book.ends(now + Ahead::TIME, Moment(time.0 + Ahead::TIME.as_secs())) {
            self.ahead.claim(&self.shelf, book.publisher.next_revision().0);
        }
        if let Some(pending) = book.waiting.overdue(now) {
            let why = format!("revision {} was not confirmed", pending.revision);
            done.push(self.restore(&mut book, pending, Who::itself("not confirmed"), Some(why)));
        }
        let current = book.publisher.current();
        if ends(&current, time) {
            let note = Note::itself(How::Exception, "exception ended", Some(ended(&current, time)));
            let next = current.at(time, book.publisher.next_revision());
            let policy = book.history.policy();
            done.push(self.publish(&mut book, &note, next, policy));
        }
        drop(current);
        book.publisher.collect();
        done
    }

    /// Takes the revision that waits back, before its time is up.
    fn back(&self, who: Who, why: Option<String>) -> Result<Changed, Refused> {
        let begun = Instant::now();
        self.settle_claim(None);
        let entry = {
            let mut book = lock(&self.book);
            let pending = book.waiting.end().ok_or(Refused::NothingWaits)?;
            self.restore(&mut book, pending, who, why)
        };
        let swap = self.effect(entry.facts.revision);
        let total = begun.elapsed();
        let warnings = self.shelve(&entry).into_iter().collect();
        Ok(Changed {
            revision: entry.facts.revision,
            swap_ms: swap.map(ms),
            total_ms: ms(total),
            back_to: entry.facts.back_to,
            warnings,
            ..Changed::default()
        })
    }

    /// Puts in force again what was before a revision: compiled it is, so this takes no time.
    fn restore(
        &self,
        book: &mut Book,
        pending: Pending<Kept>,
        who: Who,
        why: Option<String>,
    ) -> Arc<Entry> {
        let Pending { back_to, kept, .. } = pending;
        let note = Note { who, back_to: Some(back_to), ..Note::itself(How::Back, "", why) };
        let next = kept.ruleset.at(moment(), book.publisher.next_revision());
        self.publish(book, &note, next, kept.policy)
    }
}

impl Book {
    /// Whether something that has an end has reached it by then.
    fn ends(&self, now: Instant, time: Moment) -> bool {
        let overdue = self.waiting.wait(now).is_some_and(|wait| wait.remaining_s == 0);
        overdue || ends(&self.publisher.current(), time)
    }

    /// What is in force, to come back to.
    fn kept(&self) -> Kept {
        Kept { ruleset: self.publisher.current(), policy: self.history.policy() }
    }
}

impl Note {
    /// Of a revision that nobody asked for.
    fn itself(how: How, name: &str, why: Option<String>) -> Self {
        let who = Who::itself(name);
        Self { how, who, why, back_to: None, confirm: None, changes: Vec::new() }
    }
}

/// Whether an exception that holds in a ruleset has ended at a moment.
fn ends(ruleset: &Ruleset, time: Moment) -> bool {
    ruleset.next_end().is_some_and(|end| end <= time)
}

/// Names and owners of the exceptions that have ended at a moment.
fn ended(ruleset: &Ruleset, time: Moment) -> String {
    let legend = ruleset.legend();
    let ended = ruleset.exceptions().filter(|exception| exception.until <= time);
    let names = ended.map(|exception| {
        let domain = legend.domain_name(exception.domain);
        format!("{} of {domain}, owner {}", exception.name, exception.owner)
    });
    names.collect::<Vec<_>>().join("; ")
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The moment it is.
pub(crate) fn moment() -> Moment {
    SystemTime::now().into()
}
