//! Fragments follow their first one.
//!
//! Only the first fragment names the ports, so only it is judged. If it is forwarded it leaves a
//! stamp for the others, which may reach other workers (receive-side scaling hashes fragments by
//! address alone). A stamp names the ruleset that judged: after a reload the rest of a datagram is
//! dropped. A fragment that reaches back over the first one is dropped, because it could rewrite
//! the ports that were judged (RFC 1858, RFC 5722); so is one that lies over others that came in
//! order. What comes out of order behind the first is forwarded, and not remembered.
//!
//! ```text
//!  |<------ first ------>|<-- second -->|<-- third -->|
//!                        end            reach: what begins before it is an overlap
//! ```
//!
//! Nobody is starved: a fragment without a first one finds nothing and leaves nothing, and a flood
//! of first ones that the policy allows pushes out the oldest of eight, so that every datagram has
//! the time that it takes to fill the table. With 262,144 places (the default of one worker) that is
//! a tenth of a second at two million first fragments a second; a datagram's fragments leave their
//! sender back to back.

use lookup::{DomainId, Revision, Side, Vlan};

use crate::Family;
use crate::parse::{Head, Piece};
use crate::stamps::{Stamp, Stamps};

/// Datagrams under way, over all workers: one for every four flows, and no fewer than this.
const LEAST_DATAGRAMS: usize = 1 << 12;
/// Marks the print of a datagram's reach. No set is chosen by this bit: both prints share lines.
const REACH: u64 = 1 << 63;

/// What a fragment is judged with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) side: Side,
    pub(crate) revision: Revision,
    pub(crate) vlan: Vlan,
    pub(crate) now_ms: u64,
    pub(crate) timeout_ms: u32,
}

impl Scope {
    fn stamp(&self, value: u32) -> Stamp {
        Stamp::new(self.now_ms + u64::from(self.timeout_ms), value)
    }
}

/// What a later fragment finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No first fragment was forwarded.
    Orphan,
    /// It lies over the first one, or over others that came in order.
    Overlap,
    /// Its first fragment was forwarded.
    After(First),
}

/// What the first fragment of a datagram said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// Where it ended, in units of 8 bytes.
    pub(crate) end: u16,
    pub(crate) domain: Option<DomainId>,
    /// It was forwarded only because its domain is in shadow mode.
    pub(crate) shadow: bool,
}

const END_BITS: u32 = 13;
const NO_DOMAIN: u32 = 0xffff;

impl First {
    fn pack(self) -> u32 {
        let domain = self.domain.map_or(NO_DOMAIN, |domain| u32::from(domain.0));
        let end = u32::from(self.end) & ((1 << END_BITS) - 1);
        domain << (END_BITS + 1) | u32::from(self.shadow) << END_BITS | end
    }

    fn unpack(value: u32) -> Self {
        let domain = value >> (END_BITS + 1);
        Self {
            end: (value & ((1 << END_BITS) - 1)) as u16,
            domain: (domain != NO_DOMAIN).then_some(DomainId(domain as u16)),
            shadow: value >> END_BITS & 1 != 0,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Fragments(Stamps);

impl Fragments {
    pub(crate) fn new(flows: usize, key: &[u8; 16]) -> Self {
        Self(Stamps::new((flows / 4).max(LEAST_DATAGRAMS), key))
    }

    fn print(&self, head: &Head, piece: &Piece, scope: &Scope) -> u64 {
        let mut bytes = [0; 45];
        bytes[..16].copy_from_slice(&head.src.to_ne_bytes());
        bytes[16..32].copy_from_slice(&head.dst.to_ne_bytes());
        bytes[32..36].copy_from_slice(&piece.id.to_ne_bytes());
        bytes[36..40].copy_from_slice(&scope.revision.0.to_ne_bytes());
        bytes[40..42].copy_from_slice(&scope.vlan.0.to_ne_bytes());
        // In IPv6 every fragment names a protocol of its own choice (RFC 8200, 4.5).
        let proto = if head.family == Family::V4 { piece.proto } else { 0 };
        bytes[42..].copy_from_slice(&[proto, head.family as u8, scope.side as u8]);
        self.0.print(&bytes) & !REACH
    }

    /// The first fragment was forwarded: the others may follow.
    pub(crate) fn admit(&self, (head, piece): (&Head, &Piece), scope: &Scope, first: First) {
        let (print, now_ms) = (self.print(head, piece, scope), scope.now_ms);
        // Two first fragments with one id: the others may lie over neither.
        let again = self.0.change(print, now_ms, |old| {
            let end = First::unpack(old.value).end.max(first.end);
            scope.stamp(First { end, ..first }.pack())
        });
        if again.is_some() {
            // The id may have been used before, by a datagram that is long complete.
            self.0.change(print | REACH, now_ms, |_| scope.stamp(0));
        } else {
            self.0.put(print, now_ms, scope.stamp(first.pack()));
        }
    }

    /// What came before a later fragment of a datagram.
    pub(crate) fn follow(&self, (head, piece): (&Head, &Piece), scope: &Scope) -> Found {
        let (print, now_ms) = (self.print(head, piece, scope), scope.now_ms);
        let Some(stamp) = self.0.find(print, now_ms) else { return Found::Orphan };
        let first = First::unpack(stamp.value);
        let reached = self.0.find(print | REACH, now_ms).map_or(0, |stamp| stamp.value as u16);
        let reach = first.end.max(reached);
        if piece.offset < reach {
            return Found::Overlap;
        }
        if piece.offset == reach {
            let new = scope.stamp(u32::from(piece.end));
            if self.0.change(print | REACH, now_ms, |_| new).is_none() {
                self.0.put(print | REACH, now_ms, new);
            }
        }
        Found::After(first)
    }
}
