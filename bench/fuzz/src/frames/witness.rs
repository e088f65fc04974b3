//! Watches what came of each frame, and knows what may.
//!
//! Nothing is forwarded that [`Ruleset::judge`] denies by a second reader's reading; but for what
//! the inside opened before, and for what follows an admitted first fragment. The witness forgets
//! nothing and knows no timeouts: it allows a little more than the filter, never less.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use filter::{Action, DropReason, DropRecord, RecordKind};
use lookup::{Judgement, Proto, Query, Reason, Ruleset, Side, Verdict, Vlan};

use super::reading::{Kind, Pair, Piece, Reading, What, read};

/// A datagram that is under way: its way, ends, id, and the ruleset that judged.
type Datagram = (Side, u32, IpAddr, IpAddr, u32, u8, Vlan);

/// A frame as it was seen.
pub(super) struct Seen {
    side: Side,
    reading: Option<Reading>,
    /// It was forwarded although the policy drops it, because its domain only watches.
    pub(super) shadow: bool,
}

#[derive(Default)]
pub(super) struct Witness {
    opened: HashSet<(Pair, Vlan)>,
    /// The end of the first fragment, and whether it was a shadow.
    admitted: HashMap<Datagram, (usize, bool)>,
}

impl Witness {
    /// A frame had this action; panics if it may not.
    pub(super) fn saw(
        &mut self,
        rules: &Ruleset,
        side: Side,
        frame: &[u8],
        action: Action,
    ) -> Seen {
        let reading = read(side, frame);
        let shadow = match action {
            Action::Drop => false,
            Action::Pass => {
                let what = reading.map(|reading| reading.what);
                assert_eq!(what, Some(What::Link), "passed: {frame:02x?}");
                false
            }
            Action::Forward => {
                let reading = reading.unwrap_or_else(|| panic!("forwarded unread: {frame:02x?}"));
                self.forwarded(rules, side, &reading, frame)
            }
        };
        Seen { side, reading, shadow }
    }

    fn forwarded(&mut self, rules: &Ruleset, side: Side, reading: &Reading, frame: &[u8]) -> bool {
        let vlan = rules.vlan(reading.vlan);
        match reading.what {
            What::Link => panic!("link traffic is passed, not forwarded: {frame:02x?}"),
            What::Later(piece) => {
                let first = self.admitted.get(&datagram(rules, side, reading, &piece));
                let &(end, shadow) = first.unwrap_or_else(|| panic!("an orphan: {frame:02x?}"));
                assert!(piece.offset >= end, "over the first fragment: {frame:02x?}");
                shadow
            }
            What::Packet { pair, opens, first } => {
                let judgement = judge(rules, side, &pair, vlan);
                let shadow = judgement.verdict != Verdict::Allow && judgement.shadow;
                let allowed = judgement.verdict == Verdict::Allow
                    || shadow
                    || self.replies(rules, side, &pair, vlan, &judgement);
                assert!(allowed, "a leak from {side:?}: {reading:?} {judgement:?} {frame:02x?}");
                if side == Side::Inside && judgement.egress && opens && pair.kind != Kind::Notice {
                    self.opened.insert((pair, vlan));
                }
                if let Some(piece) = first {
                    let entry = self.admitted.entry(datagram(rules, side, reading, &piece));
                    let (end, last) = entry.or_default();
                    (*end, *last) = ((*end).max(piece.end), shadow);
                }
                shadow
            }
        }
    }

    /// From the outside, to what the inside opened: by the egress policy.
    fn replies(
        &self,
        rules: &Ruleset,
        side: Side,
        pair: &Pair,
        vlan: Vlan,
        judgement: &Judgement,
    ) -> bool {
        side == Side::Outside
            && judgement.verdict == Verdict::Drop(Reason::NoService)
            && self.opened.contains(&(*pair, vlan))
            && rules.judge_reply(rules.class(pair.remote)).verdict == Verdict::Allow
    }

    /// The frame has this record: it must tell the same packet, and a reason that is true.
    pub(super) fn recorded(&self, rules: &Ruleset, record: &DropRecord, seen: &Seen, built: bool) {
        let shadow = matches!(record.kind, RecordKind::Shadow(_));
        assert_eq!((record.side, shadow), (seen.side, seen.shadow));
        let why = record.reason().expect("these policies have no exceptions");
        assert_eq!(record.revision, rules.revision());
        let Some(reading) = seen.reading else {
            let judged = Reason::NoService;
            assert!(why != judged.into(), "judged unread: {record:?}");
            return;
        };
        if record.src().is_some() && reading.what != What::Link {
            assert_eq!((record.src(), record.dst()), (Some(reading.src), Some(reading.dst)));
        }
        let policy = [Reason::NoService, Reason::Denied, Reason::NotAllowed];
        let Some(reason) = policy.into_iter().find(|&it| why == it.into()) else {
            assert!(!built || excused(why), "a sound packet: {record:?} {reading:?}");
            return;
        };
        let What::Packet { pair, .. } = reading.what else {
            panic!("dropped by a policy that does not judge it: {record:?} {reading:?}");
        };
        let judgement = judge(rules, seen.side, &pair, rules.vlan(reading.vlan));
        let reply = rules.judge_reply(rules.class(pair.remote)).verdict;
        let true_reason = judgement.verdict == Verdict::Drop(reason)
            || seen.side == Side::Outside
                && judgement.verdict == Verdict::Drop(Reason::NoService)
                && reply == Verdict::Drop(reason);
        assert!(true_reason, "{record:?} {reading:?} {judgement:?}");
    }
}

/// What may befall a packet that was built sound: it came at the wrong time or place.
fn excused(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::FragmentOrphan
            | DropReason::FragmentOverlap
            | DropReason::FragmentTiny
            | DropReason::OffLink
            | DropReason::IcmpRedirect
            | DropReason::VlanDepth
    )
}

fn judge(rules: &Ruleset, side: Side, pair: &Pair, vlan: Vlan) -> Judgement {
    rules.judge(Query {
        side,
        remote: rules.class(pair.remote),
        local: rules.class(pair.local),
        proto: Proto(pair.proto).folded(),
        local_port: pair.local_port,
        vlan,
    })
}

fn datagram(rules: &Ruleset, side: Side, reading: &Reading, piece: &Piece) -> Datagram {
    let Reading { src, dst, .. } = *reading;
    let vlan = rules.vlan(reading.vlan);
    (side, rules.revision().0, src, dst, piece.id, piece.proto, vlan)
}
