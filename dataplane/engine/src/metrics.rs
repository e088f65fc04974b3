//! `/metrics`: the numbers of [`Status`] in the text format of Prometheus.
//!
//! Label sets are bounded: workers, drop reasons, domains, countries, sinks and interfaces, never an
//! address. docs/see.md names each metric; a test holds it to that.

#[cfg(test)]
mod tests;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{RecordCounts, Stages, Status, WorkerState, standing};

/// Encodes one status.
///
/// # Errors
/// When the encoder fails, which it does only for want of memory.
pub(crate) fn text(status: Status) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("palisade");
    registry.register_collector(Box::new(Snapshot(status)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Snapshot(Status);

type Encoded = Result<(), std::fmt::Error>;

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        packets(&mut encoder, &self.0)?;
        workers(&mut encoder, &self.0)?;
        domains(&mut encoder, &self.0)?;
        times(&mut encoder, &self.0)?;
        interfaces(&mut encoder, &self.0)?;
        gateway(&mut encoder, &self.0)
    }
}

/// Packets, by worker.
fn packets(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    let worker = |index: usize| ("worker", index.to_string());
    let workers = || status.workers.iter().map(|worker| &worker.packets).enumerate();
    let one = |(i, value): (usize, u64)| ([worker(i)], value);
    counter(
        encoder,
        "received_packets",
        "Packets taken from the receive rings, or let through by a lease",
        workers().map(|(i, packets)| one((i, packets.received))),
    )?;
    counter(
        encoder,
        "forwarded_packets",
        "Packets judged and sent on",
        workers().map(|(i, packets)| one((i, packets.forwarded))),
    )?;
    counter(
        encoder,
        "leased_packets",
        "Packets forwarded in the driver, because their flow had a lease",
        workers().map(|(i, packets)| one((i, packets.leased))),
    )?;
    counter(
        encoder,
        "passed_packets",
        "Link traffic sent on unjudged",
        workers().map(|(i, packets)| one((i, packets.passed))),
    )?;
    counter(
        encoder,
        "dropped_packets",
        "Packets dropped, by reason",
        workers().flat_map(|(i, packets)| {
            let dropped = packets.dropped.iter();
            dropped.map(move |(reason, count)| ([worker(i), ("reason", reason.clone())], *count))
        }),
    )?;
    counter(
        encoder,
        "shadowed_packets",
        "Packets a shadow domain would have dropped",
        workers().map(|(i, packets)| one((i, packets.shadowed))),
    )?;
    counter(
        encoder,
        "exception_flows",
        "First packets of flows that an exception allowed",
        workers().map(|(i, packets)| one((i, packets.exceptions))),
    )?;
    let records = |(i, records): (usize, RecordCounts)| {
        let RecordCounts { recorded, suppressed, lost } = records;
        let fates = [("recorded", recorded), ("suppressed", suppressed), ("lost", lost)];
        fates.map(|(fate, count)| ([worker(i), ("fate", fate.to_owned())], count))
    };
    counter(
        encoder,
        "drop_records",
        "Drop records by what became of them",
        workers().flat_map(|(i, packets)| records((i, packets.records))),
    )?;
    counter(
        encoder,
        "shadow_records",
        "Records of shadowed packets by what became of them",
        workers().flat_map(|(i, packets)| records((i, packets.shadow_records))),
    )?;
    counter(
        encoder,
        "exception_records",
        "Records of what exceptions allowed by what became of them",
        workers().flat_map(|(i, packets)| records((i, packets.exception_records))),
    )
}

/// What a worker is made of.
fn workers(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    let worker = |index: usize| ("worker", index.to_string());
    let workers = || status.workers.iter().enumerate();
    gauges(
        encoder,
        "frames",
        "Where the frames of a worker are",
        workers().flat_map(|(i, shown)| {
            let frames = shown.frames;
            [
                ("free", frames.free),
                ("fill", frames.fill),
                ("rx", frames.rx),
                ("tx", frames.tx),
                ("completion", frames.completion),
            ]
            .map(|(place, count)| ([worker(i), ("place", place.to_owned())], count as f64))
        }),
    )?;
    gauges(
        encoder,
        "burst_seconds",
        "Time of a burst from receive to commit, lately",
        workers().flat_map(|(i, shown)| {
            let times = shown.burst_ns;
            [("0.5", times.p50), ("0.99", times.p99), ("0.999", times.p999), ("1", times.max)].map(
                |(quantile, time_ns)| {
                    ([worker(i), ("quantile", quantile.to_owned())], time_ns as f64 / 1e9)
                },
            )
        }),
    )?;
    let states = [
        ("working", WorkerState::Working),
        ("waiting", WorkerState::Waiting),
        ("resting", WorkerState::Resting),
    ];
    gauges(
        encoder,
        "workers",
        "Workers, by whether they work",
        states.into_iter().map(|(name, state)| {
            let count = status.workers.iter().filter(|worker| worker.state == state).count();
            ([("state", name.to_owned())], count as f64)
        }),
    )?;
    counter(
        encoder,
        "bulk_packets",
        "Packets that left many at once",
        workers().map(|(i, shown)| ([worker(i)], shown.in_bulk as f64)),
    )?;
    gauge(
        encoder,
        "burst_packets",
        "Packets that a worker takes at a time, at most",
        status.burst.into(),
    )?;
    gauges(
        encoder,
        "longest_pause_seconds",
        "The longest that a worker went without housekeeping",
        workers().map(|(i, shown)| ([worker(i)], shown.longest_pause_ms as f64 / 1e3)),
    )?;
    gauges(
        encoder,
        "worker_flows",
        "Entries of a worker's flow table",
        workers().map(|(i, shown)| ([worker(i)], shown.flows as f64)),
    )
}

/// Where workers' time goes.
fn times(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    let worker = |index: usize| ("worker", index.to_string());
    let workers = || status.workers.iter().map(|worker| &worker.time).enumerate();
    counter(
        encoder,
        "worker_seconds",
        "Time of a worker, by what it did",
        workers().flat_map(|(i, time)| {
            let stages = Stages::<u64>::NAMES.into_iter().zip(time.total_ns.list());
            stages.map(move |(stage, time_ns)| {
                ([worker(i), ("stage", stage.to_owned())], time_ns as f64 / 1e9)
            })
        }),
    )?;
    counter(
        encoder,
        "worker_asleep_seconds",
        "Idle time of a worker in which it gave its core back",
        workers().map(|(i, time)| ([worker(i)], time.asleep_ns as f64 / 1e9)),
    )?;
    counter(
        encoder,
        "worker_sleeps",
        "How often a worker gave its core back",
        workers().map(|(i, time)| ([worker(i)], time.sleeps)),
    )
}

/// Packets and countries, by domain.
fn domains(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    let domain = |name: &String| ("domain", name.clone());
    let countries = || {
        status.domains.iter().flat_map(move |(name, shown)| {
            let labels = move |code: &String| [domain(name), ("country", code.clone())];
            shown.countries.iter().map(move |(code, counts)| (labels(code), *counts))
        })
    };
    counter(
        encoder,
        "domain_packets",
        "Packets judged, by domain and verdict",
        status.domains.iter().flat_map(|(name, shown)| {
            [("allowed", shown.allowed), ("dropped", shown.dropped), ("shadowed", shown.shadowed)]
                .map(|(verdict, count)| ([domain(name), ("verdict", verdict.to_owned())], count))
        }),
    )?;
    counter(
        encoder,
        "country_dropped_packets",
        "Packets that a domain's rules dropped, by country",
        countries().map(|(labels, counts)| (labels, counts.dropped)),
    )?;
    counter(
        encoder,
        "country_flows_allowed",
        "Flows that a domain allowed, by country",
        countries().map(|(labels, counts)| (labels, counts.flows_allowed)),
    )?;
    gauges(
        encoder,
        "domain_dropped_networks",
        "Networks dropped in the last 10 to 20 minutes, estimated",
        status.domains.iter().map(|(name, shown)| ([domain(name)], shown.networks as f64)),
    )
}

/// What never reached a worker.
fn interfaces(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    let interface = |name: &String| ("interface", name.clone());
    counter(
        encoder,
        "unserved_packets",
        "Packets on queues that no worker served",
        status.interfaces.iter().flat_map(|shown| {
            [("dropped", shown.unserved_dropped), ("bridged", shown.unserved_bridged)]
                .map(|(fate, count)| ([interface(&shown.name), ("fate", fate.to_owned())], count))
        }),
    )?;
    counter(
        encoder,
        "kernel_dropped_packets",
        "Packets that found no frame or no room",
        status.interfaces.iter().map(|shown| ([interface(&shown.name)], shown.kernel_dropped)),
    )?;
    counter(
        encoder,
        "shed_packets",
        "Packets that open a TCP connection, dropped before a ring that overflowed",
        status.interfaces.iter().map(|shown| ([interface(&shown.name)], shown.shed)),
    )
}

/// The gateway as a whole.
fn gateway(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Encoded {
    counter(
        encoder,
        "sink_lines",
        "Lines of the drop log, by sink and what became of them",
        status.sinks.iter().flat_map(|sink| {
            [("written", sink.written), ("lost", sink.lost)].map(|(fate, count)| {
                ([("sink", sink.name.clone()), ("fate", fate.to_owned())], count)
            })
        }),
    )?;
    counter(
        encoder,
        "patterns",
        "Patterns told in the log, by kind",
        status.patterns.iter().map(|(kind, count)| ([("pattern", kind.clone())], *count)),
    )?;
    gauge(encoder, "flows", "Entries of all flow tables", status.flows)?;
    gauge(encoder, "revision", "The ruleset in force", status.revision.into())?;
    gauge(encoder, "uptime_seconds", "Seconds since the start", status.uptime_s)?;
    gauge(encoder, "warnings", "Warnings of the status", status.warnings.len() as u64)?;
    let asn = status.geo.asn.as_ref();
    for (name, explanation, days) in [
        ("geo_age_days", "Age of the country database", status.geo.country.age_days),
        ("geo_asn_age_days", "Age of the ASN database", asn.and_then(|asn| asn.age_days)),
    ] {
        if let Some(days) = days {
            gauge(encoder, name, explanation, u64::try_from(days).unwrap_or(0))?;
        }
    }
    let limit = status.geo.max_age_days.into();
    gauge(encoder, "geo_max_age_days", "Age from which the policy calls it old", limit)?;
    standing::metrics(encoder, &status.policy)
}

/// One counter with a value for each label set.
fn counter<L: EncodeLabelSet, N: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    explanation: &str,
    values: impl Iterator<Item = (L, N)>,
) -> Encoded {
    let mut metric = encoder.encode_descriptor(name, explanation, None, MetricType::Counter)?;
    for (labels, value) in values {
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// One gauge with a value for each label set.
fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    explanation: &str,
    values: impl Iterator<Item = (L, f64)>,
) -> Encoded {
    let mut metric = encoder.encode_descriptor(name, explanation, None, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// One number.
pub(crate) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    explanation: &str,
    value: u64,
) -> Encoded {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    let metric = encoder.encode_descriptor(name, explanation, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}
