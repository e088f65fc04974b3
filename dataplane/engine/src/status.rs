//! What `palisade status --json` shows: the same numbers for people, scripts and metrics.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{GeoAge, SandboxStatus, standing::PolicyStatus};

/// A gateway at one moment. Counters are packets since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Packets of all workers.
    #[serde(flatten)]
    pub packets: Packets,
    /// Entries of all flow tables.
    pub flows: u64,
    /// The ruleset in force.
    pub revision: u32,
    /// The geo databases in use.
    pub geo: GeoAge,
    /// How the policy stands: what waits, what differs, what ends.
    pub policy: PolicyStatus,
    /// Where the time of all workers goes.
    pub time: TimeStatus,
    /// How workers wait: `busy`, `adaptive`, `interrupt`.
    pub poll: String,
    /// Packets that a worker takes at a time, at most.
    pub burst: u32,
    /// One a worker.
    pub workers: Vec<WorkerStatus>,
    /// The two interfaces.
    pub interfaces: Vec<InterfaceStatus>,
    /// By domain, in the policy's order.
    pub domains: BTreeMap<String, DomainStatus>,
    /// The sources dropped most, busiest first, at most 20 a domain: estimates, see docs/see.md.
    pub sources: Vec<SourceStatus>,
    /// The operators of these sources, busiest first, at most 50.
    pub asns: Vec<AsnStatus>,
    /// Drop records that could not be written to the log.
    pub unwritten: u64,
    /// Where records go: the log first, then syslog and journald.
    pub sinks: Vec<SinkStatus>,
    /// Patterns told in the log since the start, by kind.
    #[serde(default)]
    pub patterns: BTreeMap<String, u64>,
    /// What the process has given up.
    #[serde(default)]
    pub sandbox: SandboxStatus,
    /// Seconds since the gateway started.
    pub uptime_s: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Packet counters: `received == forwarded + passed + sum(dropped)`, and
/// `sum(dropped) == recorded + suppressed + lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Taken from the receive rings, or let through by a lease.
    pub received: u64,
    /// Judged and sent to the other interface.
    pub forwarded: u64,
    /// Let through in the driver, because their flow had a lease; they are among `received` and `forwarded`.
    #[serde(default)]
    pub leased: u64,
    /// Link traffic, sent to the other interface unjudged.
    pub passed: u64,
    /// Ended here, by reason; reasons that have not occurred are absent.
    pub dropped: BTreeMap<String, u64>,
    /// What became of the drops.
    pub records: RecordCounts,
    /// Packets that a shadow domain would have dropped; they are among `forwarded`.
    pub shadowed: u64,
    /// What became of their records.
    pub shadow_records: RecordCounts,
    /// First packets of flows that an exception allowed; they are among `forwarded`.
    pub exceptions: u64,
    /// What became of their records.
    pub exception_records: RecordCounts,
}

/// Where the record of a drop went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCounts {
    /// One line each in the drop log.
    pub recorded: u64,
    /// Over the rate: counted in the `suppressed` field of a recorded one.
    pub suppressed: u64,
    /// The ring was full.
    pub lost: u64,
}

/// One worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// The core that it is pinned to.
    pub core: usize,
    /// The queue of both interfaces that it serves.
    pub queue: u32,
    /// The mode that the kernel granted; the lesser one where the interfaces differ.
    pub mode: String,
    /// Whether it works.
    pub state: WorkerState,
    /// Where its frames are.
    pub frames: FrameCounts,
    /// Entries of its flow table.
    pub flows: u64,
    /// The revision that its last burst was judged by.
    pub revision: u32,
    /// The longest that it went without housekeeping since the start, milliseconds: on a core of its
    /// own a few, more where something else runs there too.
    pub longest_pause_ms: u64,
    /// Packets that left many at once, through the program of the interface that they came from.
    pub in_bulk: u64,
    /// How long its bursts take, from receive to commit, over the last 10 to 20 seconds.
    pub burst_ns: BurstTimes,
    /// Where its time goes.
    pub time: TimeStatus,
    /// Its packets.
    #[serde(flatten)]
    pub packets: Packets,
}

/// Whether a worker works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It never has, and is not shown.
    #[default]
    New,
    /// It serves its queue.
    Working,
    /// An interface is missing.
    Waiting,
    /// It was taken from its queue, whose packets fall to the fail mode; its counters stay.
    Resting,
}

/// Times of bursts in nanoseconds; one burst in eight is timed, quantiles are at most 12.5 % too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstTimes {
    /// Half of them took no longer.
    pub p50: u64,
    /// 99 % of them took no longer.
    pub p99: u64,
    /// 99.9 % of them took no longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// Where time goes; shares and times of a packet are those of the last 10 to 20 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeStatus {
    /// Nanoseconds since the start.
    pub total_ns: Stages<u64>,
    /// Of all time; together they are 1.
    pub share: Stages<f64>,
    /// Nanoseconds a packet; `null` when none was received.
    pub packet_ns: Option<PacketTimes>,
    /// Nanoseconds of the idle time since the start in which the core was given back.
    pub asleep_ns: u64,
    /// The same as a share of all time.
    pub asleep_share: f64,
    /// How often since the start.
    pub sleeps: u64,
}

/// A number for each thing that a worker does; each moment belongs to one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages<T> {
    /// Looking for packets where there are none, or asleep.
    pub idle: T,
    /// Taking packets and frames from the rings, and giving frames back.
    pub receive: T,
    /// From bytes to verdicts.
    pub classify: T,
    /// Sending on, with the kernel's part where it sends for us; what is dropped goes home.
    pub transmit: T,
    /// Timeouts, counters, the clock, answers about flows.
    pub housekeeping: T,
}

/// Nanoseconds a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PacketTimes {
    /// See [`Stages::receive`].
    pub receive: f64,
    /// See [`Stages::classify`].
    pub classify: f64,
    /// See [`Stages::transmit`].
    pub transmit: f64,
    /// The three together.
    pub total: f64,
}

/// One sink of drop records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// `log`, `syslog` or `journald`.
    pub name: String,
    /// Where it is.
    pub to: String,
    /// Lines that it took.
    pub written: u64,
    /// Lines that it did not take and never will.
    pub lost: u64,
}

/// `free + fill + rx + tx + completion == total`, at a burst boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// In the free list.
    pub free: u64,
    /// With the kernel, to receive into.
    pub fill: u64,
    /// Received, not yet taken by the worker.
    pub rx: u64,
    /// With the kernel, to transmit.
    pub tx: u64,
    /// Transmitted, not yet taken back.
    pub completion: u64,
    /// All frames of the worker's UMEM.
    pub total: u64,
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// `outside` or `inside`.
    pub side: String,
    /// Its driver, or the kind of a virtual link.
    pub driver: String,
    /// Its receive queues.
    pub queues: u32,
    /// Packets of queues that no worker served, dropped by the fail mode.
    pub unserved_dropped: u64,
    /// Packets of queues that no worker served, bridged by the fail mode.
    pub unserved_bridged: u64,
    /// Packets that the kernel dropped for want of a frame or of room in a ring.
    pub kernel_dropped: u64,
    /// Packets that open a TCP connection, dropped before the ring of their queue while it overflowed.
    pub shed: u64,
}

/// One domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatus {
    /// Forwarded because allowed.
    pub allowed: u64,
    /// Dropped by its rules.
    pub dropped: u64,
    /// Forwarded although its rules say drop: the domain is in shadow mode.
    pub shadowed: u64,
    /// Networks (IPv4 /24, IPv6 /48) that were dropped in the last 10 to 20 minutes, estimated.
    pub networks: u64,
    /// By country, and `unknown` and `private`; those of which nothing came are absent.
    pub countries: BTreeMap<String, CountryStatus>,
}

/// What came to a domain from one country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountryStatus {
    /// Flows that were allowed.
    pub flows_allowed: u64,
    /// Packets that its rules dropped.
    pub dropped: u64,
}

/// A source with many drops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The domain; `null` for packets to no service.
    pub domain: Option<String>,
    /// An address; of IPv6 the first of a /64.
    pub source: IpAddr,
    /// Packets dropped while it was watched: never more than there were.
    pub dropped: u64,
    /// At most so many may have been dropped before that.
    pub dropped_before: u64,
    /// Different ports that it tried, estimated.
    pub ports: u64,
    /// Different destinations that it tried, estimated.
    pub destinations: u64,
    /// Its country.
    pub country: Option<String>,
    /// Its operator.
    pub asn: Option<u32>,
    /// The port that it tried last.
    pub last_port: u16,
}

/// An operator with many drops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsnStatus {
    /// Its number.
    pub asn: u32,
    /// Packets dropped of the sources that are watched.
    pub dropped: u64,
}

impl Packets {
    /// All drops.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Both packet identities hold.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let dropped = self.dropped_total();
        self.received == self.forwarded + self.passed + dropped
            && dropped == self.records.total()
            && self.shadowed == self.shadow_records.total()
            && self.exceptions == self.exception_records.total()
    }

    /// Adds another worker's packets.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.forwarded += other.forwarded;
        self.leased += other.leased;
        self.passed += other.passed;
        self.shadowed += other.shadowed;
        for (reason, packets) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += packets;
        }
        self.records.add(other.records);
        self.shadow_records.add(other.shadow_records);
        self.exceptions += other.exceptions;
        self.exception_records.add(other.exception_records);
    }
}

impl<T: Copy> Stages<T> {
    /// Their names, in order.
    pub const NAMES: [&'static str; 5] =
        ["idle", "receive", "classify", "transmit", "housekeeping"];

    /// The numbers in the order of their names.
    #[must_use]
    pub fn list(self) -> [T; 5] {
        [self.idle, self.receive, self.classify, self.transmit, self.housekeeping]
    }

    /// Each made into another number.
    #[must_use]
    pub fn map<U>(self, to: impl Fn(T) -> U) -> Stages<U> {
        let [idle, receive, classify, transmit, housekeeping] = self.list().map(to);
        Stages { idle, receive, classify, transmit, housekeeping }
    }

    /// Each together with that of another.
    #[must_use]
    pub fn each(self, other: Self, of: impl Fn(T, T) -> T) -> Self {
        Self {
            idle: of(self.idle, other.idle),
            receive: of(self.receive, other.receive),
            classify: of(self.classify, other.classify),
            transmit: of(self.transmit, other.transmit),
            housekeeping: of(self.housekeeping, other.housekeeping),
        }
    }
}

impl Stages<u64> {
    /// All time.
    #[must_use]
    pub fn total(self) -> u64 {
        self.list().iter().sum()
    }
}

impl RecordCounts {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.recorded + self.suppressed + self.lost
    }

    fn add(&mut self, other: Self) {
        self.recorded += other.recorded;
        self.suppressed += other.suppressed;
        self.lost += other.lost;
    }
}

impl FrameCounts {
    /// Every frame is in exactly one place.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.free + self.fill + self.rx + self.tx + self.completion == self.total
    }
}
