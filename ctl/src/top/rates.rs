//! Two answers of `status` made into rates: what the screen shows and what `--json` prints.
//!
//! A counter that is smaller than before (the gateway was started anew, or an estimate gave way to a
//! newer one) has no rate, which is not the same as a rate of zero.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sample::{
    Burst, Exception, Frames, Geo, Interface, Pending, Policy, Records, Sample, Stages, Time,
    Worker,
};

/// A counter, and how fast it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Count {
    pub(super) total: u64,
    pub(super) per_s: Option<f64>,
}

/// A gateway over the time between two answers.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Rates {
    /// Between the two answers; nothing after one answer alone.
    pub(super) interval_s: Option<f64>,
    pub(super) revision: u64,
    pub(super) uptime_s: Option<u64>,
    pub(super) geo: Option<Geo>,
    pub(super) flows: u64,
    pub(super) received: Count,
    pub(super) forwarded: Count,
    /// Those of them that leases let through in the driver.
    pub(super) leased: Option<Count>,
    pub(super) passed: Count,
    pub(super) dropped: Count,
    pub(super) kernel_dropped: Count,
    pub(super) shed: Count,
    pub(super) records: Option<Fates>,
    /// What shadow domains would have dropped, and its records.
    pub(super) shadowed: Option<Count>,
    pub(super) shadow_records: Option<Fates>,
    /// First packets of flows that an exception allowed, and their records.
    pub(super) exception_flows: Option<Count>,
    pub(super) exception_records: Option<Fates>,
    /// Records that no log will ever have.
    pub(super) unwritten: Option<u64>,
    pub(super) sinks: Option<Vec<Sink>>,
    /// Told in the log, by kind.
    pub(super) patterns: Option<BTreeMap<String, Count>>,
    pub(super) reasons: Vec<Reason>,
    pub(super) domains: Vec<Domain>,
    pub(super) countries: Option<Vec<Country>>,
    pub(super) asns: Option<Vec<Asn>>,
    pub(super) sources: Option<Vec<Source>>,
    pub(super) workers: Vec<Pace>,
    pub(super) interfaces: Vec<Wire>,
    pub(super) pending: Option<Pending>,
    /// The policy's file is not what is in force; nothing when the gateway does not say.
    pub(super) differs: Option<bool>,
    pub(super) exceptions: Option<Vec<Exception>>,
    /// Revisions in the history, and those that its folder does not have.
    pub(super) history: Option<u64>,
    pub(super) history_unwritten: Option<u64>,
    pub(super) warnings: Vec<String>,
}

/// Records by what became of them: recorded, suppressed, lost.
pub(super) type Fates = BTreeMap<&'static str, Count>;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Sink {
    pub(super) name: String,
    pub(super) to: String,
    pub(super) written: Count,
    pub(super) lost: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Reason {
    pub(super) reason: String,
    pub(super) dropped: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Domain {
    pub(super) domain: String,
    pub(super) allowed: Count,
    pub(super) dropped: Count,
    pub(super) shadowed: Count,
    /// Networks dropped lately, estimated.
    pub(super) networks: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Country {
    pub(super) domain: String,
    pub(super) country: String,
    pub(super) flows_allowed: Count,
    pub(super) dropped: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Asn {
    pub(super) asn: Option<u64>,
    pub(super) dropped: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Source {
    pub(super) source: String,
    pub(super) domain: Option<String>,
    pub(super) country: Option<String>,
    pub(super) asn: Option<u64>,
    pub(super) dropped: Count,
    /// At most so many more before it was watched.
    pub(super) dropped_before: Option<u64>,
    pub(super) ports: Option<u64>,
    pub(super) destinations: Option<u64>,
    pub(super) last_port: Option<u64>,
}

/// A worker.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Pace {
    pub(super) core: u64,
    pub(super) queue: u64,
    pub(super) mode: String,
    pub(super) received: Count,
    pub(super) forwarded: Count,
    pub(super) dropped: Count,
    pub(super) flows: Option<u64>,
    pub(super) burst_ns: Option<Burst>,
    pub(super) longest_pause_ms: Option<u64>,
    /// Since the start.
    pub(super) spent: Option<Time>,
    /// Since the last answer; nothing after one alone.
    pub(super) time: Option<Shares>,
    pub(super) frames: Frames,
}

/// Where a worker's time went between two answers, as parts of it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Shares {
    pub(super) idle: f64,
    pub(super) asleep: f64,
    pub(super) receive: f64,
    pub(super) classify: f64,
    pub(super) transmit: f64,
    pub(super) housekeeping: f64,
    /// Nanoseconds of receiving, classifying and transmitting a packet.
    pub(super) packet_ns: Option<f64>,
}

/// An interface.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Wire {
    pub(super) name: String,
    pub(super) side: String,
    pub(super) kernel_dropped: Count,
    pub(super) shed: Count,
    pub(super) unserved_dropped: Count,
    pub(super) unserved_bridged: Count,
}

/// The answer before, and how long ago it was.
#[derive(Clone, Copy)]
struct Past<'a>(Option<(&'a Sample, f64)>);

impl Past<'_> {
    /// The counter `now`, and its rate where the answer before had it.
    fn count(self, now: u64, before: impl Fn(&Sample) -> Option<u64>) -> Count {
        let rate = |(sample, interval_s): (&Sample, f64)| {
            let more = now.checked_sub(before(sample)?)?;
            Some(more as f64 / interval_s)
        };
        Count { total: now, per_s: self.0.and_then(rate) }
    }
}

impl Rates {
    /// What happened between two answers, so many seconds apart.
    pub(super) fn between(before: Option<(&Sample, f64)>, now: &Sample) -> Self {
        let grown = |(old, interval_s): &(&Sample, f64)| {
            *interval_s > 0.0 && old.uptime_s <= now.uptime_s && old.received <= now.received
        };
        let past = Past(before.filter(grown));
        let exceptions = now.policy.as_ref().map(|policy| policy.exceptions.clone());
        let Policy { pending, differs, history, unwritten, .. } =
            now.policy.clone().unwrap_or_default();
        Self {
            interval_s: past.0.map(|(_, interval_s)| interval_s),
            revision: now.revision,
            uptime_s: now.uptime_s,
            geo: now.geo.clone(),
            flows: now.flows,
            received: past.count(now.received, |old| Some(old.received)),
            forwarded: past.count(now.forwarded, |old| Some(old.forwarded)),
            leased: now.leased.map(|now| past.count(now, |old| old.leased)),
            passed: past.count(now.passed, |old| Some(old.passed)),
            dropped: past.count(sum(&now.dropped), |old| Some(sum(&old.dropped))),
            kernel_dropped: wires(past, now, |wire| wire.kernel_dropped),
            shed: wires(past, now, |wire| wire.shed),
            records: fates(past, now, |sample| sample.records),
            shadowed: now.shadowed.map(|now| past.count(now, |old| old.shadowed)),
            shadow_records: fates(past, now, |sample| sample.shadow_records),
            exception_flows: now.exceptions.map(|now| past.count(now, |old| old.exceptions)),
            exception_records: fates(past, now, |sample| sample.exception_records),
            unwritten: now.unwritten,
            sinks: sinks(past, now),
            patterns: patterns(past, now),
            reasons: reasons(past, now),
            domains: domains(past, now),
            countries: countries(past, now),
            asns: asns(past, now),
            sources: sources(past, now),
            workers: now.workers.iter().map(|worker| pace(past, worker)).collect(),
            interfaces: now.interfaces.iter().map(|wire| interface(past, wire)).collect(),
            pending,
            differs,
            exceptions,
            history,
            history_unwritten: unwritten,
            warnings: now.warnings.clone(),
        }
    }
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

fn wires(past: Past<'_>, now: &Sample, of: fn(&Interface) -> u64) -> Count {
    let all = |sample: &Sample| sample.interfaces.iter().map(of).sum();
    past.count(all(now), |old| Some(all(old)))
}

fn fates(past: Past<'_>, now: &Sample, of: fn(&Sample) -> Option<Records>) -> Option<Fates> {
    let records = of(now)?;
    let count = |value, fate: fn(Records) -> u64| past.count(value, |old| of(old).map(fate));
    let recorded = count(records.recorded, |old| old.recorded);
    let suppressed = count(records.suppressed, |old| old.suppressed);
    let lost = count(records.lost, |old| old.lost);
    Some([("recorded", recorded), ("suppressed", suppressed), ("lost", lost)].into())
}

fn patterns(past: Past<'_>, now: &Sample) -> Option<BTreeMap<String, Count>> {
    let row = |(kind, told): (&String, &u64)| {
        let before = |old: &Sample| old.patterns.as_ref()?.get(kind).copied();
        (kind.clone(), past.count(*told, before))
    };
    Some(now.patterns.as_ref()?.iter().map(row).collect())
}

fn sinks(past: Past<'_>, now: &Sample) -> Option<Vec<Sink>> {
    let row = |sink: &super::sample::Sink| {
        let count = |value, of: fn(&super::sample::Sink) -> u64| {
            let same = |other: &&super::sample::Sink| other.name == sink.name;
            past.count(value, |old| old.sinks.as_ref()?.iter().find(same).map(of))
        };
        Sink {
            name: sink.name.clone(),
            to: sink.to.clone(),
            written: count(sink.written, |sink| sink.written),
            lost: count(sink.lost, |sink| sink.lost),
        }
    };
    Some(now.sinks.as_ref()?.iter().map(row).collect())
}

/// A reason that the answer before did not have yet had not occurred yet.
fn reasons(past: Past<'_>, now: &Sample) -> Vec<Reason> {
    let row = |(reason, packets): (&String, &u64)| {
        let before = |old: &Sample| Some(old.dropped.get(reason).copied().unwrap_or(0));
        Reason { reason: reason.clone(), dropped: past.count(*packets, before) }
    };
    now.dropped.iter().map(row).collect()
}

fn domains(past: Past<'_>, now: &Sample) -> Vec<Domain> {
    let row = |(name, domain): (&String, &super::sample::Domain)| Domain {
        domain: name.clone(),
        allowed: past.count(domain.allowed, |old| Some(old.domains.get(name)?.allowed)),
        dropped: past.count(domain.dropped, |old| Some(old.domains.get(name)?.dropped)),
        shadowed: past.count(domain.shadowed, |old| Some(old.domains.get(name)?.shadowed)),
        networks: domain.networks,
    };
    now.domains.iter().map(row).collect()
}

fn countries(past: Past<'_>, now: &Sample) -> Option<Vec<Country>> {
    let mut rows = None;
    for (name, domain) in &now.domains {
        let Some(countries) = &domain.countries else { continue };
        let rows = rows.get_or_insert_with(Vec::new);
        for (code, country) in countries {
            let before = |old: &Sample, of: fn(&super::sample::Country) -> u64| {
                let countries = old.domains.get(name)?.countries.as_ref()?;
                Some(countries.get(code).map_or(0, of))
            };
            let allowed = past.count(country.flows_allowed, |old| before(old, |c| c.flows_allowed));
            let dropped = past.count(country.dropped, |old| before(old, |c| c.dropped));
            let (domain, country) = (name.clone(), code.clone());
            rows.push(Country { domain, country, flows_allowed: allowed, dropped });
        }
    }
    rows
}

fn asns(past: Past<'_>, now: &Sample) -> Option<Vec<Asn>> {
    let row = |row: &super::sample::Asn| {
        let before = |old: &Sample| {
            Some(old.asns.as_ref()?.iter().find(|other| other.asn == row.asn)?.dropped)
        };
        Asn { asn: row.asn, dropped: past.count(row.dropped, before) }
    };
    Some(now.asns.as_ref()?.iter().map(row).collect())
}

fn sources(past: Past<'_>, now: &Sample) -> Option<Vec<Source>> {
    let row = |row: &super::sample::Source| {
        let before = |old: &Sample| {
            let same = |other: &&super::sample::Source| {
                other.source == row.source && other.domain == row.domain
            };
            Some(old.sources.as_ref()?.iter().find(same)?.dropped)
        };
        Source {
            source: row.source.clone(),
            domain: row.domain.clone(),
            country: row.country.clone(),
            asn: row.asn,
            dropped: past.count(row.dropped, before),
            dropped_before: row.dropped_before,
            ports: row.ports,
            destinations: row.destinations,
            last_port: row.last_port,
        }
    };
    Some(now.sources.as_ref()?.iter().map(row).collect())
}

fn pace(past: Past<'_>, worker: &Worker) -> Pace {
    // A worker may go to another core; its queue stays.
    let same = |other: &&Worker| other.queue == worker.queue;
    let count = |of: fn(&Worker) -> u64| {
        past.count(of(worker), |old| old.workers.iter().find(same).map(of))
    };
    let before = past.0.and_then(|(old, _)| old.workers.iter().find(same));
    Pace {
        core: worker.core,
        queue: worker.queue,
        mode: worker.mode.clone(),
        received: count(|worker| worker.received),
        forwarded: count(|worker| worker.forwarded),
        dropped: count(|worker| sum(&worker.dropped)),
        flows: worker.flows,
        burst_ns: worker.burst_ns,
        longest_pause_ms: worker.longest_pause_ms,
        spent: worker.time,
        time: before.and_then(|before| shares(before, worker)),
        frames: worker.frames,
    }
}

/// Nothing where a clock went back: another worker stands there now.
fn shares(before: &Worker, now: &Worker) -> Option<Shares> {
    let (Time { total_ns: old, asleep_ns, .. }, time) = (before.time?, now.time?);
    let Stages { idle, receive, classify, transmit, housekeeping } = time.total_ns;
    let idle = idle.checked_sub(old.idle)?;
    let receive = receive.checked_sub(old.receive)?;
    let classify = classify.checked_sub(old.classify)?;
    let transmit = transmit.checked_sub(old.transmit)?;
    let housekeeping = housekeeping.checked_sub(old.housekeeping)?;
    let asleep = time.asleep_ns.checked_sub(asleep_ns)?;
    let packets = now.received.checked_sub(before.received)?;
    let busy = receive + classify + transmit;
    let all = idle + busy + housekeeping;
    let part = |of: u64| of as f64 / all as f64;
    (all > 0).then(|| Shares {
        idle: part(idle),
        asleep: part(asleep),
        receive: part(receive),
        classify: part(classify),
        transmit: part(transmit),
        housekeeping: part(housekeeping),
        packet_ns: (packets > 0).then(|| busy as f64 / packets as f64),
    })
}

fn interface(past: Past<'_>, wire: &Interface) -> Wire {
    let count = |of: fn(&Interface) -> u64| {
        past.count(of(wire), |old| old.interfaces.iter().find(|w| w.name == wire.name).map(of))
    };
    Wire {
        name: wire.name.clone(),
        side: wire.side.clone(),
        kernel_dropped: count(|wire| wire.kernel_dropped),
        shed: count(|wire| wire.shed),
        unserved_dropped: count(|wire| wire.unserved_dropped),
        unserved_bridged: count(|wire| wire.unserved_bridged),
    }
}
