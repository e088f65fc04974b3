//! Sinks that are slow, gone or back again: each message is taken once, or counted.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{
    net::UdpSocket,
    os::unix::net::UnixDatagram,
    thread,
    time::{Duration, Instant},
};

use filter::{DropReason, DropRecord, Family, RecordKind};
use lookup::{Revision, Side};

use super::*;
use crate::ledger::Account;

fn record(port: u16) -> Event {
    let record = DropRecord {
        src_bits: 0xcb00_7109,
        dst_bits: 0x0a02_0005,
        time_ns: 1_766_275_200_123_456_789,
        revision: Revision(7),
        suppressed: 2,
        service: None,
        domain: None,
        rule: None,
        src_port: port,
        dst_port: 5432,
        vlan: 0,
        proto: 6,
        family: Family::V4,
        side: Side::Outside,
        kind: RecordKind::Drop(DropReason::NoService),
    };
    Event::Record(record, None)
}

fn names() -> Names {
    ["eth0".to_owned(), "eth1".to_owned()]
}

fn drops(folder: &Path, log: &str) -> Drops {
    Drops {
        path: folder.join(log),
        records_per_s: 1,
        rotate: None,
        syslog: None,
        journald: None,
        patterns: None,
    }
}

#[test]
fn syslog_gets_rfc_5424_over_udp_and_journald_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = folder.path().join("journal");
    let journal = UnixDatagram::bind(&path).unwrap();
    let drops = Drops {
        syslog: Some(Syslog::Udp(server.local_addr().unwrap())),
        journald: Some(path),
        ..drops(folder.path(), "drops.jsonl")
    };
    let ledger = Arc::new(ledger(&drops));
    let mut sinks = Sinks::open(&drops, Arc::clone(&ledger)).unwrap();
    sinks.push(&record(999), &names());
    assert!(sinks.flush() && sinks.told());
    sinks.finish(0);

    let mut buffer = [0; 2048];
    let bytes = server.recv(&mut buffer).unwrap();
    let message = std::str::from_utf8(&buffer[..bytes]).unwrap();
    let (head, json) = message.split_once(" - ").unwrap();
    let words: Vec<&str> = head.split(' ').collect();
    assert_eq!(words[0], "<30>1");
    assert_eq!(words[1], "2025-12-21T00:00:00.123456Z");
    assert_eq!((words[3], words[5]), ("palisade", "drop"));
    let line = std::fs::read_to_string(folder.path().join("drops.jsonl")).unwrap();
    assert_eq!(json, line.trim_end());

    let bytes = journal.recv(&mut buffer).unwrap();
    let message = std::str::from_utf8(&buffer[..bytes]).unwrap();
    assert!(message.ends_with(&format!("PALISADE_JSON={line}")), "{message}");
    for field in [
        "MESSAGE=drop 203.0.113.9:999 -> 10.2.0.5:5432/TCP no_service, no country, 2 more suppressed",
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=palisade",
        "PALISADE_REASON=no_service",
        "PALISADE_SRC=203.0.113.9",
    ] {
        assert!(message.lines().any(|line| line == field), "no {field} in {message}");
    }
    let status = ledger.status("drops.jsonl");
    let told: Vec<_> =
        status.iter().map(|sink| (sink.name.as_str(), sink.written, sink.lost)).collect();
    assert_eq!(told, [("log", 1, 0), ("syslog", 1, 0), ("journald", 1, 0)]);
}

#[test]
fn a_reader_that_stalls_costs_no_time_and_every_message_is_taken_or_counted() {
    const MESSAGES: u32 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let reader = UnixDatagram::bind(&path).unwrap();
    reader.set_nonblocking(true).unwrap();
    let account = Arc::new(Account::default());
    let mut outlet = Outlet::unix("syslog", path, Arc::clone(&account));
    let begin = Instant::now();
    for message in 0..MESSAGES {
        outlet.push(&message.to_le_bytes());
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(account.lost() > 0 && !outlet.is_empty());
    let mut taken = Vec::new();
    while !outlet.is_empty() {
        outlet.flush();
        let mut buffer = [0; 4];
        while reader.recv(&mut buffer).is_ok() {
            taken.push(u32::from_le_bytes(buffer));
        }
    }
    assert!(taken.is_sorted());
    assert_eq!(taken.len() as u64 + account.lost(), u64::from(MESSAGES));
    outlet.finish(0);
    assert_eq!(taken.len() as u64 + account.lost(), u64::from(MESSAGES));
}

#[test]
fn a_server_that_starts_late_or_again_gets_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let account = Arc::new(Account::default());
    let mut outlet = Outlet::unix("syslog", path.clone(), Arc::clone(&account));
    let mut next = 0_u8;
    for _ in 0..2 {
        for _ in 0..5 {
            outlet.push(&[next]);
            next += 1;
        }
        outlet.flush();
        assert!(account.trouble().unwrap().contains("syslog takes no drop records"));
        let server = UnixDatagram::bind(&path).unwrap();
        let begin = Instant::now();
        while !outlet.is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(5), "not found again");
            outlet.flush();
            thread::sleep(Duration::from_millis(20));
        }
        for number in next - 5..next {
            let mut buffer = [0; 4];
            assert_eq!(server.recv(&mut buffer).unwrap(), 1);
            assert_eq!(buffer[0], number);
        }
        assert_eq!(account.trouble(), None);
        drop(server);
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(account.lost(), 0);
    outlet.push(&[next]);
    outlet.finish(3);
    assert_eq!(account.lost(), 4);
}

#[test]
fn a_domain_stays_within_the_folder_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let drops = drops(folder.path(), "drops-{domain}.jsonl");
    let sinks = Sinks::open(&drops, Arc::new(ledger(&drops))).unwrap();
    for (domain, file) in [
        (None, "drops-none.jsonl"),
        (Some("web"), "drops-web.jsonl"),
        (Some("../../etc/x"), "drops-.._.._etc_x.jsonl"),
        (Some("a b\n"), "drops-a_b_.jsonl"),
        (Some("büro"), "drops-büro.jsonl"),
        (Some(".."), "drops-_.jsonl"),
    ] {
        let path = sinks.path_of(sinks.log_of(domain));
        assert_eq!(path, folder.path().join(file), "{domain:?}");
    }
}
