//! A drop log that is full, moved, removed or stalled, under load: every record a line, or counted.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Lab, OUTSIDE, Setup, check_identities, records};
use rustix::fs::OFlags;
use rustix::process::Signal;
use stress::*;

/// A gateway without a limit of records, started by a line of shell that has its folder in `$d`.
fn start(lab: &Lab, before: &str) -> Gateway {
    let script = format!("d=$(dirname \"$3\"); {before}; exec \"$0\" \"$@\"");
    let wrapper = ["sh", "-ec", &script].map(str::to_owned).to_vec();
    Gateway::start(lab, &Setup { rate: 1_000_000, wrapper, ..setup(lab) }).unwrap()
}

/// The drop log as the gateway sees it, in a mount namespace of its own.
fn log_of(gateway: &Gateway) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", gateway.pid()));
    root.join(gateway.folder().strip_prefix("/").unwrap())
}

fn lines(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a half line in {}", path.display());
    let told = records(&text);
    assert!(told.is_ok(), "{}: {told:?}", path.display());
    let told = told.unwrap();
    told.len() as u64
}

/// The gateway's own sums, once nothing moves: recorded and lost.
fn sums(gateway: &Gateway) -> (u64, u64) {
    let status = gateway.quiet_status().unwrap();
    assert_eq!(check_identities(&status), Vec::<String>::new());
    assert_eq!(status.records.suppressed, 0);
    (status.records.recorded, status.records.lost)
}

#[test]
fn a_full_disk_costs_only_what_is_counted_and_is_written_to_again() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(
        &lab,
        "mkdir $d/disk; mount -t tmpfs -o size=32m none $d/disk; \
         head -c 32500k /dev/zero > $d/disk/ballast; ln -s disk/drops.jsonl $d/drops.jsonl",
    );
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("a warning", || warns(&gateway, "No space left on device"));
        until("lost records", || gateway.status().unwrap().records.lost > 0);
        serves(&lab);
        watch.flows(Instant::now());
        assert_eq!(watch.leaked(), 0);
    });
    let disk = log_of(&gateway).join("disk");
    fs::remove_file(disk.join("ballast")).unwrap();
    until("no warning", || !warns(&gateway, "No space left"));
    ask(&lab, FOREIGN[0], Try::Echo, Duration::from_millis(50));
    let (recorded, lost) = sums(&gateway);
    until("all lines", || lines(&disk.join("drops.jsonl")) == recorded);
    assert!(lost > 0 && recorded > 16_384, "{recorded} recorded, {lost} lost");
    assert_eq!(told(&gateway)["unwritten"], 0);
}

#[test]
fn what_a_stop_cannot_write_is_counted_to_the_line() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "ln -s /dev/full $d/drops.jsonl");
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("lost records", || gateway.status().unwrap().records.lost > 0);
    });
    let (recorded, _) = sums(&gateway);
    stop_blind(&gateway);
    assert_eq!(unwritten(&gateway), recorded);
}

/// What a gateway says at its end of records that it could not write.
fn unwritten(gateway: &Gateway) -> u64 {
    let text = gateway.log();
    let before = text.split(" drop records could not be written").next().unwrap();
    assert!(before.len() < text.len(), "{text}");
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_log_that_is_moved_or_removed_is_begun_anew() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "mkdir $d/logs; ln -s logs/drops.jsonl $d/drops.jsonl");
    let folder = gateway.folder().join("logs");
    let log = folder.join("drops.jsonl");
    let mut removed = under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("lines", || log.exists());
        // As logrotate does it, without a signal; then by a hand that is not so careful.
        fs::rename(&log, folder.join("drops.jsonl.1")).unwrap();
        until("a new log", || log.exists());
        let removed = File::open(&log).unwrap();
        fs::remove_file(&log).unwrap();
        until("a new log", || log.exists());
        fs::rename(&folder, gateway.folder().join("old")).unwrap();
        fs::create_dir(&folder).unwrap();
        until("a new log", || log.exists());
        assert_eq!(watch.leaked(), 0);
        removed
    });
    let mut text = String::new();
    removed.read_to_string(&mut text).unwrap();
    let old = gateway.folder().join("old");
    let (recorded, _) = sums(&gateway);
    until("all lines", || {
        let files = [log.clone(), old.join("drops.jsonl"), old.join("drops.jsonl.1")];
        let there: u64 = files.iter().map(|file| lines(file)).sum();
        there + text.lines().count() as u64 == recorded
    });
    // Every half line was taken back before its file was left.
    assert!(text.is_empty() || text.ends_with('\n'));
}

#[test]
fn a_stalled_reader_stalls_nobody_and_the_stop_neither() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    // The gateway itself inherits the end that nobody reads.
    let gateway = start(&lab, "mkfifo $d/drops.jsonl; exec 9<> $d/drops.jsonl");
    let path = gateway.folder().join("drops.jsonl");
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = OpenOptions::new().read(true).custom_flags(flags).open(path).unwrap();
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("lost records", || gateway.status().unwrap().records.lost > 0);
        until("a warning", || warns(&gateway, "takes no records"));
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    let (recorded, _) = sums(&gateway);
    let took = stop_blind(&gateway);
    assert!(took < Duration::from_secs(8), "{took:?}");
    let mut text = Vec::new();
    // The process may be over some moments before its last descriptor is.
    until("the end of the pipe", || reader.read_to_end(&mut text).is_ok());
    // A pipe cannot take the half line back that it ends with.
    let whole = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(whole + unwritten(&gateway), recorded);
}

#[test]
fn words_that_nobody_takes_end_no_thread() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab, "exec 2> /dev/full");
    recovers(&lab);
    // Each of these makes another thread speak.
    gateway.write_policy("nonsense").unwrap();
    gateway.signal(Signal::HUP).unwrap();
    fs::remove_file(gateway.socket()).unwrap();
    until("an answer", || gateway.status().is_ok());
    unplug(&lab, OUTSIDE);
    until("a warning", || warns(&gateway, "interface outside is gone"));
    plug(&lab, OUTSIDE);
    recovers(&lab);
    serves(&lab);
    assert_eq!(gateway.status().unwrap().revision, 1);
    settle(gateway);
}
