//! What comes of a packet: forwarded, dropped, or forwarded with the record of a drop.
//!
//! The only place that counts, so that each packet has one fate and each drop one record.

use lookup::{DomainId, Judgement, Reason, Region, RuleId, ServiceId};

use crate::fragment::{First, Scope};
use crate::parse::{Packet, Piece};
use crate::process::{Action, Burst, Filter};
use crate::{DropReason, DropRecord, RecordKind, Records};

/// What a packet is counted and recorded under.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    domain: Option<DomainId>,
    service: Option<ServiceId>,
    rule: Option<RuleId>,
}

impl Place {
    fn of(judgement: &Judgement) -> Self {
        let Judgement { domain, service, rule, .. } = *judgement;
        Self { domain, service, rule }
    }
}

/// Why a packet is dropped, or would be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    reason: DropReason,
    place: Place,
    /// Where the address on the outside is, if the policy decided.
    region: Option<Region>,
}

impl Cause {
    pub(crate) fn packet(reason: DropReason) -> Self {
        Self { reason, place: Place::default(), region: None }
    }

    /// The same, counted in a domain.
    pub(crate) fn within(self, domain: Option<DomainId>) -> Self {
        Self { place: Place { domain, ..self.place }, ..self }
    }

    pub(crate) fn policy(reason: Reason, judgement: &Judgement, region: Region) -> Self {
        Self { reason: reason.into(), place: Place::of(judgement), region: Some(region) }
    }
}

impl Filter {
    /// Counts a packet as forwarded; if it is a first fragment, the others may follow.
    #[inline]
    pub(crate) fn forward(&mut self, burst: &Burst<'_>, packet: &Packet, domain: Option<DomainId>) {
        self.counters.forwarded += 1;
        self.tally.allowed(domain);
        if let Some(piece) = &packet.piece {
            self.admit(burst, packet, piece, domain, false);
        }
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
        if piece.offset > 0 {
            return;
        }
        let first = First { end: piece.end, domain, shadow };
        let scope = self.scope(burst, packet);
        self.shared.fragments.admit((&packet.head, piece), &scope, first);
    }

    /// What the fragments of a datagram have in common but their header.
    pub(crate) fn scope(&self, burst: &Burst<'_>, packet: &Packet) -> Scope {
        Scope {
            side: burst.side,
            revision: burst.revision,
            vlan: burst.vlan(&packet.head),
            now_ms: burst.now.mono_ms,
            timeout_ms: self.table.lives.fragment_ms,
        }
    }

    /// Counts a packet of the link as passed.
    pub(crate) fn pass(&mut self) -> Action {
        self.counters.passed += 1;
        Action::Pass
    }

    pub(crate) fn drop(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        cause: Cause,
        records: &mut impl Records,
    ) -> Action {
        self.counters.dropped[cause.reason.index()] += 1;
        self.tally.dropped(cause.place.domain, cause.region);
        // An address that no packet can have as its source names nobody.
        if cause.reason != DropReason::BadSource {
            self.tally.source((cause.place.domain, cause.place.service), &packet.head, burst.now_s);
        }
        let record = || record(burst, packet, cause.place, RecordKind::Drop(cause.reason));
        self.drops.add(record, &mut self.bucket, &mut self.counters.records, records);
        Action::Drop
    }

    /// Counts and records as a drop, and forwards.
    pub(crate) fn shadow(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        cause: Cause,
        records: &mut impl Records,
    ) -> Action {
        self.counters.forwarded += 1;
        self.counters.shadowed += 1;
        self.tally.shadowed(cause.place.domain);
        if let Some(piece) = &packet.piece {
            self.admit(burst, packet, piece, cause.place.domain, true);
        }
        let record = || record(burst, packet, cause.place, RecordKind::Shadow(cause.reason));
        let counters = &mut self.counters.shadow_records;
        self.shadows.add(record, &mut self.bucket, counters, records);
        Action::Forward
    }

    /// Records that an exception let this packet in, which is counted as any other that is forwarded.
    #[cold]
    pub(crate) fn except(
        &mut self,
        burst: &Burst<'_>,
        packet: &Packet,
        judgement: &Judgement,
        records: &mut impl Records,
    ) {
        self.counters.exceptions += 1;
        let record = || record(burst, packet, Place::of(judgement), RecordKind::Exception);
        let counters = &mut self.counters.exception_records;
        self.exceptions.add(record, &mut self.bucket, counters, records);
    }
}

fn record(
    burst: &Burst<'_>,
    packet: &Packet,
    Place { domain, service, rule }: Place,
    kind: RecordKind,
) -> DropRecord {
    let head = &packet.head;
    DropRecord {
        src_bits: head.src,
        dst_bits: head.dst,
        time_ns: burst.now.unix_ns,
        revision: burst.revision,
        suppressed: 0,
        service,
        domain,
        rule,
        src_port: head.src_port,
        dst_port: head.dst_port,
        vlan: head.vlan,
        proto: head.proto,
        family: head.family,
        side: burst.side,
        kind,
    }
}
