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

use lookup::{ClassId, Judgement, Reason, Side, Verdict};

use crate::flow::{Key, Progress, State, Timing};
use crate::fragment::{First, Found};
use crate::outcome::Cause;
use crate::parse::Packet;
use crate::process::{Action, Asked, Burst, Filter};
use crate::{DropReason, Records};

/// What the flow table says of a pair that has to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) slot: usize,
    pub(crate) egress: bool,
    /// What the policy no longer allowed when it was last asked.
    pub(crate) former: bool,
}

impl Known {
    /// A service's verdict makes a new flow of it.
    fn fresh(self) -> bool {
        self.egress || self.former
    }
}

/// An answer with what it rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) judgement: Judgement,
    /// The pair was allowed as a connection from the inside, which has come this far.
    pub(crate) egress: Option<Progress>,
}

impl Filter {
    /// Forwards a packet of the flow in `slot`, if the current ruleset allowed it.
    #[inline]
    pub(crate) fn hit(&mut self, burst: &Burst<'_>, packet: &Packet, slot: usize) -> bool {
        let (now_ms, renew_ms) = (burst.now_ms, self.table.lives.renew_ms);
        let Some(entry) = self.table.standing(slot, burst.revision.0, now_ms) else {
            return false;
        };
        let domain = entry.domain();
        if entry.settled(burst.side, packet.step, (now_ms, renew_ms)) {
            entry.seen_ms = now_ms;
            entry.packets = entry.packets.saturating_add(1);
            if self.leases.open {
                self.leases.want(packet, slot, entry.packets);
            }
        } else if !self.proceed(burst, slot, packet.step) {
            return false;
        }
        self.forward(burst, packet, domain);
        true
    }

    /// The same for a packet that had to wait for those before it, apart from the many that had not.
    #[inline(never)]
    fn hit_after(&mut self, burst: &Burst<'_>, packet: &Packet, slot: usize) -> bool {
        self.hit(burst, packet, slot)
    }

    /// Judges a packet whose flow is unknown, or known to another ruleset only.
    pub(crate) fn miss(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        (hash, slot): (u64, Option<usize>),
        &Asked { ends, judgement }: &Asked,
        records: &mut impl Records,
    ) -> Action {
        let (key, step) = (&packet.key, packet.step);
        let known = match slot {
            Some(slot) if self.hit_after(burst, packet, slot) => return Action::Forward,
            Some(slot) => self.known(burst, slot, key),
            None => None,
        };
        let answer = self.judge(burst, key, (ends.remote, judgement), known);
        let judgement = &answer.judgement;
        match judgement.verdict {
            Verdict::Allow => {
                if step.flows() && self.remember(burst, (hash, key, step), known, &answer) {
                    self.tally.flow(judgement.domain, burst.rules.class_region(ends.remote));
                }
                self.forward(burst, packet, judgement.domain);
                let exception = |rule| burst.rules.legend().exception(rule).is_some();
                if known.is_none_or(Known::fresh) && judgement.rule.is_some_and(exception) {
                    self.except(burst, packet, judgement, records);
                }
                Action::Forward
            }
            Verdict::Drop(reason) => {
                match known {
                    Some(Known { slot, egress: true, .. }) => self.table.remove(slot),
                    // What the policy no longer allows may give way to what it does.
                    Some(Known { slot, egress: false, .. }) => {
                        let entry = self.table.entry(slot);
                        entry.set_progress(Progress { state: State::Closing, ..entry.progress() });
                        entry.set_timing(Timing::Former);
                    }
                    None => {}
                }
                let region = burst.rules.class_region(ends.remote);
                let cause = Cause::policy(reason, judgement, region);
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
        let scope = self.scope(burst, packet);
        let fragments = &self.shared.fragments;
        let found = packet
            .piece
            .as_ref()
            .map_or(Found::Orphan, |piece| fragments.follow((&packet.head, piece), &scope));
        let orphan = Cause::packet(DropReason::FragmentOrphan);
        match found {
            Found::Orphan => self.drop(burst, packet, orphan, records),
            Found::Overlap => self.refuse(burst, packet, DropReason::FragmentOverlap, records),
            Found::After(First { shadow: true, domain, .. }) => {
                // Enforcement would have dropped the first one, and this one for want of it.
                self.shadow(burst, packet, orphan.within(domain), records)
            }
            Found::After(first) => {
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
        let vlan = burst.vlan(head);
        let neighbours = &self.shared.neighbours;
        match burst.side {
            Side::Outside => neighbours.learn(head.src, vlan, now_ms),
            Side::Inside if !neighbours.know(head.dst, vlan, now_ms) => {
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

    /// What is known of the flow that was in `slot` before it was no hit.
    fn known(&mut self, burst: &Burst<'_>, slot: usize, key: &Key) -> Option<Known> {
        if !self.table.holds(slot, key) {
            return None;
        }
        if self.table.expired(slot, burst.now_ms) {
            self.table.remove(slot);
            return None;
        }
        let entry = self.table.entry(slot);
        Some(Known { slot, egress: entry.egress(), former: entry.timing() == Timing::Former })
    }

    /// What the ruleset says of a pair, and what is known of it.
    fn judge(
        &mut self,
        burst: &Burst<'_>,
        key: &Key,
        (remote, judgement): (ClassId, Judgement),
        known: Option<Known>,
    ) -> Answer {
        if burst.side == Side::Inside {
            return Answer { judgement, egress: judgement.egress.then(Progress::default) };
        }
        if judgement.verdict != Verdict::Drop(Reason::NoService) {
            return Answer { judgement, egress: None };
        }
        let reply = burst.rules.judge_reply(remote);
        let own = matches!(known, Some(Known { egress: true, .. }));
        if reply.verdict != Verdict::Allow {
            // The rule that ends a connection of the inside, while it is known here.
            return Answer { judgement: if own { reply } else { judgement }, egress: None };
        }
        match self.opened(burst, key, known) {
            Some(progress) => Answer { judgement: reply, egress: Some(progress) },
            None => Answer { judgement, egress: None },
        }
    }
}
