//! What a worker counts for others to see: by domain and region, by source, by service.
//!
//! Fixed memory, about 6 MB a worker, all of it single-writer atomics: the worker loads and stores, with
//! no lock prefix, and anybody reads at any time. Counters stand by the names of domains and services
//! ([`rows`]), so that a reload changes nothing about them.
//!
//! ```text
//!  worker --> domain row | allowed, dropped, shadowed | by region: flows, drops | sources | networks |
//!             service row | networks |                                                 |
//!                                                                 status, log <--------'
//! ```

mod probe;
mod rows;
mod sources;
mod spread;
mod writer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use lookup::Region;

use crate::DomainCounters;
use probe::Probe;
use rows::{Rows, print};
use sources::Sources;

pub use sources::Source;
pub use spread::Spread;
pub(crate) use writer::Writer;

/// How many domains have counters of their own; the last one also counts those beyond.
pub const MAX_DOMAINS: usize = 256;
/// How many services have an estimate of their own; the last one also takes those beyond.
const MAX_SERVICES: usize = 1024;
/// The row of packets that have no domain.
const NOWHERE: usize = MAX_DOMAINS;

/// What one region did in one domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionCounters {
    /// Flows that were allowed and kept; one that another worker sees too counts there again.
    pub flows_allowed: u64,
    /// Packets that the policy dropped.
    pub dropped: u64,
}

/// One domain as its workers saw it; [`Tally::add_to`] fills it.
#[derive(Clone, Debug, Default)]
pub struct DomainTally {
    /// Packets.
    pub packets: DomainCounters,
    /// By the region of the address on the outside; regions without any are absent.
    pub regions: BTreeMap<Region, RegionCounters>,
    /// The sources dropped most: an IPv4 address or the first of an IPv6 /64. Not in order of size.
    pub sources: BTreeMap<IpAddr, Source>,
    /// How many networks (IPv4 /24, IPv6 /48) were dropped in the last 10 to 20 minutes: 6.5 % standard
    /// error.
    pub networks: Spread<16>,
}

#[derive(Debug, Default)]
struct Pair {
    flows_allowed: AtomicU64,
    dropped: AtomicU64,
}

/// One domain's row.
#[derive(Debug)]
struct Row {
    allowed: AtomicU64,
    dropped: AtomicU64,
    shadowed: AtomicU64,
    regions: Box<[Pair]>,
    sources: Box<Sources>,
    networks: Probe,
}

impl Row {
    fn new() -> Self {
        Self {
            allowed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            shadowed: AtomicU64::new(0),
            regions: (0..Region::COUNT).map(|_| Pair::default()).collect(),
            sources: Box::default(),
            networks: Probe::default(),
        }
    }

    fn clear(&self) {
        for counter in [&self.allowed, &self.dropped, &self.shadowed] {
            counter.store(0, Release);
        }
        for pair in &self.regions {
            pair.flows_allowed.store(0, Release);
            pair.dropped.store(0, Release);
        }
        self.sources.clear();
        self.networks.clear();
    }
}

/// What one worker counts for others to see; see the module.
#[derive(Debug)]
pub struct Tally {
    names: Rows,
    domains: Box<[Row; NOWHERE + 1]>,
    service_names: Rows,
    services: Box<[Probe]>,
}

impl Tally {
    fn new() -> Self {
        Self {
            names: Rows::new(MAX_DOMAINS),
            domains: Box::new(std::array::from_fn(|_| Row::new())),
            service_names: Rows::new(2 * MAX_SERVICES),
            services: (0..2 * MAX_SERVICES).map(|_| Probe::default()).collect(),
        }
    }

    /// Adds what this worker saw of a domain to what others did; `None` is what has no domain (packets
    /// to no service, connections of the inside, packets that cannot be judged). False if it has not
    /// met the domain yet.
    pub fn add_to(&self, all: &mut DomainTally, domain: Option<&str>, now_s: u32) -> bool {
        let wanted = domain.map(|name| print(name, ""));
        let row = || wanted.map_or(Some(NOWHERE), |print| self.names.find(print));
        let Some(found) = row() else { return false };
        let mut read = all.clone();
        self.domains[found].add_to(&mut read, now_s);
        // Given away meanwhile, it was another domain's.
        let same = row() == Some(found);
        if same {
            *all = read;
        }
        same
    }

    /// How many networks were dropped at a service in the last 10 to 20 minutes; empty if the worker has
    /// not met it.
    #[must_use]
    pub fn service_networks(&self, domain: &str, service: &str, now_s: u32) -> Spread<16> {
        let row = self.service_names.find(print(domain, service));
        row.map_or_else(Spread::default, |row| self.services[row].read(now_s))
    }
}

impl Row {
    fn add_to(&self, all: &mut DomainTally, now_s: u32) {
        all.packets.allowed += self.allowed.load(Acquire);
        all.packets.dropped += self.dropped.load(Acquire);
        all.packets.shadowed += self.shadowed.load(Acquire);
        for (region, pair) in Region::all().zip(&self.regions) {
            let flows_allowed = pair.flows_allowed.load(Acquire);
            let dropped = pair.dropped.load(Acquire);
            if flows_allowed + dropped > 0 {
                let have = all.regions.entry(region).or_default();
                have.flows_allowed += flows_allowed;
                have.dropped += dropped;
            }
        }
        self.sources.add_to(&mut all.sources);
        all.networks.join(&self.networks.read(now_s));
    }
}

/// Counts one more; only the writer.
#[inline]
fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Counts so many more; only the writer.
#[inline]
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Acquire) + more, Release);
}
