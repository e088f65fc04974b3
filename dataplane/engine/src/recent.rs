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
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    event::{Event, Names},
    pattern::Kind,
};

/// How many events are remembered.
pub(crate) const REMEMBERED: usize = 8192;

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    past: Mutex<Past>,
    names: Names,
    /// Patterns told since the start, in the order of [`Kind::ALL`].
    patterns: [AtomicU64; Kind::ALL.len()],
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
        Self { names, ..Self::default() }
    }

    /// The names of outside and inside.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Remembers events, and forgets the oldest.
    pub(crate) fn push(&self, events: impl Iterator<Item = Event>) {
        let mut past = self.lock();
        for event in events {
            if let Event::Pattern(pattern) = &event {
                let kind = Kind::ALL.iter().position(|kind| *kind == pattern.palisade.pattern);
                kind.map(|kind| self.patterns[kind].fetch_add(1, Ordering::Relaxed));
            }
            if past.events.len() == REMEMBERED {
                past.events.pop_front();
            }
            past.events.push_back(event);
            past.next += 1;
        }
    }

    /// How many patterns were told since the start, by kind.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (Kind, u64)> {
        let count = |told: &AtomicU64| told.load(Ordering::Relaxed);
        Kind::ALL.into_iter().zip(self.patterns.iter().map(count))
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

    /// All that is remembered, and the number of what comes.
    pub(crate) fn past(&self) -> Piece {
        self.piece(0, REMEMBERED)
    }

    /// All that is remembered.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.past().events
    }

    fn lock(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pattern::{Facts, Kind, Pattern};

    fn event(number: u64) -> Event {
        let palisade = Facts { interval_s: number, ..Facts::default() };
        let (timestamp, event_type) = (String::new(), "pattern");
        Event::Pattern(Arc::new(Pattern { timestamp, event_type, palisade }))
    }

    fn numbers(events: &[Event]) -> Vec<u64> {
        let number = |event: &Event| match event {
            Event::Pattern(pattern) => pattern.palisade.interval_s,
            Event::Record(..) => u64::MAX,
        };
        events.iter().map(number).collect()
    }

    #[test]
    fn a_reader_sees_each_event_once_or_is_told_how_many_it_missed() {
        let recent = Recent::default();
        let remembered = REMEMBERED as u64;
        let (mut seen, mut missed, mut next, mut told) = (0, 0, 0, 0);
        // Bursts of events, below and above what is remembered, and a reader that takes a few each time.
        for burst in [0, 1, 5, 600, remembered - 1, remembered, remembered + 1, 3 * remembered] {
            recent.push((told..told + burst).map(event));
            told += burst;
            let piece = recent.piece(next, 700);
            missed += piece.missed;
            let first = next + piece.missed;
            let count = piece.events.len() as u64;
            assert_eq!(numbers(&piece.events), (first..first + count).collect::<Vec<_>>());
            (seen, next) = (seen + count, piece.next);
            assert_eq!(seen + missed, next);
        }
        assert!(missed > 0 && recent.past().next == told);
        assert_eq!(numbers(&recent.all()), (told - remembered..told).collect::<Vec<_>>());
        let counts: Vec<_> = recent.patterns().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(Kind::Busy, told)], "the ones forgotten too");
        let piece = recent.piece(told + 5, 1);
        assert_eq!((piece.missed, piece.events.len(), piece.next), (0, 0, told));
    }
}
