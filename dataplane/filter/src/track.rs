//! What packets do to flows and pinholes.
//!
//! A flow that a service allowed proves nothing for egress. Should a reload take the service away,
//! the flow stays as a memory of that: what the inside end still says does not make the connection
//! one of its own, unless it opens it anew (TCP SYN) or both were silent until the flow expired.

use lookup::Side;

use crate::flow::{Entry, Key, State, timeout_ms};
use crate::parse::Step;
use crate::process::{Burst, Filter};
use crate::verdict::{Answer, Known};

/// A pinhole is renewed by its flow no more often than this.
const RENEW_MS: u32 = 4_000;

impl Filter {
    /// Keeps what was allowed.
    pub(crate) fn remember(
        &mut self,
        burst: &Burst<'_>,
        (hash, key, step): (u64, &Key, Step),
        known: Option<Known>,
        answer: &Answer,
    ) {
        let egress = answer.egress.is_some();
        let was_egress = known.map(|known| known.egress);
        if egress && burst.side == Side::Inside && was_egress != Some(true) {
            let reply_of_a_former_service = was_egress == Some(false) && step != Step::Syn;
            if reply_of_a_former_service || !step.opens() {
                if let Some(known) = known {
                    self.table.entry(known.slot).seen_ms = burst.now_ms;
                }
                return;
            }
            self.open(burst, key, State::Opening);
        }
        if let Some(known) = known {
            let entry = self.table.entry(known.slot);
            entry.revision = burst.revision.0;
            entry.domain = answer.judgement.domain;
            if entry.egress != egress {
                entry.egress = egress;
                entry.state = answer.egress.unwrap_or_default();
                (entry.from_outside, entry.from_inside) = (false, false);
                entry.renewed_ms = burst.now_ms;
            }
            self.advance(burst, known.slot, step);
        } else if step != Step::End {
            if burst.side == Side::Outside && answer.egress == Some(State::Open) {
                self.open(burst, key, State::Open);
            }
            self.insert(burst, (hash, key), answer);
        }
    }

    fn insert(&mut self, burst: &Burst<'_>, (hash, key): (u64, &Key), answer: &Answer) {
        let egress = answer.egress.is_some();
        let entry = Entry {
            key: *key,
            revision: burst.revision.0,
            seen_ms: burst.now_ms,
            renewed_ms: burst.now_ms,
            domain: answer.judgement.domain,
            // From the outside a pinhole proves that the inside was seen, by this worker or another.
            state: answer.egress.unwrap_or_default(),
            egress,
            from_outside: burst.side == Side::Outside,
            from_inside: burst.side == Side::Inside || egress,
        };
        if !self.table.insert(hash, entry) {
            self.counters.flow_table_full += 1;
        }
    }

    /// A packet of a known flow: what it does to the state, and to the pinhole.
    #[inline]
    pub(crate) fn advance(&mut self, burst: &Burst<'_>, slot: usize, step: Step) {
        let entry = self.table.entry(slot);
        let inside = burst.side == Side::Inside;
        let before = entry.state;
        let owner = inside || !entry.egress;
        match (before, step) {
            (_, Step::End) => entry.state = State::Closing,
            (State::Closing, Step::Syn | Step::Datagram | Step::Query) if owner => {
                entry.state = State::Opening;
                (entry.from_outside, entry.from_inside) = (false, false);
            }
            _ => {}
        }
        if inside {
            entry.from_inside = true;
        } else {
            entry.from_outside = true;
        }
        // A forged SYN has an answer too, but nothing follows it.
        let shakes = matches!(step, Step::Syn | Step::SynAck);
        if entry.state == State::Opening && !shakes && entry.from_inside && entry.from_outside {
            entry.state = State::Open;
        }
        // Once it is closing, the outside cannot keep a connection of the inside alive.
        if owner || before != State::Closing {
            entry.seen_ms = burst.now_ms;
        }
        let due = burst.now_ms.wrapping_sub(entry.renewed_ms) >= RENEW_MS;
        if entry.egress && (due || entry.state != before) {
            self.renew(burst, slot);
        }
    }

    /// Keeps the pinhole of an egress flow as long as the flow.
    #[cold]
    fn renew(&mut self, burst: &Burst<'_>, slot: usize) {
        let entry = self.table.entry(slot);
        entry.renewed_ms = burst.now_ms;
        let (key, state) = (entry.key, entry.state);
        let now_ms = burst.now.mono_ms;
        match (burst.side, state) {
            (Side::Inside, State::Closing) => {
                let timeout_ms = timeout_ms(key.proto(), state);
                self.shared.pinholes.close(&key, now_ms, timeout_ms);
            }
            (Side::Inside, _) => self.open(burst, &key, state),
            (Side::Outside, State::Closing) => {}
            // The outside may prolong a pinhole, but neither make one nor bring a closing one back.
            (Side::Outside, _) => match self.shared.pinholes.find(&key, now_ms) {
                Some(State::Open) => self.open(burst, &key, state),
                _ => self.table.entry(slot).state = State::Closing,
            },
        }
    }

    fn open(&mut self, burst: &Burst<'_>, key: &Key, state: State) {
        let timeout_ms = timeout_ms(key.proto(), state);
        if !self.shared.pinholes.open(key, burst.now.mono_ms, timeout_ms) {
            self.counters.pinholes_full += 1;
        }
    }
}
