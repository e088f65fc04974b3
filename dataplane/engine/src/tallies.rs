//! What the workers count by country, source and network, put together for `status` and the log.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use filter::{DomainTally, Tally};
use lookup::Legend;

use crate::{
    clock::unix_ns,
    status::{AsnStatus, CountryStatus, DomainStatus, SourceStatus, Status},
};

/// Sources shown of each domain.
const SOURCES: usize = 20;
/// Operators shown.
const ASNS: usize = 50;

/// The tallies of all workers, those among them that came later; shared by all who read them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Arc<Mutex<Vec<Arc<Tally>>>>);

impl Tallies {
    /// Another worker's.
    pub(crate) fn add(&self, tally: Arc<Tally>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tally);
    }

    /// Those of now.
    pub(crate) fn all(&self) -> Vec<Arc<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Seconds since 1970 UTC, as workers note them.
pub(crate) fn now_s() -> u32 {
    u32::try_from(unix_ns() / 1_000_000_000).unwrap_or(u32::MAX)
}

/// What all workers counted of a domain, or of packets that have none.
pub(crate) fn joined(tallies: &[Arc<Tally>], domain: Option<&str>, now_s: u32) -> DomainTally {
    let mut all = DomainTally::default();
    for tally in tallies {
        tally.add_to(&mut all, domain, now_s);
    }
    all
}

/// Fills in what `status` shows of them.
pub(crate) fn fill(status: &mut Status, tallies: &[Arc<Tally>], legend: &Legend) {
    let now_s = now_s();
    let mut asns: BTreeMap<u32, u64> = BTreeMap::new();
    let names = legend.domains().iter().map(|domain| Some(domain.name.as_str()));
    for name in names.chain([None]) {
        let all = joined(tallies, name, now_s);
        let mut sources: Vec<_> = all
            .sources
            .iter()
            .map(|(address, source)| told(name, *address, source, legend))
            .collect();
        for source in &sources {
            if let Some(asn) = source.asn {
                *asns.entry(asn).or_default() += source.dropped;
            }
        }
        sources.sort_by_key(|source| Reverse(source.dropped));
        sources.truncate(SOURCES);
        status.sources.extend(sources);
        if let Some(name) = name {
            status.domains.insert(name.to_owned(), domain(&all));
        }
    }
    status.sources.sort_by_key(|source| Reverse(source.dropped));
    status.asns = asns.into_iter().map(|(asn, dropped)| AsnStatus { asn, dropped }).collect();
    status.asns.sort_by_key(|asn| Reverse(asn.dropped));
    status.asns.truncate(ASNS);
}

fn domain(all: &DomainTally) -> DomainStatus {
    let countries = all.regions.iter().map(|(region, counters)| {
        let filter::RegionCounters { flows_allowed, dropped } = *counters;
        (region.to_string(), CountryStatus { flows_allowed, dropped })
    });
    DomainStatus {
        allowed: all.packets.allowed,
        dropped: all.packets.dropped,
        shadowed: all.packets.shadowed,
        networks: all.networks.estimate(),
        countries: countries.collect(),
    }
}

fn told(
    domain: Option<&str>,
    address: IpAddr,
    source: &filter::Source,
    legend: &Legend,
) -> SourceStatus {
    let origin = legend.origin(address);
    SourceStatus {
        domain: domain.map(str::to_owned),
        source: address,
        dropped: source.dropped,
        dropped_before: source.before,
        ports: source.ports.estimate(),
        destinations: source.destinations.estimate(),
        country: origin.country.map(|country| country.to_string()),
        asn: origin.asn.map(|asn| asn.0),
        last_port: source.last_port,
    }
}
