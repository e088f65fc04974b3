//! What a worker counts: plain integers that only it writes.
//!
//! Two identities hold after every burst: each packet received has exactly one fate, and each
//! drop is recorded, suppressed or lost.

use crate::DropReason;

/// Packets of one domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainCounters {
    /// Allowed and forwarded.
    pub allowed: u64,
    /// Dropped by the domain's rules.
    pub dropped: u64,
    /// Forwarded although the rules say drop: the domain is in shadow mode.
    pub shadowed: u64,
}

/// What became of the records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounters {
    /// Written, or held and promised to be written.
    pub recorded: u64,
    /// Above the rate: counted in the `suppressed` field of a record.
    pub suppressed: u64,
    /// The ring was full.
    pub lost: u64,
}

impl RecordCounters {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.recorded + self.suppressed + self.lost
    }
}

/// The counters of one filter, since it was made. Gauges are marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed to `process`, and those that leases let through.
    pub received: u64,
    /// Judged and sent on.
    pub forwarded: u64,
    /// Let through by a lease (part of `received` and `forwarded`).
    pub leased: u64,
    /// Link traffic (ARP, neighbour discovery, MLD) sent on unjudged.
    pub passed: u64,
    /// Dropped, by [`DropReason::index`].
    pub dropped: [u64; DropReason::COUNT],
    /// Records of drops.
    pub records: RecordCounters,
    /// Forwarded although the rules say drop (part of `forwarded`).
    pub shadowed: u64,
    /// Records of shadowed packets.
    pub shadow_records: RecordCounters,
    /// First packets of flows that an exception allowed (part of `forwarded`).
    pub exceptions: u64,
    /// Records of them.
    pub exception_records: RecordCounters,
    /// Gauge: flows in the table now.
    pub flows: u64,
    /// Allowed packets whose flow found no place in the table; judged and forwarded all the same.
    pub flow_table_full: u64,
    /// Flows opened from the inside that found no place among the pinholes; their replies pass
    /// only where the same worker sees them.
    pub pinholes_full: u64,
}

impl Counters {
    /// The sum of `dropped`.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Whether both identities (and those of shadowed packets and of exceptions) hold.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let dropped = self.dropped_total();
        self.received == self.forwarded + self.passed + dropped
            && dropped == self.records.total()
            && self.shadowed == self.shadow_records.total()
            && self.exceptions == self.exception_records.total()
    }
}
