//! The compiled policy.

use std::sync::Arc;

use crate::{ClassId, Judgement, Query, Revision};

/// A policy and its geo data, compiled: immutable, shared by all workers, answers in constant time.
#[derive(Debug)]
pub struct Ruleset {
    revision: Revision,
    legend: Arc<Legend>,
}

/// Names and origins behind the ids, for records and `explain`; off the path of a packet.
#[derive(Debug)]
pub struct Legend {}

impl Ruleset {
    /// The revision that this ruleset was compiled as.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Names and origins; outlives the tables in the logger.
    #[must_use]
    pub fn legend(&self) -> &Arc<Legend> {
        &self.legend
    }

    /// The class of one IPv4 address (host byte order).
    #[must_use]
    pub fn class_v4(&self, _address: u32) -> ClassId {
        todo!()
    }

    /// The class of one IPv6 address (host byte order).
    #[must_use]
    pub fn class_v6(&self, _address: u128) -> ClassId {
        todo!()
    }

    /// The classes of a batch of IPv4 addresses: `class_v4` of each, with the memory latency of one.
    /// Writes the first `min(addresses.len(), classes.len())` places.
    pub fn classes_v4(&self, _addresses: &[u32], _classes: &mut [ClassId]) {
        todo!()
    }

    /// The classes of a batch of IPv6 addresses.
    pub fn classes_v6(&self, _addresses: &[u128], _classes: &mut [ClassId]) {
        todo!()
    }

    /// The verdict on a pair that has a service, or that comes from the inside. From the outside to
    /// no service this is `Drop(NoService)`, unless the remote address is failsafe.
    #[must_use]
    pub fn judge(&self, _query: Query) -> Judgement {
        todo!()
    }

    /// The verdict on a packet from the outside to no service that answers a connection opened from
    /// the inside (the caller knows, by a flow or a pinhole): the egress policy's of `remote`.
    #[must_use]
    pub fn judge_reply(&self, _remote: ClassId) -> Judgement {
        todo!()
    }
}
