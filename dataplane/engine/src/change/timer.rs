//! The thread that ends what has an end: a trial that was not confirmed, an exception.
//!
//! It looks at both clocks many times a second instead of sleeping until an end: a step of the wall
//! clock ends at once what it steps over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Desk, moment};
use crate::say;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// Runs until it is asked to end.
pub(crate) fn run(desk: &Arc<Desk>, asked: &AtomicBool) {
    while !asked.load(Ordering::Acquire) {
        for entry in desk.turn(Instant::now(), moment()) {
            let facts = &entry.facts;
            let why = facts.why.as_deref().unwrap_or_default();
            say(format_args!("revision {} is in force, {}: {why}", facts.revision, facts.who));
            let desk = Arc::clone(desk);
            // Apart, so that a disk that hangs keeps nothing from ending. Without a thread to be had
            // the memory has it.
            let _ = thread::Builder::new().name("history".to_owned()).spawn(move || {
                desk.shelve(&entry).into_iter().for_each(say);
            });
        }
        thread::sleep(LOOK);
    }
}
