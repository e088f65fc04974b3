//! What `palisade status --json` and the drop log say, read by their published names.
//!
//! The types are the bench's own on purpose: a field that the gateway renames should fail a test.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A gateway at one moment.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Packets received.
    pub received: u64,
    /// Packets judged and forwarded.
    pub forwarded: u64,
    /// Packets forwarded in the driver by a lease.
    pub leased: u64,
    /// Link traffic forwarded unjudged.
    pub passed: u64,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What became of the drops.
    pub records: Records,
    /// Entries of the flow tables.
    pub flows: u64,
    /// The ruleset in force.
    pub revision: u64,
    /// How workers wait; nothing of a gateway that does not say.
    #[serde(default)]
    pub poll: String,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// One a worker.
    pub workers: Vec<Worker>,
    /// Outside and inside.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// By name.
    #[serde(default)]
    pub domains: BTreeMap<String, Domain>,
}

/// A domain and where its packets come from.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Domain {
    /// Packets allowed.
    pub allowed: u64,
    /// Packets dropped.
    pub dropped: u64,
    /// By country; nothing when the gateway does not count them.
    #[serde(default)]
    pub countries: Option<BTreeMap<String, FromCountry>>,
}

/// What came from one country.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct FromCountry {
    /// Flows allowed.
    pub flows_allowed: u64,
    /// Packets dropped.
    pub dropped: u64,
}

/// An interface and what never reached a worker.
#[derive(Clone, Debug, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Packets that the kernel dropped for want of a frame, of its size, or of room in a ring.
    pub kernel_dropped: u64,
    /// Openers of TCP connections that the program held back while a ring overflowed.
    pub shed: u64,
    /// Packets of queues without a worker, dropped by the fail mode.
    #[serde(default)]
    pub unserved_dropped: u64,
    /// Packets of queues without a worker, bridged by the fail mode.
    #[serde(default)]
    pub unserved_bridged: u64,
}

/// What became of the drops.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Records {
    /// One line each in the log.
    pub recorded: u64,
    /// Counted in the field of that name of a line.
    pub suppressed: u64,
    /// Neither: the ring was full.
    pub lost: u64,
}

/// A worker and its packets.
#[derive(Clone, Debug, Deserialize)]
pub struct Worker {
    /// The core it runs on.
    pub core: u32,
    /// The queue it serves.
    pub queue: u32,
    /// The AF_XDP mode granted.
    pub mode: String,
    /// `working`, `waiting`, `resting`; nothing of a gateway that does not say.
    #[serde(default)]
    pub state: String,
    /// Where its time went.
    #[serde(default)]
    pub time: Time,
    /// Where its frames are.
    pub frames: Frames,
    /// Packets received.
    pub received: u64,
    /// Packets judged and forwarded.
    pub forwarded: u64,
    /// Packets forwarded in the driver by a lease.
    pub leased: u64,
    /// Link traffic forwarded unjudged.
    pub passed: u64,
    /// Packets that left many at once.
    #[serde(default)]
    pub in_bulk: u64,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What became of the drops.
    pub records: Records,
}

/// Where a worker's time went since the start.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Time {
    /// By what it did.
    pub total_ns: Stages,
    /// Of the idle time.
    pub asleep_ns: u64,
    /// How often it slept.
    pub sleeps: u64,
}

/// Nanoseconds by what a worker did.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Stages {
    /// Nothing came.
    pub idle: u64,
    /// Rings and frames.
    pub receive: u64,
    /// Verdicts.
    pub classify: u64,
    /// Sending.
    pub transmit: u64,
    /// Timeouts, counters.
    pub housekeeping: u64,
}

impl Stages {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.idle + self.receive + self.classify + self.transmit + self.housekeeping
    }
}

/// Where the frames of a worker are.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Frames {
    /// In the free list.
    pub free: u64,
    /// In the fill rings.
    pub fill: u64,
    /// In the receive rings.
    pub rx: u64,
    /// In the transmit rings.
    pub tx: u64,
    /// In the completion rings.
    pub completion: u64,
    /// All of them.
    pub total: u64,
}

/// One line of the drop log.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// RFC 3339, microseconds.
    pub timestamp: String,
    /// Always `drop`.
    pub event_type: String,
    /// Where the packet came from; nothing when it has no address.
    #[serde(deserialize_with = "or_empty")]
    pub src_ip: String,
    /// Its source port.
    pub src_port: Option<u16>,
    /// Where it was going; nothing when it has no address.
    #[serde(deserialize_with = "or_empty")]
    pub dest_ip: String,
    /// Its destination port.
    pub dest_port: Option<u16>,
    /// The protocol, in letters.
    pub proto: String,
    /// The interface it arrived on.
    pub in_iface: String,
    /// What Palisade adds to EVE.
    pub palisade: Why,
}

/// Why the packet was dropped.
#[derive(Clone, Debug, Deserialize)]
pub struct Why {
    /// Country of the remote address.
    pub country: Option<String>,
    /// Autonomous system of the remote address.
    pub asn: Option<u32>,
    /// The network of the database that holds it.
    pub prefix: Option<String>,
    /// The service's domain.
    pub domain: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The drop reason.
    pub reason: String,
    /// The ruleset that judged.
    pub revision: u64,
    /// Drops before this one that have no line of their own.
    pub suppressed: u64,
}

fn or_empty<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

impl Status {
    /// All drops.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }
}
