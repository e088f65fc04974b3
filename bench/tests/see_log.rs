//! Where records go besides one file: rotated logs, a log a domain, syslog, journald. Under load, none
//! loses a line that is not counted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Lab, Record, Setup, check_identities, records};
use rustix::process::Signal;
use stress::*;

/// A gateway without a limit of records, with more lines of `[drops]`.
fn start(lab: &Lab, log: &'static str, drops: &str) -> Gateway {
    let setup = Setup { rate: 1_000_000, log, drops: drops.to_owned(), ..setup(lab) };
    Gateway::start(lab, &setup).unwrap()
}

/// The logs in a folder, each with its records.
fn logs(folder: &Path) -> Vec<(PathBuf, Vec<Record>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a half line in {}", path.display());
        let told = records(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, told)
    };
    paths.filter(|path| name(path).starts_with("drops")).map(read).collect()
}

fn total(logs: &[(PathBuf, Vec<Record>)]) -> u64 {
    logs.iter().map(|(_, records)| records.len() as u64).sum()
}

/// The gateway's own count of recorded drops, once nothing moves.
fn recorded(gateway: &Gateway) -> u64 {
    let status = gateway.quiet_status().unwrap();
    assert_eq!(check_identities(&status), Vec::<String>::new());
    assert_eq!(status.records.suppressed, 0);
    status.records.recorded
}

#[test]
fn a_log_that_rotates_under_load_loses_no_line() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "drops.jsonl", "[drops.rotate]\nsize_mb = 1\nkeep = 10000");
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        for _ in 0..20 {
            // By signal too, whatever else is going on.
            gateway.signal(Signal::USR1).unwrap();
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(watch.leaked(), 0);
    });
    let recorded = recorded(&gateway);
    let folder = gateway.folder().to_owned();
    until("all lines", || total(&logs(&folder)) == recorded);
    let logs = logs(&folder);
    assert!(logs.len() > 10, "{} logs of {recorded} lines", logs.len());
    for (path, _) in &logs {
        let bytes = fs::metadata(path).unwrap().len();
        assert!(bytes <= 1 << 20, "{}: {bytes} bytes", path.display());
    }
    // The numbers go from the newest to the oldest without a gap.
    let mut times: Vec<_> = (1..logs.len())
        .map(|number| {
            let text = fs::read_to_string(folder.join(format!("drops.jsonl.{number}"))).unwrap();
            records(&text).unwrap()[0].timestamp.clone()
        })
        .collect();
    times.reverse();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(told(&gateway)["sinks"][0]["written"], recorded);
}

#[test]
fn only_so_many_old_logs_are_kept() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "drops.jsonl", "[drops.rotate]\nsize_mb = 1\nkeep = 2");
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("old logs", || gateway.folder().join("drops.jsonl.2").exists());
        thread::sleep(Duration::from_secs(1));
    });
    recorded(&gateway);
    assert_eq!(logs(gateway.folder()).len(), 3);
}

#[test]
fn each_domain_has_a_log_of_its_own() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "drops-{domain}.jsonl", "");
    for what in [Try::Web, Try::Postgres, Try::Unlisted] {
        ask(&lab, FOREIGN[0], what, Duration::from_millis(100));
    }
    let recorded = recorded(&gateway);
    let folder = gateway.folder().to_owned();
    until("all lines", || total(&logs(&folder)) == recorded);
    for (domain, port) in [("external", 80), ("internal", 5432), ("none", 9999)] {
        let text = fs::read_to_string(folder.join(format!("drops-{domain}.jsonl"))).unwrap();
        let told = records(&text).unwrap();
        assert!(told.iter().any(|record| record.dest_port == Some(port)), "{domain}: {told:?}");
        let whose = |record: &Record| record.palisade.domain.clone().unwrap_or("none".into());
        assert!(told.iter().all(|record| whose(record) == domain), "{domain}: {told:?}");
    }
}

/// What a sink of this name took and lost.
fn sink(gateway: &Gateway, name: &str) -> (u64, u64) {
    let status = told(gateway);
    let sinks = status["sinks"].as_array().unwrap();
    let sink = sinks.iter().find(|sink| sink["name"] == name).unwrap();
    (sink["written"].as_u64().unwrap(), sink["lost"].as_u64().unwrap())
}

#[test]
fn syslog_and_journald_get_every_line_or_a_count() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    // A name that the lab sweeps away when this process is gone.
    let folder = std::env::temp_dir().join(format!("palisade-{}.sinks", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let [syslog, journal] = ["log", "journal"].map(|name| folder.join(name));
    let reader = UnixDatagram::bind(&syslog).unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // Nobody ever reads this one.
    let _stalled = UnixDatagram::bind(&journal).unwrap();
    let drops =
        format!("syslog = \"unix:{}\"\njournald = \"{}\"", syslog.display(), journal.display());
    let gateway = start(&lab, "drops.jsonl", &drops);
    let read = thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut lines = Vec::new();
        while let Ok(bytes) = reader.recv(&mut buffer) {
            lines.push(String::from_utf8(buffer[..bytes].to_vec()).unwrap());
        }
        lines
    });
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("lost lines", || sink(&gateway, "journald").1 > 0);
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    let recorded = recorded(&gateway);
    until("all lines", || sink(&gateway, "syslog").0 + sink(&gateway, "syslog").1 == recorded);
    assert_eq!(sink(&gateway, "log"), (recorded, 0), "the log itself misses nothing");
    let (written, _) = sink(&gateway, "syslog");
    let lines = read.join().unwrap();
    assert_eq!(lines.len() as u64, written);
    for line in [&lines[0], &lines[lines.len() - 1]] {
        let (head, json) = line.split_once(" drop - ").unwrap();
        assert!(head.starts_with("<30>1 20") && head.contains(" palisade "), "{line}");
        assert_eq!(records(json).unwrap().len(), 1, "{line}");
    }
    let (written, lost) = sink(&gateway, "journald");
    assert!(written > 0 && written + lost <= recorded, "{written} + {lost} of {recorded}");
    settle(gateway);
    fs::remove_dir_all(folder).unwrap();
}
