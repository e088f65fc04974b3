//! The recent past: the last events, for whoever asks what has just been dropped.
//!
//! ```text
//!  logger --push--> [e e e e e e e e] (bounded, the oldest goes)
//!                        ^ cursor of a reader; overtaken, it is told how many it missed
//! ```
//! Readers copy a piece and let go before they format or send it, so that none holds the logger longer
//! than a copy takes. A record is 100 bytes here; the names come from its legend when it is read.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::event::{Event, Names};

/// How many events are remembered.
pub(crate) const REMEMBERED: usize = 8192;

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    past: Mutex<Past>,
    names: Names,
}

#[derive(Debug, Default)]
struct Past {
    events: VecDeque<Event>,
    /// How many events there were so far: the number of the next one.
    next: u64,
}

/// A piece of the past.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// Events before it that are forgotten.
    pub(crate) missed: u64,
    /// In order.
    pub(crate) events: Vec<Event>,
    /// Where the next piece begins.
    pub(crate) next: u64,
}

impl Recent {
    /// Nothing yet; `names` are those of outside and inside.
    pub(crate) fn new(names: Names) -> Self {
        Self { past: Mutex::default(), names }
    }

    /// The names of outside and inside.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Remembers events, and forgets the oldest.
    pub(crate) fn push(&self, events: impl Iterator<Item = Event>) {
        let mut past = self.lock();
        for event in events {
            if past.events.len() == REMEMBERED {
                past.events.pop_front();
            }
            past.events.push_back(event);
            past.next += 1;
        }
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }

    /// At most `most` events from number `from` on.
    pub(crate) fn piece(&self, from: u64, most: usize) -> Piece {
        let past = self.lock();
        let oldest = past.next - past.events.len() as u64;
        let begin = from.clamp(oldest, past.next);
        let at = usize::try_from(begin - oldest).unwrap_or(usize::MAX);
        let events: Vec<Event> = past.events.range(at..).take(most).cloned().collect();
        Piece { missed: begin.saturating_sub(from), next: begin + events.len() as u64, events }
    }

    /// All that is remembered.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.piece(0, REMEMBERED).events
    }

    fn lock(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
