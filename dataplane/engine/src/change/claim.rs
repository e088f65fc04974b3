//! A number on the disk before its revision is in force, so that a gateway that ends between the two
//! leaves it behind, and the next one does not use it again.
//!
//! ```text
//!  change:  claim begins ---- compile, checks ---- wait, bounded ---- publish --> entry in its place
//!  timer:   claim a second before an end that is known                publish --> the same
//! ```
//! A disk that does not answer in time is not waited for: the change goes on, and the history says
//! what is wrong when the entry is written. Costs: an empty file and two fsync(2) beside a compilation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::lock;
use crate::history::{Shelf, Ticket};

/// The longest that a change waits for the disk.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a claim is made on, where there is a history on a disk.
pub(super) type Shelves = Option<Arc<Mutex<Shelf>>>;

/// A number that is on its way to the disk; given back when it is dropped unused.
#[derive(Debug)]
pub(super) struct Claim {
    shelf: Arc<Mutex<Shelf>>,
    number: u32,
    /// Nothing when it is used.
    done: Option<Receiver<Option<Ticket>>>,
}

impl Claim {
    /// Begins to write a number down.
    pub(super) fn begin(shelves: &Shelves, number: u32) -> Option<Self> {
        let shelf = Arc::clone(shelves.as_ref()?);
        let (sender, done) = mpsc::channel();
        let there = Arc::clone(&shelf);
        apart(move || {
            // What is wrong with the disk is told when the entry is written.
            let ticket = lock(&there).claim(number).unwrap_or_default();
            let _ = sender.send(ticket);
        });
        Some(Self { shelf, number, done: Some(done) })
    }

    /// Whether it is for this number.
    pub(super) fn is_for(&self, number: u32) -> bool {
        self.number == number
    }

    /// Waits until the number is on the disk, and no longer than a change may be held up.
    pub(super) fn settle(mut self) {
        let _ = self.done.take().map(|done| done.recv_timeout(PATIENCE));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(done) = self.done.take() else { return };
        let shelf = Arc::clone(&self.shelf);
        apart(move || {
            let ticket = done.recv().ok().flatten();
            ticket.into_iter().for_each(|ticket| lock(&shelf).release(ticket));
        });
    }
}

/// Claims for revisions that come by themselves, each once.
#[derive(Debug, Default)]
pub(super) struct Ahead(AtomicU32);

impl Ahead {
    /// How long before its end a number is claimed.
    pub(super) const TIME: Duration = Duration::from_secs(1);

    /// Claims a number, unless it is the one that was claimed last.
    pub(super) fn claim(&self, shelves: &Shelves, number: u32) {
        if self.0.swap(number, Ordering::Relaxed) != number
            && let Some(shelf) = shelves
        {
            let shelf = Arc::clone(shelf);
            apart(move || drop(lock(&shelf).claim(number)));
        }
    }
}

/// Does something with the disk on a thread of its own. Without a thread to be had it is not done.
fn apart(work: impl FnOnce() + Send + 'static) {
    let _ = thread::Builder::new().name("history".to_owned()).spawn(work);
}
