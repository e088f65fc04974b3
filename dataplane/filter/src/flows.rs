//! The flows of a worker as plain facts: what it lets through now, and since when.
//!
//! The table belongs to its worker, so the worker answers, between two bursts. One call looks at
//! [`SLICE`] buckets at most, a few microseconds; whoever wants all of them goes on from where the last
//! call ended. Flows that come or go meanwhile may be missed; none is shown twice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lookup::{DomainId, Proto, Revision, Side, Vlan};

use crate::flow::{Entry, Key, State, Timing};
use crate::{Filter, Now};

/// Buckets that one call looks at: 512 entries.
const SLICE: usize = 64;

/// The two ends of a conversation, as the gateway sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The address on the outside.
    pub remote: IpAddr,
    /// The address on the inside; of the same family.
    pub local: IpAddr,
    /// Its port on the outside; 0 where the protocol has none. ICMP: the query's id.
    pub remote_port: u16,
    /// Its port on the inside; 0 where the protocol has none.
    pub local_port: u16,
    /// The protocol, folded.
    pub proto: Proto,
    /// By [`lookup::Ruleset::vlan`].
    pub vlan: Vlan,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowState {
    /// Seen from one side only, or TCP that only shakes hands.
    Opening,
    /// Seen from both sides.
    Open,
    /// TCP FIN or RST was seen.
    Closing,
    /// Remembered, but the policy no longer allows it: its packets are judged and dropped.
    Former,
}

impl FlowState {
    /// The name in `flows`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Former => "former",
        }
    }
}

/// One flow of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its ends.
    pub pair: Pair,
    /// The service's domain; `None` for a connection of the inside.
    pub domain: Option<DomainId>,
    /// How far it has come.
    pub state: FlowState,
    /// Whose policy allows it: [`Side::Inside`] if the inside opened it, by egress.
    pub opened: Side,
    /// The ruleset that judged it last; when another is in force, its next packet is judged again.
    pub revision: Revision,
    /// When that was, seconds since 1970 UTC.
    pub judged_s: u32,
    /// Milliseconds since the last packet.
    pub silent_ms: u32,
    /// Packets that this worker saw since the flow was new, no more than fit.
    pub packets: u32,
}

impl Flow {
    fn of(entry: &Entry, now_ms: u32) -> Self {
        let key = &entry.key;
        let state = match (entry.timing(), entry.progress().state) {
            (Timing::Former, _) => FlowState::Former,
            (_, State::Opening) => FlowState::Opening,
            (_, State::Open) => FlowState::Open,
            (_, State::Closing) => FlowState::Closing,
        };
        let address = |bits: u128| match key.is_v4() {
            true => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            false => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        };
        Self {
            pair: Pair {
                remote: address(key.remote()),
                local: address(key.local()),
                remote_port: key.remote_port(),
                local_port: key.local_port(),
                proto: key.proto(),
                vlan: key.vlan(),
            },
            domain: entry.domain(),
            state,
            opened: if entry.egress() { Side::Inside } else { Side::Outside },
            revision: Revision(entry.revision),
            judged_s: entry.judged_s,
            silent_ms: now_ms.wrapping_sub(entry.seen_ms),
            packets: entry.packets,
        }
    }
}

impl Filter {
    /// Shows the flows of a slice of the table, from `cursor` on (0 at first); where to go on, or `None`
    /// at the end. Those that were silent for too long are left out.
    pub fn flows(&self, cursor: usize, now: Now, mut show: impl FnMut(Flow)) -> Option<usize> {
        let now_ms = now.wrapping_ms();
        for entry in self.table.slice(cursor, SLICE) {
            if !entry.expired(now_ms, &self.table.lives) {
                show(Flow::of(entry, now_ms));
            }
        }
        let next = cursor.saturating_add(SLICE);
        (next < self.table.bucket_count()).then_some(next)
    }

    /// What this worker knows of one conversation. Of ICMP queries with one id, the first found.
    #[must_use]
    pub fn flow(&self, pair: &Pair, now: Now) -> Option<Flow> {
        let now_ms = now.wrapping_ms();
        Key::kinds_of(pair).find_map(|key| {
            let slot = self.table.find(self.hasher.hash(&key), &key)?;
            let entry = self.table.peek(slot)?;
            (!entry.expired(now_ms, &self.table.lives)).then(|| Flow::of(entry, now_ms))
        })
    }
}
