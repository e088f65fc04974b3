//! What packets do to flows and pinholes.
//!
//! A pinhole is what all workers know of a connection that the inside opened; a flow is what one
//! worker remembers. So a flow asks its pinhole when it comes a step further, when it has not asked
//! for a while, and on each TCP segment while it is not open here: another worker may know more. A
//! pinhole that is gone ends the flow.
//!
//! A flow that a service allowed proves nothing for egress. Should a reload take the service away,
//! the flow stays as a memory of that: what the inside end still says does not make the connection
//! one of its own, unless it opens it anew (TCP SYN) or both were silent until the flow expired.
//!
//! So the workers' verdicts are those of one worker, but for four things:
//! - the moment at which a silent connection is forgotten: up to [`crate::flow::Lives`]'s `renew_ms`;
//! - what is opened anew within `renew_ms` after its end: a worker that still has the old connection
//!   open may keep the answer to itself for the rest of that time, so that one which is silent from
//!   then on is forgotten like one without an answer;
//! - the memory of a service that a reload took away is each worker's own: one that never saw the
//!   connection takes what the inside goes on to say for a connection taken up after a restart;
//! - the reason of a drop: a worker that knew a connection which egress no longer allows names that
//!   rule for its next packet, the others say that there is no service.

use lookup::Side;

use crate::flow::{Entry, Key, Progress, State, Timing};
use crate::parse::Step;
use crate::process::{Burst, Filter};
use crate::verdict::{Answer, Known};

impl Filter {
    /// Keeps what was allowed; true if it is a new flow.
    pub(crate) fn remember(
        &mut self,
        burst: &Burst<'_>,
        (hash, key, step): (u64, &Key, Step),
        known: Option<Known>,
        answer: &Answer,
    ) -> bool {
        let was_egress = known.map(|known| known.egress);
        if answer.egress.is_some() && burst.side == Side::Inside && was_egress != Some(true) {
            let reply_of_a_former_service = was_egress == Some(false) && step != Step::Syn;
            if reply_of_a_former_service || !step.opens() {
                if let Some(known) = known {
                    self.table.entry(known.slot).seen_ms = burst.now_ms;
                }
                // Another worker may have seen it open, and this may be its end.
                self.prolong(burst, key, step);
                return false;
            }
        }
        match known {
            Some(known) if answer.egress.is_some() == known.egress => {
                let entry = self.table.entry(known.slot);
                entry.revision = burst.revision.0;
                entry.judged_s = burst.now_s;
                entry.set_domain(answer.judgement.domain);
                entry.set_timing(Timing::of(key.proto()));
                self.advance(burst, known.slot, step);
                false
            }
            _ => {
                let entry = self.entry(burst, (key, step), answer);
                match known {
                    Some(known) => *self.table.entry(known.slot) = entry,
                    None if step == Step::End => return false,
                    None if self.table.insert(hash, entry) => {}
                    None => {
                        self.counters.flow_table_full += 1;
                        return false;
                    }
                }
                true
            }
        }
    }

    /// A new flow, or one that was a service's and is the inside's now, or the reverse.
    fn entry(&mut self, burst: &Burst<'_>, (key, step): (&Key, Step), answer: &Answer) -> Entry {
        let egress = answer.egress.is_some();
        let before = answer.egress.unwrap_or_default();
        let owner = burst.side == Side::Inside || !egress;
        let mut progress = before.after(burst.side, owner, step);
        if egress {
            let shared = self.renew(burst, key, step).unwrap_or(progress);
            progress = if step == Step::Syn { progress } else { shared };
        }
        let mut entry = Entry::new(*key, progress, Timing::of(key.proto()), egress);
        entry.revision = burst.revision.0;
        (entry.seen_ms, entry.renewed_ms) = (burst.now_ms, burst.now_ms);
        (entry.judged_s, entry.packets) = (burst.now_s, 1);
        entry.set_domain(answer.judgement.domain);
        entry
    }

    /// What is left to do where a flow is not settled; false when it does not stand.
    #[inline(never)]
    pub(crate) fn proceed(&mut self, burst: &Burst<'_>, slot: usize, step: Step) -> bool {
        match step {
            Step::Error => self.standing(burst, slot),
            step => self.advance(burst, slot, step),
        }
    }

    /// A packet of a known flow: what it does to the state, and to the pinhole. False: the connection
    /// has ended, as another worker saw.
    fn advance(&mut self, burst: &Burst<'_>, slot: usize, step: Step) -> bool {
        let renew_ms = self.table.lives.renew_ms;
        let entry = self.table.entry(slot);
        let before = entry.progress();
        let shakes = matches!(step, Step::Syn | Step::SynAck | Step::End);
        let after = before.after(burst.side, entry.owner(burst.side), step);
        let lives = entry.lives_by(burst.side, step);
        entry.set_progress(after);
        entry.packets = entry.packets.saturating_add(1);
        if entry.egress() {
            let due = entry.due(burst.now_ms, renew_ms);
            let asks = shakes || step == Step::Segment && before.state != State::Open;
            if (due || asks || after != before) && !self.consult(burst, slot, step) {
                return false;
            }
        }
        if lives {
            self.table.entry(slot).seen_ms = burst.now_ms;
        }
        true
    }

    /// Whether a flow still stands that an ICMP error is about.
    fn standing(&mut self, burst: &Burst<'_>, slot: usize) -> bool {
        let entry = *self.table.entry(slot);
        let (key, egress) = (entry.key, entry.egress());
        let known = Some(Known { slot, egress, former: entry.timing() == Timing::Former });
        !egress || burst.side == Side::Inside || self.opened(burst, &key, known).is_some()
    }

    /// How far a connection has come that the inside opened, if it did.
    pub(crate) fn opened(
        &mut self,
        burst: &Burst<'_>,
        key: &Key,
        known: Option<Known>,
    ) -> Option<Progress> {
        let pinholes = &self.shared.pinholes;
        let now_ms = burst.now.mono_ms;
        pinholes.find(key, now_ms).or_else(|| match known {
            Some(Known { slot, egress: true, .. }) => {
                let entry = self.table.entry(slot);
                let (timing, progress) = (entry.timing(), entry.progress());
                let timeout_ms = self.table.lives.of(timing, progress.state);
                // Where pinholes give way to others, a flow is proof enough.
                pinholes.crowded(now_ms, timeout_ms).then_some(progress)
            }
            _ => None,
        })
    }

    /// Brings a flow and its pinhole together; false when the connection has ended.
    #[cold]
    pub(crate) fn consult(&mut self, burst: &Burst<'_>, slot: usize, step: Step) -> bool {
        let entry = self.table.entry(slot);
        entry.renewed_ms = burst.now_ms;
        let (key, progress) = (entry.key, entry.progress());
        let known = Known { slot, egress: true, former: false };
        match self.renew(burst, &key, step) {
            Some(shared) => {
                // What the outside ended, or the inside only opens anew, may give way here, though it is
                // open for all.
                let anew = step == Step::Syn && shared.state == State::Open;
                if progress.state != State::Closing && !anew {
                    self.table.entry(slot).set_progress(shared);
                }
                true
            }
            None if self.opened(burst, &key, Some(known)).is_some() => true,
            None => {
                self.table.remove(slot);
                false
            }
        }
    }

    /// Takes the pinhole of a connection along; the inside makes one where there is none.
    fn renew(&mut self, burst: &Burst<'_>, key: &Key, step: Step) -> Option<Progress> {
        let shared = self.prolong(burst, key, step);
        if shared.is_some() || burst.side == Side::Outside {
            return shared;
        }
        let progress = Progress::default().after(Side::Inside, true, step);
        if step.opens() {
            let row_ms = self.table.lives.row(Timing::of(key.proto()));
            if !self.shared.pinholes.open(key, burst.now.mono_ms, row_ms, progress) {
                self.counters.pinholes_full += 1;
            }
        }
        Some(progress)
    }

    fn prolong(&mut self, burst: &Burst<'_>, key: &Key, step: Step) -> Option<Progress> {
        let row_ms = self.table.lives.row(Timing::of(key.proto()));
        let packet = (burst.side, step);
        self.shared.pinholes.advance(key, burst.now.mono_ms, row_ms, packet)
    }
}
