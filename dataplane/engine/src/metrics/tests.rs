//! The metrics have the numbers of the status, and docs/see.md names all of both.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use filter::DropReason;

use super::*;
use crate::{
    AsnStatus, BurstTimes, CountryStatus, DomainStatus, InterfaceStatus, PacketTimes, Packets,
    SinkStatus, SourceStatus, TimeStatus, WorkerStatus,
};

const PAGE: &str = include_str!("../../../../docs/see.md");

/// A status in which nothing is absent.
fn full() -> Status {
    let records = RecordCounts { recorded: 1, suppressed: 2, lost: 0 };
    let dropped = [("no_service".to_owned(), 3)].into();
    let packets = Packets { received: 7, forwarded: 4, dropped, records, ..Packets::default() };
    let burst_ns = BurstTimes { p50: 1500, p99: 2000, p999: 3000, max: 4000 };
    let time = TimeStatus {
        total_ns: Stages { idle: 2_500_000_000, classify: 1_000_000, ..Stages::default() },
        packet_ns: Some(PacketTimes::default()),
        asleep_ns: 1_000_000_000,
        sleeps: 8,
        ..TimeStatus::default()
    };
    let worker =
        WorkerStatus { packets: packets.clone(), burst_ns, time, ..WorkerStatus::default() };
    let counts = CountryStatus { flows_allowed: 5, dropped: 6 };
    let domain =
        DomainStatus { countries: [("DE".to_owned(), counts)].into(), ..DomainStatus::default() };
    let interface = InterfaceStatus { name: "eth0".to_owned(), ..InterfaceStatus::default() };
    let sink = SinkStatus { name: "log".to_owned(), written: 9, ..SinkStatus::default() };
    let source = SourceStatus {
        domain: None,
        source: [192, 0, 2, 1].into(),
        dropped: 1,
        dropped_before: 0,
        ports: 1,
        destinations: 1,
        country: None,
        asn: None,
        last_port: 22,
    };
    let mut status = Status {
        packets,
        workers: vec![worker],
        domains: [("web".to_owned(), domain)].into(),
        interfaces: vec![interface],
        sinks: vec![sink],
        sources: vec![source],
        asns: vec![AsnStatus { asn: 64_500, dropped: 1 }],
        patterns: [("sweep".to_owned(), 4)].into(),
        revision: 5,
        ..Status::default()
    };
    status.geo.country.age_days = Some(3);
    let asn = crate::DatabaseAge { age_days: Some(9), ..Default::default() };
    status.geo.asn = Some(asn);
    status.policy.pending = Some(crate::PendingStatus::default());
    status.policy.exceptions = vec![crate::ExceptionStatus::default()];
    status
}

#[test]
fn the_text_has_the_numbers_of_the_status() {
    let text = text(full()).unwrap();
    for line in [
        "palisade_received_packets_total{worker=\"0\"} 7",
        "palisade_dropped_packets_total{worker=\"0\",reason=\"no_service\"} 3",
        "palisade_drop_records_total{worker=\"0\",fate=\"suppressed\"} 2",
        "palisade_burst_seconds{worker=\"0\",quantile=\"0.5\"} 0.0000015",
        "palisade_worker_seconds_total{worker=\"0\",stage=\"idle\"} 2.5",
        "palisade_worker_seconds_total{worker=\"0\",stage=\"classify\"} 0.001",
        "palisade_worker_asleep_seconds_total{worker=\"0\"} 1.0",
        "palisade_worker_sleeps_total{worker=\"0\"} 8",
        "palisade_country_flows_allowed_total{domain=\"web\",country=\"DE\"} 5",
        "palisade_patterns_total{pattern=\"sweep\"} 4",
        "palisade_sink_lines_total{sink=\"log\",fate=\"written\"} 9",
        "palisade_revision 5",
        "palisade_geo_age_days 3",
        "palisade_geo_asn_age_days 9",
        "# TYPE palisade_forwarded_packets counter",
        "# EOF",
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
}

/// Every number gets a value of its own.
fn number_all(value: &mut serde_json::Value, path: &str, seen: &mut Vec<(String, u64)>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| {
                number_all(value, &format!("{path}/{name}"), seen);
            });
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| number_all(item, path, seen));
        }
        serde_json::Value::Number(_) => {
            let own = 1000 + seen.len() as u64;
            *value = own.into();
            seen.push((path.to_owned(), own));
        }
        _ => {}
    }
}

/// Metrics hold what `status` does: all but addresses and operators, which have no bound, the sums over
/// workers, and what names a thing instead of counting it.
#[test]
fn every_number_of_the_status_is_a_metric() {
    let mut status = serde_json::to_value(full()).unwrap();
    let mut numbers = Vec::new();
    number_all(&mut status, "", &mut numbers);
    let status: Status = serde_json::from_value(status).unwrap();
    let text = text(status).unwrap();
    let values: Vec<f64> =
        text.lines().filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
    let unbound = ["/sources", "/asns"];
    let names = ["/workers/core", "/workers/queue", "/workers/revision", "/interfaces/queues"];
    let sums = [
        "/received",
        "/forwarded",
        "/leased",
        "/passed",
        "/dropped",
        "/records",
        "/shadow",
        "/exception",
        "/workers/frames/total",
        "/time",
    ];
    // What follows from counters: the rates of them say it.
    let derived = ["/workers/time/share", "/workers/time/packet_ns", "/workers/time/asleep_share"];
    // The warnings' and exceptions' number, and the revisions of one that waits.
    let told = ["/unwritten", "/policy/pending/revision", "/policy/pending/back_to"];
    for (path, value) in numbers {
        let mut parts = unbound.iter().chain(&names).chain(&sums).chain(&told).chain(&derived);
        if parts.any(|part| path.starts_with(part)) {
            continue;
        }
        let there = [1.0, 1e3, 1e9]
            .iter()
            .any(|unit| values.iter().any(|shown| (shown * unit - value as f64).abs() < 1e-3));
        assert!(there, "{path} is not in:\n{text}");
    }
}

#[test]
fn the_page_names_every_metric() {
    let text = text(full()).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut metrics = 0;
    for (name, kind) in types.filter_map(|line| line.split_once(' ')) {
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(PAGE.contains(&format!("| `{name}` |")), "docs/see.md lacks {name}");
        metrics += 1;
    }
    assert!(metrics > 20, "{metrics}");
}

#[test]
fn the_page_names_every_field_of_the_status() {
    fn check(value: &serde_json::Value, under: &str) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    // Names of the policy's own, countries and reasons are told as such.
                    if !["DE", "web", "no_service", "sweep"].contains(&name.as_str()) {
                        let told = PAGE.contains(&format!("`{name}`"));
                        assert!(told, "docs/see.md lacks {under}{name}");
                    }
                    check(value, &format!("{under}{name}."));
                }
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| check(item, under));
            }
            _ => {}
        }
    }
    check(&serde_json::to_value(full()).unwrap(), "");
}

#[test]
fn the_page_names_every_drop_reason() {
    for reason in DropReason::ALL {
        let row = format!("| `{}` |", reason.as_str());
        assert!(PAGE.contains(&row), "docs/see.md lacks {row}");
    }
}
