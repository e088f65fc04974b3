//! Floods: what they may not push out, and what is said about them.

use filter::{Action, DropReason, DropRecord, Full, RecordKind, Records};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

#[test]
fn a_syn_flood_evicts_nothing_that_is_established() {
    let mut lab = Lab::with("policy", 1, 1024, 1000);
    let client = |n: u32| format!("10.3.0.5:{}", 1000 + n);
    let de = "198.51.100.1:443";
    for n in 0..100 {
        lab.send(Inside, &udp(&client(n), de));
        lab.send(Outside, &udp(de, &client(n)));
    }
    for n in 0..20_000_u32 {
        let source = format!("198.51.100.{}:{}", n % 250 + 1, 1024 + n / 250);
        assert_eq!(lab.send(Outside, &tcp(&source, "10.2.0.1:80", "S")), Action::Forward);
    }
    assert!(lab.counters().flows <= 1024);
    assert_eq!(lab.counters().flow_table_full, 0, "half-open ones give way to each other");
    // Without the pinholes, by the flow table alone: a policy change would ask them.
    for n in 0..100 {
        assert_eq!(lab.send(Outside, &udp(de, &client(n))), Action::Forward);
    }
}

#[test]
fn drops_cannot_crowd_the_table() {
    let mut lab = Lab::with("policy", 1, 64, 10);
    for n in 0..5_000_u32 {
        let source = format!("203.0.{}.{}:999", n / 250, n % 250 + 1);
        lab.send(Outside, &tcp(&source, "10.2.0.1:5432", "S"));
    }
    assert_eq!(lab.counters().flows, 0);
}

/// A ring of some places that a logger empties now and then.
struct Ring {
    room: usize,
    log: Vec<DropRecord>,
}

impl Records for Ring {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        self.room = self.room.checked_sub(1).ok_or(Full)?;
        self.log.push(record);
        Ok(())
    }
}

#[test]
fn every_drop_is_in_the_log_or_counted_as_missing() {
    let mut lab = Lab::with("policy", 1, 64, 100);
    let mut ring = Ring { room: 20, log: Vec::new() };
    let bad = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    let trial = udp("192.0.2.1:999", "10.2.0.1:7001");
    let mut actions = filter::Actions::new();
    for step in 0..3_000_u64 {
        let now = lab.now();
        let filter = &mut lab.workers[0];
        let burst: &[&[u8]] = if step % 3 == 0 { &[&bad, &trial] } else { &[&bad] };
        filter.process(&lab.rules, now, Outside, burst, &mut actions, &mut ring);
        assert!(filter.counters().balanced());
        filter.housekeep(now, &mut ring);
        if step % 100 == 99 {
            ring.room = 60;
        }
        lab.now_ms += step % 7;
    }
    ring.room = 2;
    lab.workers[0].finish(&mut ring);
    let counters = lab.counters();
    assert!(counters.balanced());
    for (shadow, records) in [(false, counters.records), (true, counters.shadow_records)] {
        let lines =
            ring.log.iter().filter(|record| matches!(record.kind, RecordKind::Shadow(_)) == shadow);
        let summed: u64 = lines.clone().map(|record| u64::from(record.suppressed)).sum();
        assert_eq!(lines.count() as u64, records.recorded);
        assert_eq!(summed, records.suppressed);
        assert!(records.suppressed > 0 && records.recorded > 0, "{records:?}");
    }
    assert!(counters.records.lost > 0);
    assert_eq!(counters.dropped[DropReason::Denied.index()], 3_000);
}

#[test]
fn what_finds_no_room_at_the_end_is_lost() {
    let mut lab = Lab::with("policy", 1, 64, 1);
    let bad = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    for _ in 0..10 {
        lab.send(Outside, &bad);
    }
    assert_eq!(lab.counters().records.recorded, 2);
    assert_eq!(lab.counters().records.suppressed, 8);
    lab.workers[0].finish(&mut Ring { room: 0, log: Vec::new() });
    let records = lab.counters().records;
    assert_eq!((records.recorded, records.suppressed, records.lost), (1, 0, 9));
    assert!(lab.counters().balanced());
}

#[test]
fn a_held_record_goes_out_with_the_next_token() {
    let mut lab = Lab::with("policy", 1, 64, 2);
    let bad = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    for _ in 0..5 {
        lab.send(Outside, &bad);
    }
    assert_eq!(lab.records.len(), 2);
    for (wait_ms, lines) in [(499, 2), (1, 3), (1000, 3)] {
        lab.now_ms += wait_ms;
        let now = lab.now();
        lab.workers[0].housekeep(now, &mut lab.records);
        assert_eq!(lab.records.len(), lines);
    }
    assert_eq!(lab.records[2].suppressed, 2);
}

#[test]
fn housekeeping_forgets_the_silent() {
    let mut lab = Lab::with("policy", 1, 4096, 1000);
    for n in 0..1000 {
        lab.send(Outside, &udp(&format!("198.51.100.1:{}", 1000 + n), "10.2.0.1:53"));
    }
    assert_eq!(lab.counters().flows, 1000);
    lab.now_ms += 30_001;
    let now = lab.now();
    for _ in 0..16 {
        lab.workers[0].housekeep(now, &mut lab.records);
    }
    assert_eq!(lab.counters().flows, 0);
}
