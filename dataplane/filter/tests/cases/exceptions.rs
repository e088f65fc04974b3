//! What an exception allows is forwarded, and says so once a flow.

use filter::{Action::*, RecordCounters, RecordKind};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const DB: &str = "10.2.0.1:5432";

#[test]
fn the_first_packet_of_each_flow_has_a_record_of_its_own_kind() {
    let mut lab = Lab::new("excepting");
    for port in [1000, 1001] {
        let auditor = format!("192.0.2.200:{port}");
        assert_eq!(lab.send(Outside, &tcp(&auditor, DB, "S")), Forward);
        assert_eq!(lab.send(Inside, &tcp(DB, &auditor, "SA")), Forward);
        assert_eq!(lab.send(Outside, &tcp(&auditor, DB, "A")), Forward);
    }
    assert_eq!(lab.send(Outside, &tcp("198.51.100.1:999", DB, "S")), Forward);
    assert_eq!(lab.send(Outside, &tcp("192.0.2.1:999", DB, "S")), Drop);
    let kinds: Vec<_> = lab.records.iter().map(|record| record.kind).collect();
    let refused = RecordKind::Drop(filter::DropReason::NotAllowed);
    assert_eq!(kinds, [RecordKind::Exception, RecordKind::Exception, refused]);
    let record = &lab.records[1];
    let legend = lab.rules.legend();
    assert_eq!(record.rule.map(|id| legend.rule_text(id)), Some("exception:audit"));
    assert_eq!((record.src_port, record.service.is_some()), (1001, true));
    let counters = lab.counters();
    assert_eq!((counters.exceptions, counters.exception_records.recorded), (2, 2));
    assert_eq!((counters.forwarded, counters.dropped_total()), (7, 1));
}

#[test]
fn a_reload_says_it_again_only_for_what_was_not_allowed_before() {
    let mut lab = Lab::new("excepting");
    let auditor = tcp("192.0.2.200:1000", DB, "A");
    lab.send(Outside, &auditor);
    lab.reload("excepting");
    assert_eq!(lab.send(Outside, &auditor), Forward);
    assert_eq!(lab.records.len(), 1, "the flow goes on");
    lab.reload("policy");
    assert_eq!(lab.send(Outside, &auditor), Drop);
    lab.reload("excepting");
    assert_eq!(lab.send(Outside, &auditor), Forward);
    let kinds: Vec<_> = lab.records.iter().map(|record| record.reason().is_none()).collect();
    assert_eq!(kinds, [true, false, true]);
}

/// More of them than the rate allows are summed up, apart from drops.
#[test]
fn they_have_a_sum_of_their_own() {
    let mut lab = Lab::with("excepting", 1, 4096, 1);
    for port in 1..=50 {
        lab.send(Outside, &tcp(&format!("192.0.2.200:{port}"), DB, "S"));
        lab.send(Outside, &tcp(&format!("192.0.2.1:{port}"), DB, "S"));
    }
    let mut records = std::mem::take(&mut lab.records);
    lab.workers[0].finish(&mut records);
    let counters = lab.counters();
    assert!(counters.balanced());
    let told = |exception: bool| {
        let of = |r: &&filter::DropRecord| (r.kind == RecordKind::Exception) == exception;
        let mine: Vec<_> = records.iter().filter(of).collect();
        let suppressed = mine.iter().map(|record| u64::from(record.suppressed)).sum();
        RecordCounters { recorded: mine.len() as u64, suppressed, lost: 0 }
    };
    assert_eq!((told(true), told(false)), (counters.exception_records, counters.records));
    assert_eq!((counters.exceptions, counters.records.total()), (50, 50));
}
