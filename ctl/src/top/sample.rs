//! One answer of `status`, read by its published names.
//!
//! The type is the screen's own on purpose: what a gateway of another version does not say is `None`
//! here, and is shown as absent instead of as zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A gateway at one moment; packets since its start.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Sample {
    pub(super) received: u64,
    pub(super) forwarded: u64,
    #[serde(default)]
    pub(super) leased: Option<u64>,
    pub(super) passed: u64,
    pub(super) dropped: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) records: Option<Records>,
    #[serde(default)]
    pub(super) shadowed: Option<u64>,
    #[serde(default)]
    pub(super) shadow_records: Option<Records>,
    #[serde(default)]
    pub(super) exceptions: Option<u64>,
    #[serde(default)]
    pub(super) exception_records: Option<Records>,
    /// Records that no log will ever have.
    #[serde(default)]
    pub(super) unwritten: Option<u64>,
    #[serde(default)]
    pub(super) sinks: Option<Vec<Sink>>,
    #[serde(default)]
    pub(super) patterns: Option<BTreeMap<String, u64>>,
    pub(super) flows: u64,
    pub(super) revision: u64,
    #[serde(default)]
    pub(super) geo: Option<Geo>,
    #[serde(default)]
    pub(super) uptime_s: Option<u64>,
    #[serde(default)]
    pub(super) workers: Vec<Worker>,
    #[serde(default)]
    pub(super) interfaces: Vec<Interface>,
    #[serde(default)]
    pub(super) domains: BTreeMap<String, Domain>,
    #[serde(default)]
    pub(super) sources: Option<Vec<Source>>,
    #[serde(default)]
    pub(super) asns: Option<Vec<Asn>>,
    #[serde(default)]
    pub(super) policy: Option<Policy>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// What became of the drops' records.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Records {
    pub(super) recorded: u64,
    pub(super) suppressed: u64,
    pub(super) lost: u64,
}

/// Where records go.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Sink {
    pub(super) name: String,
    #[serde(default)]
    pub(super) to: String,
    pub(super) written: u64,
    pub(super) lost: u64,
}

/// The databases in use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Geo {
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) build: Option<String>,
    #[serde(default)]
    pub(super) age_days: Option<i64>,
    /// The age from which the policy calls them old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age_days: Option<u64>,
    /// The operators' database.
    #[serde(default)]
    pub(super) asn: Option<Box<Geo>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Worker {
    pub(super) core: u64,
    pub(super) queue: u64,
    pub(super) mode: String,
    pub(super) received: u64,
    pub(super) forwarded: u64,
    #[serde(default)]
    pub(super) dropped: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) flows: Option<u64>,
    #[serde(default)]
    pub(super) longest_pause_ms: Option<u64>,
    #[serde(default)]
    pub(super) burst_ns: Option<Burst>,
    #[serde(default)]
    pub(super) time: Option<Time>,
    pub(super) frames: Frames,
}

/// Where a worker's time went since the start, nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Time {
    pub(super) total_ns: Stages,
    #[serde(default)]
    pub(super) asleep_ns: u64,
    #[serde(default)]
    pub(super) sleeps: u64,
}

/// What each stage took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stages {
    pub(super) idle: u64,
    pub(super) receive: u64,
    pub(super) classify: u64,
    pub(super) transmit: u64,
    pub(super) housekeeping: u64,
}

/// The time from the receiving of a burst to its commit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Burst {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

/// Where a worker's frames are.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Frames {
    pub(super) free: u64,
    pub(super) fill: u64,
    pub(super) rx: u64,
    pub(super) tx: u64,
    pub(super) completion: u64,
    pub(super) total: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) side: String,
    #[serde(default)]
    pub(super) unserved_dropped: u64,
    #[serde(default)]
    pub(super) unserved_bridged: u64,
    #[serde(default)]
    pub(super) kernel_dropped: u64,
    #[serde(default)]
    pub(super) shed: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Domain {
    pub(super) allowed: u64,
    pub(super) dropped: u64,
    #[serde(default)]
    pub(super) shadowed: u64,
    /// Dropped lately, estimated.
    #[serde(default)]
    pub(super) networks: Option<u64>,
    #[serde(default)]
    pub(super) countries: Option<BTreeMap<String, Country>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Country {
    #[serde(default)]
    pub(super) flows_allowed: u64,
    #[serde(default)]
    pub(super) dropped: u64,
}

/// One of the busiest dropped sources; its count is an estimate.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Source {
    #[serde(default)]
    pub(super) domain: Option<String>,
    pub(super) source: String,
    pub(super) dropped: u64,
    #[serde(default)]
    pub(super) dropped_before: Option<u64>,
    #[serde(default)]
    pub(super) ports: Option<u64>,
    #[serde(default)]
    pub(super) destinations: Option<u64>,
    #[serde(default)]
    pub(super) country: Option<String>,
    #[serde(default)]
    pub(super) asn: Option<u64>,
    #[serde(default)]
    pub(super) last_port: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asn {
    #[serde(default)]
    pub(super) asn: Option<u64>,
    pub(super) dropped: u64,
}

/// What is in force, and for how long.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Policy {
    #[serde(default)]
    pub(super) pending: Option<Pending>,
    #[serde(default)]
    pub(super) differs: Option<bool>,
    #[serde(default)]
    pub(super) exceptions: Vec<Exception>,
    /// Revisions in the history.
    #[serde(default)]
    pub(super) history: Option<u64>,
    /// Those that its folder does not have.
    #[serde(default)]
    pub(super) unwritten: Option<u64>,
}

/// A revision that waits for its confirmation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) revision: u64,
    pub(super) back_to: u64,
    pub(super) remaining_s: u64,
}

/// A source that is let in until a date.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Exception {
    pub(super) domain: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) until: Option<String>,
    #[serde(default)]
    pub(super) owner: Option<String>,
}
