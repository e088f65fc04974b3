//! `/metrics`: the numbers of [`Status`] in the text format of Prometheus.
//!
//! Label sets are bounded: workers, drop reasons, domains and interfaces of the configuration, never
//! an address.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{Status, standing};

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

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = &self.0;
        let worker = |index: usize| [("worker", index.to_string())];
        let workers = || status.workers.iter().enumerate();

        family(
            &mut encoder,
            "received_packets",
            "Packets taken from the receive rings",
            workers().map(|(i, w)| (worker(i), w.packets.received)),
        )?;
        family(
            &mut encoder,
            "forwarded_packets",
            "Packets judged and sent on",
            workers().map(|(i, w)| (worker(i), w.packets.forwarded)),
        )?;
        family(
            &mut encoder,
            "passed_packets",
            "Link traffic sent on unjudged",
            workers().map(|(i, w)| (worker(i), w.packets.passed)),
        )?;
        family(
            &mut encoder,
            "dropped_packets",
            "Packets dropped, by reason",
            workers().flat_map(|(i, w)| {
                w.packets.dropped.iter().map(move |(reason, packets)| {
                    ([("worker", i.to_string()), ("reason", reason.clone())], *packets)
                })
            }),
        )?;
        family(
            &mut encoder,
            "shadowed_packets",
            "Packets a shadow domain would have dropped",
            workers().map(|(i, w)| (worker(i), w.packets.shadowed)),
        )?;
        family(
            &mut encoder,
            "drop_records",
            "Drop records by what became of them",
            workers().flat_map(|(i, w)| {
                let records = w.packets.records;
                [
                    ("recorded", records.recorded),
                    ("suppressed", records.suppressed),
                    ("lost", records.lost),
                ]
                .map(|(fate, count)| {
                    ([("worker", i.to_string()), ("fate", fate.to_string())], count)
                })
            }),
        )?;
        family(
            &mut encoder,
            "domain_packets",
            "Packets judged, by domain and verdict",
            status.domains.iter().flat_map(|(name, domain)| {
                [
                    ("allowed", domain.allowed),
                    ("dropped", domain.dropped),
                    ("shadowed", domain.shadowed),
                ]
                .map(|(verdict, count)| {
                    ([("domain", name.clone()), ("verdict", verdict.to_string())], count)
                })
            }),
        )?;
        family(
            &mut encoder,
            "unserved_packets",
            "Packets on queues that no worker served",
            status.interfaces.iter().flat_map(|i| {
                [("dropped", i.unserved_dropped), ("bridged", i.unserved_bridged)].map(
                    |(fate, packets)| {
                        ([("interface", i.name.clone()), ("fate", fate.to_string())], packets)
                    },
                )
            }),
        )?;
        family(
            &mut encoder,
            "kernel_dropped_packets",
            "Packets that found no frame or no room",
            status.interfaces.iter().map(|i| ([("interface", i.name.clone())], i.kernel_dropped)),
        )?;
        family(
            &mut encoder,
            "shed_packets",
            "Packets that open a TCP connection, dropped before a ring that overflowed",
            status.interfaces.iter().map(|i| ([("interface", i.name.clone())], i.shed)),
        )?;
        gauge(&mut encoder, "flows", "Entries of all flow tables", status.flows)?;
        gauge(&mut encoder, "revision", "The ruleset in force", status.revision.into())?;
        gauge(&mut encoder, "uptime_seconds", "Seconds since the start", status.uptime_s)?;
        if let Some(days) = status.geo.age_days {
            let days = u64::try_from(days).unwrap_or(0);
            gauge(&mut encoder, "geo_age_days", "Age of the country database", days)?;
        }
        let limit = status.geo.max_age_days.into();
        gauge(&mut encoder, "geo_max_age_days", "Age from which the policy calls it old", limit)?;
        standing::metrics(&mut encoder, &status.policy)?;
        Ok(())
    }
}

/// One counter with a value for each label set.
fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    explanation: &str,
    values: impl Iterator<Item = (L, u64)>,
) -> Result<(), std::fmt::Error> {
    let mut metric = encoder.encode_descriptor(name, explanation, None, MetricType::Counter)?;
    for (labels, value) in values {
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// One number.
pub(crate) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    explanation: &str,
    value: u64,
) -> Result<(), std::fmt::Error> {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    let metric = encoder.encode_descriptor(name, explanation, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Packets, WorkerStatus};

    #[test]
    fn the_text_has_the_numbers_of_the_status() {
        let dropped = [("no_service".to_string(), 3)].into();
        let packets = Packets { received: 7, forwarded: 4, dropped, ..Packets::default() };
        let worker = WorkerStatus { packets, ..WorkerStatus::default() };
        let status = Status { workers: vec![worker], revision: 5, ..Status::default() };
        let text = text(status).unwrap();
        for line in [
            "palisade_received_packets_total{worker=\"0\"} 7",
            "palisade_dropped_packets_total{worker=\"0\",reason=\"no_service\"} 3",
            "palisade_revision 5",
            "# TYPE palisade_forwarded_packets counter",
            "# EOF",
        ] {
            assert!(text.contains(line), "no {line} in:\n{text}");
        }
    }
}
