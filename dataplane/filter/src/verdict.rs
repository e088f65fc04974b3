//! One packet's verdict: by its flow, by its ruleset, by its first fragment.
//!
//! A flow of the current revision was allowed for both directions, so a hit asks nobody. All else
//! is judged anew, and what was known only serves as proof of who opened the connection:
//!
//! ```text
//!  arrived outside: judge -+- service --> its verdict
//!                          `- none -----> opened from the inside? --yes--> judge_reply
//!                                         (egress flow, or pinhole)  no -> drop no_service
//!  arrived inside:  judge -+- service --> its verdict
//!                          `- none -----> egress verdict; allowed: flow and pinhole
//! ```

use lookup::{Judgement, Query, Reason, Side, Verdict, Vlan};

use crate::flow::{Key, State};
use crate::fragment::First;
use crate::outcome::Cause;
use crate::parse::{Packet, Step};
use crate::process::{Action, Burst, Ends, Filter};
use crate::{DropReason, Records};

/// What the flow table says of a pair that has to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) slot: usize,
    pub(crate) egress: bool,
}

/// An answer with what it rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) judgement: Judgement,
    /// The pair was allowed as a connection from the inside, which has come this far.
    pub(crate) egress: Option<State>,
}

impl Filter {
    /// Forwards a packet whose flow the current ruleset allowed; false if there is none.
    #[inline]
    pub(crate) fn hit(&mut self, burst: &Burst<'_>, packet: &Packet, hash: u64) -> bool {
        let Some(slot) = self.table.find(hash, &packet.key) else { return false };
        let entry = self.table.entry(slot);
        if entry.revision != burst.revision.0 || entry.expired(burst.now_ms) {
            return false;
        }
        let domain = entry.domain;
        if packet.step != Step::Error {
            self.advance(burst, slot, packet.step);
        }
        self.forward(burst, packet, domain);
        true
    }

    /// Judges a packet whose flow is unknown, or known to another ruleset only.
    pub(crate) fn miss(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        hash: u64,
        ends: Ends,
        records: &mut impl Records,
    ) -> Action {
        let (key, step) = (&packet.key, packet.step);
        // A packet before this one in the burst may have brought the flow.
        if self.hit(burst, packet, hash) {
            return Action::Forward;
        }
        let known = self.known(burst, hash, key);
        let answer = self.judge(burst, key, ends, known);
        let judgement = &answer.judgement;
        match judgement.verdict {
            Verdict::Allow => {
                if step.flows() {
                    self.remember(burst, (hash, key, step), known, &answer);
                }
                self.forward(burst, packet, judgement.domain);
                Action::Forward
            }
            Verdict::Drop(reason) => {
                if let Some(Known { slot, egress: true }) = known {
                    self.table.remove(slot);
                }
                let cause = Cause::policy(reason, judgement);
                if judgement.shadow {
                    self.shadow(burst, packet, cause, records)
                } else {
                    self.drop(burst, packet, cause, records)
                }
            }
        }
    }

    /// Does with a later fragment as with its first one.
    pub(crate) fn follow(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        records: &mut impl Records,
    ) -> Action {
        let Packet { head, piece, .. } = packet;
        let judged = (burst.side, burst.revision);
        let fragments = &self.shared.fragments;
        let found = piece.as_ref().and_then(|piece| {
            let first = fragments.find((head, piece), judged, burst.now.mono_ms)?;
            Some((first, piece.offset))
        });
        let orphan = Cause::packet(DropReason::FragmentOrphan);
        match found {
            None => self.drop(burst, packet, orphan, records),
            Some((first, offset)) if offset < first.end => {
                let cause = Cause::packet(DropReason::FragmentOverlap);
                self.drop(burst, packet, cause, records)
            }
            Some((First { shadow: true, domain, .. }, _)) => {
                // Enforcement would have dropped the first one, and this one for want of it.
                self.shadow(burst, packet, orphan.within(domain), records)
            }
            Some((first, _)) => {
                self.forward(burst, packet, first.domain);
                Action::Forward
            }
        }
    }

    /// Learns from neighbour discovery who is on the outside, and lets the inside's go nowhere else.
    #[cold]
    pub(crate) fn neighbour(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        records: &mut impl Records,
    ) -> Action {
        let (head, now_ms) = (&packet.head, burst.now.mono_ms);
        let neighbours = &self.shared.neighbours;
        match burst.side {
            Side::Outside => neighbours.learn(head.src, now_ms),
            Side::Inside if !neighbours.know(head.dst, now_ms) => {
                return self.refuse(burst, packet, DropReason::OffLink, records);
            }
            Side::Inside => {}
        }
        self.pass()
    }

    /// Drops a packet that cannot be judged.
    pub(crate) fn refuse(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        reason: DropReason,
        records: &mut impl Records,
    ) -> Action {
        self.drop(burst, packet, Cause::packet(reason), records)
    }

    fn known(&mut self, burst: &Burst<'_>, hash: u64, key: &Key) -> Option<Known> {
        let slot = self.table.find(hash, key)?;
        let entry = self.table.entry(slot);
        if entry.expired(burst.now_ms) {
            self.table.remove(slot);
            return None;
        }
        Some(Known { slot, egress: entry.egress })
    }

    fn judge(&mut self, burst: &Burst<'_>, key: &Key, ends: Ends, known: Option<Known>) -> Answer {
        let Ends { remote, local } = ends;
        let (proto, local_port) = (key.proto(), key.local_port());
        let vlan = Vlan::default();
        let query = Query { side: burst.side, remote, local, proto, local_port, vlan };
        let judgement = burst.rules.judge(query);
        if burst.side == Side::Inside {
            return Answer { judgement, egress: judgement.egress.then_some(State::Opening) };
        }
        if judgement.verdict != Verdict::Drop(Reason::NoService) {
            return Answer { judgement, egress: None };
        }
        let reply = burst.rules.judge_reply(remote);
        if let Some(Known { slot, egress: true }) = known {
            let state = self.table.entry(slot).state;
            return Answer { judgement: reply, egress: Some(state) };
        }
        if reply.verdict == Verdict::Allow
            && let Some(state) = self.shared.pinholes.find(key, burst.now.mono_ms)
        {
            return Answer { judgement: reply, egress: Some(state) };
        }
        Answer { judgement, egress: None }
    }
}
