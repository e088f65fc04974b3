//! What a real gateway writes down: every drop's record, and exact books under overload.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{Gateway, Lab, Record, Setup, check_identities};
use palisade_bench::load::{Class, Generator, Kind, Order, Sink};

#[test]
fn a_record_says_what_was_dropped_and_why() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let tries = [
        (FOREIGN[0], Try::Web),
        (FOREIGN[1], Try::Echo),
        (UNKNOWN[0], Try::Postgres),
        (ABUSER, Try::Web),
        (OFFICE[0], Try::Unlisted),
    ];
    for (from, what) in tries {
        ask(&lab, from, what, Duration::from_millis(300));
    }
    let log = settle(gateway);
    // Source, destination port, protocol, country, domain, service, rule, reason.
    #[rustfmt::skip]
    let expected = [
        (FOREIGN[0], 80,   "TCP", Some("US"), Some("external"), Some("web"),      Some("default"),      "not_allowed"),
        (FOREIGN[1], 7,    "UDP", Some("US"), Some("external"), Some("echo"),     Some("default"),      "not_allowed"),
        (UNKNOWN[0], 5432, "TCP", None,       Some("internal"), Some("postgres"), Some("default"),      "not_allowed"),
        (ABUSER,     80,   "TCP", Some("DE"), Some("external"), Some("web"),      Some("deny:abusers"), "denied"),
        (OFFICE[0],  9999, "TCP", Some("DE"), None,             None,             None,                 "no_service"),
    ];
    for (from, port, proto, country, domain, service, rule, reason) in expected {
        let record = find(&log, from, port);
        let why = &record.palisade;
        assert_eq!(record.event_type, "drop");
        assert_eq!(record.in_iface, "outside");
        assert_eq!(record.dest_ip, SERVER[usize::from(from.contains(':'))]);
        assert!(record.src_port.is_some_and(|port| port > 0), "{record:?}");
        assert_eq!(record.proto, proto, "{from}");
        assert_eq!(why.country.as_deref(), country, "{from}");
        assert_eq!(why.domain.as_deref(), domain, "{from}");
        assert_eq!(why.service.as_deref(), service, "{from}");
        assert_eq!(why.rule.as_deref(), rule, "{from}");
        assert_eq!(why.reason, reason, "{from}");
        assert_eq!(why.revision, 1, "{from}");
        assert_eq!(why.prefix.is_some(), country.is_some(), "{from}: {:?}", why.prefix);
        assert!(microseconds(&record.timestamp), "{}", record.timestamp);
    }
}

fn find<'a>(log: &'a [Record], from: &str, port: u16) -> &'a Record {
    let found = log.iter().find(|r| r.src_ip == from && r.dest_port == Some(port));
    found.unwrap_or_else(|| panic!("no record of {from} to {port} in {log:#?}"))
}

/// `2026-01-02T03:04:05.678901Z`, or with an offset.
fn microseconds(time: &str) -> bool {
    let fraction = time.split_once('.').map_or("", |(_, rest)| rest);
    fraction.find(|c: char| !c.is_ascii_digit()) == Some(6)
        && time.as_bytes().get(10) == Some(&b'T')
}

fn overload(lab: &Lab, setup: &Setup, cores: &[usize]) {
    // To the echo service: German ones may, others may not.
    let flows = drawn(100_000, "US:30,CN:20,unknown:10,DE:40", (7, Kind::Udp), 2);
    let gateway = Gateway::start(lab, setup).unwrap();
    let mut sink = Sink::at_servers(lab, flows.len()).unwrap();
    let length = Duration::from_millis(2500);
    let offered: u64 = thread::scope(|scope| {
        let flows = &flows;
        let run = |core| {
            let mut generator = Generator::outside(lab, flows, 64).unwrap();
            let order = Order { length, count: None, rate_pps: None, core };
            generator.run(order).unwrap().packets
        };
        let threads: Vec<_> = cores.iter().map(|core| scope.spawn(move || run(*core))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let status = gateway.quiet_status().unwrap();
    assert_eq!(check_identities(&status), Vec::<String>::new());
    assert!(status.received > 100_000, "{} of {offered}", status.received);
    assert!(status.received <= offered + 1000, "{} of {offered}", status.received);
    for class in 0..3 {
        let leaked = sink.class(Class(class)).unwrap().packets;
        assert_eq!(leaked, 0, "class {class} may not pass");
    }
    let arrived = sink.class(Class(3)).unwrap().packets;
    assert!(arrived > 0 && arrived <= status.forwarded, "{arrived} of {}", status.forwarded);
    let log = settle(gateway);
    let reasons: BTreeSet<_> = log.iter().map(|r| r.palisade.reason.as_str()).collect();
    assert!(reasons.contains("not_allowed"), "{reasons:?}");
}

#[test]
fn the_books_are_exact_after_overload() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { cores: vec![1], ..Setup::new(&lab, POLICY) };
    overload(&lab, &setup, &[0]);
}

#[test]
fn the_books_are_exact_after_overload_of_two_queues() {
    let Some(lab) = site(2) else { return };
    overload(&lab, &Setup::new(&lab, POLICY), &[0, 1]);
}

#[test]
fn the_books_are_exact_with_hardly_any_records_and_frames() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { rate: 5, frames: 4096, flows: 1024, ..Setup::new(&lab, POLICY) };
    overload(&lab, &setup, &[0]);
}
