//! The two identities that hold at all times: every frame and every packet is in one place.
//!
//! ```text
//! frames:  free + fill + rx + tx + completion == total
//! packets: received == forwarded + passed + sum(dropped by reason)
//!          sum(dropped) == recorded + suppressed + lost
//! ```
//! For each worker and for all of them, and once more against the drop log: its lines are the
//! recorded ones, and their `suppressed` fields add up to the suppressed ones.

use std::collections::BTreeMap;

use super::status::{Record, Records, Status, Worker};

/// A list of equations with both sides worked out; empty when all hold.
pub type Books = Vec<String>;

/// Checks both identities of each worker and of the total, and that the workers add up.
///
/// Exact only while no packet is under way: [`super::Gateway::quiet_status`] waits for that.
#[must_use]
pub fn check_identities(status: &Status) -> Books {
    let mut wrong = Books::new();
    packets(
        &mut wrong,
        "total",
        [status.received, status.forwarded, status.passed],
        &status.dropped,
        status.records,
    );
    for worker in &status.workers {
        let who = format!("worker on queue {}", worker.queue);
        packets(
            &mut wrong,
            &who,
            [worker.received, worker.forwarded, worker.passed],
            &worker.dropped,
            worker.records,
        );
        frames(&mut wrong, &who, worker);
    }
    sums(&mut wrong, status);
    wrong
}

/// Checks the drop log of a stopped gateway against its last status.
#[must_use]
pub fn check_log(status: &Status, log: &[Record]) -> Books {
    let mut wrong = Books::new();
    let lines = log.len() as u64;
    let suppressed = log.iter().map(|record| record.palisade.suppressed).sum::<u64>();
    equal(&mut wrong, "lines of the log == recorded", lines, status.records.recorded);
    equal(&mut wrong, "suppressed in the log == suppressed", suppressed, status.records.suppressed);
    wrong
}

fn packets(
    wrong: &mut Books,
    who: &str,
    [received, forwarded, passed]: [u64; 3],
    dropped: &BTreeMap<String, u64>,
    records: Records,
) {
    let dropped = dropped.values().sum::<u64>();
    let told = records.recorded + records.suppressed + records.lost;
    let equation = format!("{who}: received == forwarded + passed + dropped");
    equal(wrong, &equation, received, forwarded + passed + dropped);
    let equation = format!("{who}: dropped == recorded + suppressed + lost");
    equal(wrong, &equation, dropped, told);
}

fn frames(wrong: &mut Books, who: &str, worker: &Worker) {
    let frames = worker.frames;
    let placed = frames.free + frames.fill + frames.rx + frames.tx + frames.completion;
    let equation = format!("{who}: free + fill + rx + tx + completion == frames {frames:?}");
    equal(wrong, &equation, placed, frames.total);
}

fn sums(wrong: &mut Books, status: &Status) {
    let of = |pick: fn(&Worker) -> u64| status.workers.iter().map(pick).sum::<u64>();
    equal(wrong, "received of all workers", of(|w| w.received), status.received);
    equal(wrong, "forwarded of all workers", of(|w| w.forwarded), status.forwarded);
    equal(wrong, "leased of all workers", of(|w| w.leased), status.leased);
    equal(wrong, "passed of all workers", of(|w| w.passed), status.passed);
    let dropped = of(|w| w.dropped.values().sum());
    equal(wrong, "dropped of all workers", dropped, status.dropped_total());
}

fn equal(wrong: &mut Books, equation: &str, left: u64, right: u64) {
    if left != right {
        wrong.push(format!("{equation}: {left} != {right}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> Status {
        let text = r#"{"received":10,"forwarded":6,"leased":2,"passed":1,"dropped":{"denied":3},
            "records":{"recorded":2,"suppressed":1,"lost":0},"flows":1,"revision":1,
            "workers":[{"core":1,"queue":0,"mode":"copy",
              "frames":{"free":1,"fill":2,"rx":3,"tx":4,"completion":5,"total":15},
              "received":10,"forwarded":6,"leased":2,"passed":1,"dropped":{"denied":3},
              "records":{"recorded":2,"suppressed":1,"lost":0}}]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn balanced_books_have_no_errors() {
        assert_eq!(check_identities(&balanced()), Books::new());
    }

    #[test]
    fn every_counter_matters() {
        type Change = fn(&mut Status);
        let spoil: [(&str, Change); 9] = [
            ("received", |s| s.received += 1),
            ("forwarded", |s| s.forwarded += 1),
            ("leased", |s| s.leased += 1),
            ("passed", |s| s.passed -= 1),
            ("dropped", |s| *s.dropped.entry("denied".into()).or_default() += 1),
            ("recorded", |s| s.records.recorded += 1),
            ("worker's lost", |s| s.workers[0].records.lost += 1),
            ("worker's frames", |s| s.workers[0].frames.rx -= 1),
            ("worker's received", |s| s.workers[0].received -= 1),
        ];
        for (what, change) in spoil {
            let mut status = balanced();
            change(&mut status);
            assert_ne!(check_identities(&status), Books::new(), "{what}");
        }
    }

    #[test]
    fn the_log_is_counted() {
        let line = r#"{"timestamp":"","event_type":"drop","src_ip":"","src_port":null,"dest_ip":"",
            "dest_port":null,"proto":"TCP","in_iface":"outside","palisade":{"country":null,
            "asn":null,"prefix":null,"domain":null,"service":null,"rule":null,
            "reason":"no_service","revision":1,"suppressed":1}}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        let mut quiet = record.clone();
        quiet.palisade.suppressed = 0;
        assert_eq!(check_log(&balanced(), &[record.clone(), quiet]), Books::new());
        assert_eq!(check_log(&balanced(), &[record.clone(), record.clone()]).len(), 1);
        assert_eq!(check_log(&balanced(), &[record]).len(), 1);
    }
}
