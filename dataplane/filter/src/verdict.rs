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
//!
//! A flow that a service allowed proves nothing for egress. Should a reload take the service away,
//! the flow stays as a memory of that: what the inside end still says does not make the connection
//! one of its own, unless it opens it anew (TCP SYN) or both were silent until the flow expired.

use lookup::{DomainId, Judgement, Query, Reason, RuleId, ServiceId, Side, Verdict};

use crate::flow::{Entry, Key, State, timeout_ms};
use crate::fragment::First;
use crate::parse::{Fate, Packet, Piece, Step};
use crate::process::{Action, Burst, Ends, Filter};
use crate::{DropReason, DropRecord, Records};

/// A pinhole is renewed by its flow no more often than this.
const RENEW_MS: u32 = 4_000;

/// Why a packet is dropped, or would be.
#[derive(Clone, Copy, Debug)]
struct Cause {
    reason: DropReason,
    domain: Option<DomainId>,
    service: Option<ServiceId>,
    rule: Option<RuleId>,
}

impl Cause {
    fn packet(reason: DropReason) -> Self {
        Self { reason, domain: None, service: None, rule: None }
    }

    fn policy(reason: Reason, judgement: &Judgement) -> Self {
        let Judgement { domain, service, rule, .. } = *judgement;
        Self { reason: reason.into(), domain, service, rule }
    }
}

/// What the flow table says of a pair that has to be judged.
#[derive(Clone, Copy, Debug)]
struct Known {
    slot: usize,
    egress: bool,
}

/// An answer with what it rests on.
#[derive(Clone, Copy, Debug)]
struct Answer {
    judgement: Judgement,
    /// The pair was allowed as a connection from the inside, which has come this far.
    egress: Option<State>,
}

impl Filter {
    /// Forwards a packet whose flow the current ruleset allowed; false if there is none.
    #[inline]
    pub(crate) fn hit(&mut self, burst: &Burst<'_>, packet: &Packet, hash: u64) -> bool {
        let Fate::Judge { key, step, first } = &packet.fate else { return false };
        let Some(slot) = self.table.find(hash, key) else { return false };
        let entry = self.table.entry(slot);
        if entry.revision != burst.revision.0 || entry.expired(burst.now_ms) {
            return false;
        }
        let domain = entry.domain;
        if *step != Step::Error {
            self.advance(burst, slot, *step);
        }
        self.forward(burst, packet, domain, first.as_ref())
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
        let Fate::Judge { key, step, first } = &packet.fate else { return Action::Drop };
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
                    self.remember(burst, (hash, key, *step), known, &answer);
                }
                self.forward(burst, packet, judgement.domain, first.as_ref());
                Action::Forward
            }
            Verdict::Drop(reason) => {
                if let Some(Known { slot, egress: true }) = known {
                    self.table.remove(slot);
                }
                let cause = Cause::policy(reason, judgement);
                if judgement.shadow {
                    self.shadow(burst, packet, cause, first.as_ref(), records)
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
        piece: &Piece,
        records: &mut impl Records,
    ) -> Action {
        let found = self.shared.fragments.find(
            (&packet.head, piece),
            (burst.side, burst.revision),
            burst.now.mono_ms,
        );
        let orphan = Cause::packet(DropReason::FragmentOrphan);
        match found {
            None => self.drop(burst, packet, orphan, records),
            Some(first) if piece.offset < first.end => {
                let cause = Cause::packet(DropReason::FragmentOverlap);
                self.drop(burst, packet, cause, records)
            }
            Some(First { shadow: true, domain, .. }) => {
                // Enforcement would have dropped the first one, and this one for want of it.
                self.shadow(burst, packet, Cause { domain, ..orphan }, None, records)
            }
            Some(first) => {
                self.forward(burst, packet, first.domain, None);
                Action::Forward
            }
        }
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
        let query = Query { side: burst.side, remote, local, proto, local_port };
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

    /// Keeps what was allowed.
    fn remember(
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
    fn advance(&mut self, burst: &Burst<'_>, slot: usize, step: Step) {
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
        if entry.state == State::Opening && entry.from_inside && entry.from_outside {
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

    /// Counts a packet as forwarded; its fragments may follow. Always true.
    #[inline]
    fn forward(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        domain: Option<DomainId>,
        first: Option<&Piece>,
    ) -> bool {
        self.counters.forwarded += 1;
        if let Some(counters) = self.domains.of(domain) {
            counters.allowed += 1;
        }
        if let Some(piece) = first {
            self.admit(burst, packet, piece, domain, false);
        }
        true
    }

    #[cold]
    fn admit(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        piece: &Piece,
        domain: Option<DomainId>,
        shadow: bool,
    ) {
        self.shared.fragments.admit(
            (&packet.head, piece),
            (burst.side, burst.revision),
            burst.now.mono_ms,
            First { end: piece.end, domain, shadow },
        );
    }

    fn drop(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        cause: Cause,
        records: &mut impl Records,
    ) -> Action {
        self.counters.dropped[cause.reason.index()] += 1;
        if let Some(counters) = self.domains.of(cause.domain) {
            counters.dropped += 1;
        }
        let record = record(burst, packet, cause, false);
        self.drops.add(record, &mut self.bucket, &mut self.counters.records, records);
        Action::Drop
    }

    /// Counts and records as a drop, and forwards.
    fn shadow(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        cause: Cause,
        first: Option<&Piece>,
        records: &mut impl Records,
    ) -> Action {
        self.counters.forwarded += 1;
        self.counters.shadowed += 1;
        if let Some(counters) = self.domains.of(cause.domain) {
            counters.shadowed += 1;
        }
        if let Some(piece) = first {
            self.admit(burst, packet, piece, cause.domain, true);
        }
        let record = record(burst, packet, cause, true);
        let counters = &mut self.counters.shadow_records;
        self.shadows.add(record, &mut self.bucket, counters, records);
        Action::Forward
    }
}

fn record(burst: &Burst<'_>, packet: &Packet, cause: Cause, shadow: bool) -> DropRecord {
    let head = &packet.head;
    DropRecord {
        src_bits: head.src,
        dst_bits: head.dst,
        time_ns: burst.now.unix_ns,
        revision: burst.revision,
        suppressed: 0,
        service: cause.service,
        domain: cause.domain,
        rule: cause.rule,
        src_port: head.src_port,
        dst_port: head.dst_port,
        vlan: head.vlan,
        proto: head.proto,
        family: head.family,
        side: burst.side,
        reason: cause.reason,
        shadow,
    }
}
