//! The wall clock stepped by days, both ways, under load: timestamps follow, nothing else does.
//!
//! The step is made for the gateway alone, by Debian's `faketime` between it and the C library; the
//! monotonic clock stays true, as it does when an administrator or NTP sets the time.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Setup};
use stress::*;

const RATE: u32 = 2000;
const DAY_S: i64 = 86_400;

/// The library that fakes the time, where it is installed.
fn library() -> Option<String> {
    let path = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    if Path::new(&path).exists() {
        return Some(path);
    }
    eprintln!("skipped: scripts/install-deps test brings faketime");
    None
}

#[test]
fn a_step_of_the_wall_clock_moves_timestamps_only() {
    let (Some(lab), Some(library)) = (site(1), library()) else { return };
    let _servers = servers(&lab);
    let script = format!(
        "d=$(dirname \"$3\"); echo +0 > $d/offset; export LD_PRELOAD={library} \
         FAKETIME_TIMESTAMP_FILE=$d/offset FAKETIME_CACHE_DURATION=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1; exec \"$0\" \"$@\""
    );
    let wrapper = ["sh", "-ec", &script].map(str::to_owned).to_vec();
    // The library reads its file from every thread, which the sandbox refuses most of them.
    let more = "[sandbox]\nmode = \"off\"\n".to_owned();
    let setup = Setup { rate: RATE, wrapper, more, ..setup(&lab) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let offset = gateway.folder().join("offset");
    let step = |days: i64| fs::write(&offset, format!("{:+}\n", days * DAY_S)).unwrap();
    let days_told = |gateway: &Gateway| -> Vec<String> {
        let dates = gateway.drops().unwrap().into_iter().map(|record| record.timestamp);
        let mut days: Vec<String> = dates.map(|date| date[..10].to_owned()).collect();
        days.dedup();
        days
    };
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        thread::sleep(Duration::from_millis(500));
        for (steps, days) in [(2, 30), (3, -30), (4, 0)] {
            let before = gateway.status().unwrap();
            let begin = Instant::now();
            step(days);
            // A line that is being written is not yet whole.
            until("records of another day", || {
                thread::sleep(Duration::from_millis(300));
                let told = fs::read_to_string(gateway.folder().join("drops.jsonl")).unwrap();
                let mut days: Vec<&str> =
                    told.lines().filter_map(|line| line.get(14..24)).collect();
                days.dedup();
                days.len() >= steps
            });
            watch.flows(Instant::now());
            let after = gateway.status().unwrap();
            let passed_s = begin.elapsed().as_secs() + 2;
            let records = after.records.recorded - before.records.recorded;
            assert!(records <= passed_s * u64::from(RATE), "{records} records in {passed_s} s");
            assert!(after.flows >= before.flows, "{} of {} flows", after.flows, before.flows);
        }
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    assert_eq!(days_told(&gateway).len(), 4, "there, back, and home");
    balance(&gateway);
}
