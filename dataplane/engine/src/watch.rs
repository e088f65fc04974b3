//! Patterns before incidents: once an interval, what the workers counted becomes lines of the log.
//!
//! ```text
//!  tallies of the workers --joined--> domain now - domain an interval ago --> patterns
//!  the last events -------------------------------------------------------> their exemplars
//! ```
//! Runs on the logger's thread and costs about a millisecond a domain. What it reports is bounded for
//! each domain and kind, so that a flood of patterns is none.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::{Duration, Instant},
};

use filter::{DomainTally, DropRecord, RegionCounters, Source};
use lookup::{Legend, Region};

use crate::{
    clock::unix_ns,
    event::Event,
    line::{Proto, timestamp},
    logger::Legends,
    pattern::{Exemplar, Facts, Kind, Pattern},
    recent::Recent,
    tallies::{Tallies, joined, now_s},
    wanted::Network,
};

/// Different ports (or destinations) of a source that sweeps, and its drops in the interval.
const SWEEP: u64 = 16;
/// Different networks that try a service that is probed.
const PROBED: u64 = 64;
/// Drops a second of a source that is busy.
const BUSY_PPS: u64 = 10;
/// Patterns of one kind that a domain may have in an interval.
const MOST: usize = 10;
/// How far back exemplars are looked for, and how many are shown.
const LOOK_BACK: usize = 4096;
const EXEMPLARS: usize = 3;
/// A service that is still probed is told again after this time.
const AGAIN: Duration = Duration::from_secs(1200);

/// See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    tallies: Tallies,
    interval: Duration,
    last: Instant,
    /// Domains as they were an interval ago; `None` is what has no domain.
    before: HashMap<Option<String>, Before>,
    /// Services told as probed: by how many networks, and when.
    probed: HashMap<(String, String), (u64, Instant)>,
}

#[derive(Debug, Default)]
struct Before {
    regions: BTreeMap<Region, RegionCounters>,
    sources: BTreeMap<IpAddr, Source>,
}

/// What all patterns of one interval share.
struct Scene<'a> {
    legend: &'a Legend,
    recent: &'a [Event],
    timestamp: String,
    interval_s: u64,
}

impl Watch {
    /// Watches these workers.
    pub(crate) fn new(tallies: Tallies, interval: Duration) -> Self {
        let (before, probed) = (HashMap::new(), HashMap::new());
        Self { tallies, interval, last: Instant::now(), before, probed }
    }

    /// The patterns of the interval, if it is over.
    pub(crate) fn look(&mut self, legends: &Legends, recent: &Recent) -> Vec<Pattern> {
        let now = Instant::now();
        if now.saturating_duration_since(self.last) < self.interval {
            return Vec::new();
        }
        let interval = now - std::mem::replace(&mut self.last, now);
        let Some(legend) = legends.newest() else { return Vec::new() };
        let recent = recent.piece(recent.next().saturating_sub(LOOK_BACK as u64), LOOK_BACK).events;
        let scene = Scene {
            legend: &legend,
            recent: &recent,
            timestamp: timestamp(unix_ns()),
            interval_s: interval.as_secs().max(1),
        };
        let names = legend.domains().iter().map(|domain| Some(domain.name.clone()));
        let tallies = self.tallies.all();
        let mut patterns = Vec::new();
        let mut kept = HashMap::new();
        for name in names.chain([None]) {
            let all = joined(&tallies, name.as_deref(), now_s());
            let before = self.before.remove(&name);
            let known = before.is_some();
            let before = before.unwrap_or_default();
            sources(&scene, name.as_deref(), &all, &before, &mut patterns);
            // A domain's first interval only shows what is usual there; and from somewhere everything
            // comes that nobody asked for.
            if let Some(name) = name.as_deref().filter(|_| known) {
                countries(&scene, name, &all, &before, &mut patterns);
            }
            kept.insert(name, Before { regions: all.regions, sources: all.sources });
        }
        // Domains that are no longer there are forgotten.
        self.before = kept;
        self.services(&scene, now, &mut patterns);
        patterns
    }

    /// Services that many networks try.
    fn services(&mut self, scene: &Scene<'_>, now: Instant, patterns: &mut Vec<Pattern>) {
        self.probed.retain(|_, (_, told)| now.saturating_duration_since(*told) < AGAIN);
        let now_s = now_s();
        let tallies = self.tallies.all();
        let mut most = MOST * 2;
        for (service, domain) in scene.legend.services() {
            let domain = scene.legend.domain_name(*domain);
            let mut spread = filter::Spread::default();
            for tally in &tallies {
                spread.join(&tally.service_networks(domain, service, now_s));
            }
            let networks = spread.estimate();
            let key = (domain.to_owned(), service.clone());
            let told = self.probed.get(&key).map_or(0, |(networks, _)| *networks);
            if networks < PROBED || networks < told + told / 2 || most == 0 {
                continue;
            }
            most -= 1;
            self.probed.insert(key, (networks, now));
            let text =
                format!("about {networks} networks tried {domain}/{service} within 20 minutes");
            let facts = Facts {
                domain: Some(domain.to_owned()),
                service: Some(service.clone()),
                networks: Some(networks),
                exemplars: scene.exemplars(|record, legend| {
                    record.service.is_some_and(|id| legend.service_name(id) == service)
                        && record.domain.is_some_and(|id| legend.domain_name(id) == domain)
                }),
                ..scene.facts(Kind::Probed, text)
            };
            patterns.push(scene.pattern(facts));
        }
    }
}

/// Sources that sweep, and those that are only busy.
fn sources(
    scene: &Scene<'_>,
    domain: Option<&str>,
    all: &DomainTally,
    before: &Before,
    patterns: &mut Vec<Pattern>,
) {
    let (mut sweeps, mut busy) = (Vec::new(), Vec::new());
    for (&address, source) in &all.sources {
        let earlier = before.sources.get(&address).filter(|was| was.first_s == source.first_s);
        let dropped = source.dropped - earlier.map_or(0, |was| was.dropped.min(source.dropped));
        let reach = |source: &Source| source.ports.estimate().max(source.destinations.estimate());
        let wider = earlier.is_none_or(|was| reach(was) < reach(source));
        if dropped >= SWEEP && reach(source) >= SWEEP && wider {
            sweeps.push((dropped, address, source));
        } else if dropped >= BUSY_PPS * scene.interval_s {
            busy.push((dropped, address, source));
        }
    }
    for (kind, mut found) in [(Kind::Sweep, sweeps), (Kind::Busy, busy)] {
        found.sort_by_key(|(dropped, ..)| Reverse(*dropped));
        found.truncate(MOST);
        for (dropped, address, source) in found {
            patterns.push(scene.of_source(kind, domain, address, source, dropped));
        }
    }
}

/// Countries that a domain had nothing of before.
fn countries(
    scene: &Scene<'_>,
    domain: &str,
    all: &DomainTally,
    before: &Before,
    patterns: &mut Vec<Pattern>,
) {
    let new = all.regions.iter().filter(|(region, _)| !before.regions.contains_key(region));
    for (region, counters) in new.take(MOST) {
        let RegionCounters { flows_allowed, dropped } = *counters;
        let text = format!(
            "{region} is new in {domain}: {dropped} dropped, {flows_allowed} flows allowed"
        );
        let facts = Facts {
            domain: Some(domain.to_owned()),
            country: Some(region.to_string()),
            dropped: Some(dropped),
            flows_allowed: Some(flows_allowed),
            exemplars: scene.exemplars(|record, legend| {
                let country = record.remote().and_then(|remote| legend.origin(remote).country);
                country.is_some_and(|country| Region::new(Some(country), false) == *region)
                    && record.domain.is_some_and(|id| legend.domain_name(id) == domain)
            }),
            ..scene.facts(Kind::NewCountry, text)
        };
        patterns.push(scene.pattern(facts));
    }
}

impl Scene<'_> {
    fn of_source(
        &self,
        kind: Kind,
        domain: Option<&str>,
        address: IpAddr,
        source: &Source,
        dropped: u64,
    ) -> Pattern {
        let origin = self.legend.origin(address);
        let (ports, destinations) = (source.ports.estimate(), source.destinations.estimate());
        let country = origin.country.map(|country| country.to_string());
        let place = country.as_deref().unwrap_or("no country");
        let asn = origin.asn.map(|asn| asn.0);
        let operator = asn.map(|asn| format!(" AS{asn}")).unwrap_or_default();
        let within = self.interval_s;
        let did = match kind {
            Kind::Sweep => format!("tried about {ports} ports of about {destinations} addresses"),
            _ => "was busy".to_owned(),
        };
        let text = format!("{address} ({place}{operator}) {did}: {dropped} dropped in {within} s");
        // An IPv6 source stands for its /64.
        let network = Network::around(address, 64);
        let facts = Facts {
            domain: domain.map(str::to_owned),
            source: Some(address),
            country,
            asn,
            dropped: Some(dropped),
            ports: Some(ports),
            destinations: Some(destinations),
            exemplars: self.exemplars(|record, legend| {
                record.src().is_some_and(|src| network.holds(src))
                    && record.domain.map(|id| legend.domain_name(id)) == domain
            }),
            ..self.facts(kind, text)
        };
        self.pattern(facts)
    }

    fn facts(&self, pattern: Kind, text: String) -> Facts {
        Facts { pattern, text, interval_s: self.interval_s, ..Facts::default() }
    }

    fn pattern(&self, palisade: Facts) -> Pattern {
        Pattern { timestamp: self.timestamp.clone(), event_type: "pattern", palisade }
    }

    /// The newest few of the records that are of a pattern, one for each destination port.
    fn exemplars(&self, is_one: impl Fn(&DropRecord, &Legend) -> bool) -> Vec<Exemplar> {
        let mut found: Vec<Exemplar> = Vec::new();
        for event in self.recent.iter().rev() {
            let Event::Record(record, Some(legend)) = event else { continue };
            let told = |port| found.iter().any(|one| one.dest_port == port);
            let dropped = record.reason().is_some();
            if dropped && !told(record.dst_port) && is_one(record, legend) {
                found.push(Exemplar {
                    src_ip: record.src(),
                    src_port: record.src_port,
                    dest_ip: record.dst(),
                    dest_port: record.dst_port,
                    proto: Proto(record.proto),
                });
            }
            if found.len() == EXEMPLARS {
                break;
            }
        }
        found
    }
}
