//! Fragments follow their first one.
//!
//! Only the first fragment names the ports, so only it is judged. If it is forwarded it leaves a
//! stamp for the others, which may reach other workers (receive-side scaling hashes fragments by
//! address alone). A stamp names the ruleset that judged: after a reload the rest of a datagram is
//! dropped. A fragment that reaches back over the first one is dropped, because it could rewrite
//! the ports that were judged (RFC 1858, RFC 5722).

use lookup::{DomainId, Revision, Side};

use crate::Family;
use crate::parse::{Head, Piece};
use crate::stamps::{Stamp, Stamps};

/// Datagrams under way, over all workers.
const DATAGRAMS: usize = 1 << 14;
/// As long as Linux waits for the rest of an IPv4 datagram.
const TIMEOUT_MS: u64 = 30_000;

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
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self(Stamps::new(DATAGRAMS, key))
    }

    fn print(&self, head: &Head, piece: &Piece, side: Side, revision: Revision) -> u64 {
        let mut bytes = [0; 43];
        bytes[..16].copy_from_slice(&head.src.to_ne_bytes());
        bytes[16..32].copy_from_slice(&head.dst.to_ne_bytes());
        bytes[32..36].copy_from_slice(&piece.id.to_ne_bytes());
        bytes[36..40].copy_from_slice(&revision.0.to_ne_bytes());
        // In IPv6 every fragment names a protocol of its own choice (RFC 8200, 4.5).
        let proto = if head.family == Family::V4 { piece.proto } else { 0 };
        bytes[40..].copy_from_slice(&[proto, head.family as u8, side as u8]);
        self.0.print(&bytes)
    }

    /// The first fragment was forwarded: the others may follow.
    pub(crate) fn admit(
        &self,
        (head, piece): (&Head, &Piece),
        (side, revision): (Side, Revision),
        now_ms: u64,
        first: First,
    ) {
        let print = self.print(head, piece, side, revision);
        // Two first fragments with one id: the others may lie over neither.
        self.0.put(print, now_ms, |old| {
            let end = old.map_or(0, |old| First::unpack(old.value).end).max(first.end);
            Stamp::new(now_ms + TIMEOUT_MS, First { end, ..first }.pack())
        });
    }

    /// What the first fragment of this one's datagram said, if it was forwarded.
    pub(crate) fn find(
        &self,
        (head, piece): (&Head, &Piece),
        (side, revision): (Side, Revision),
        now_ms: u64,
    ) -> Option<First> {
        let stamp = self.0.find(self.print(head, piece, side, revision), now_ms)?;
        Some(First::unpack(stamp.value))
    }
}
