//! `palisade drops`: the recent past by filter, followed, and told to readers that are too slow.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Setup, binary, check_identities};
use serde_json::Value;
use stress::*;

#[test]
fn the_last_drops_are_shown_as_they_are_asked_for() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    for (from, what) in [
        (FOREIGN[0], Try::Web),
        (FOREIGN[1], Try::Postgres),
        (UNKNOWN[0], Try::Postgres),
        (ABUSER, Try::Web),
        (OFFICE[0], Try::Unlisted),
    ] {
        ask(&lab, from, what, Duration::from_millis(100));
    }
    gateway.quiet_status().unwrap();
    let all = gateway.drops().unwrap();
    let log = gateway.folder().join("drops.jsonl").display().to_string();
    type Right<'a> = &'a dyn Fn(&palisade_bench::lab::Record) -> bool;
    let cases: [(&[&str], Right<'_>); 8] = [
        (&[], &|_| true),
        (&["--domain", "internal"], &|r| r.palisade.domain.as_deref() == Some("internal")),
        (&["--domain", "none"], &|r| r.palisade.domain.is_none()),
        (&["--country", "us"], &|r| r.palisade.country.as_deref() == Some("US")),
        (&["--country", "unknown"], &|r| r.palisade.country.is_none()),
        (&["--from", "2600::/16"], &|r| r.src_ip.starts_with("2600:")),
        (&["--reason", "denied"], &|r| r.palisade.reason == "denied"),
        (&["--kind", "pattern"], &|_| false),
    ];
    for (words, holds) in cases {
        let expected: Vec<_> =
            all.iter().filter(|record| holds(record)).map(|r| r.timestamp.clone()).collect();
        let limit = all.len().to_string();
        let words = [&["drops", "--json", "--limit", &limit][..], words].concat();
        for source in [&[][..], &["--log", &log]] {
            let words = [&words[..], source].concat();
            let text = gateway.ask(&words).unwrap();
            let told: Vec<String> = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].clone())
                .map(|time| time.as_str().unwrap().to_owned())
                .collect();
            assert_eq!(told, expected, "{words:?}");
        }
    }
    let newest = gateway.ask(&["drops", "--json", "--limit", "1"]).unwrap();
    assert_eq!(newest.lines().count(), 1);
    assert!(newest.contains(&all[all.len() - 1].timestamp), "{newest}");
    let plain = gateway.ask(&["drops", "--reason", "denied"]).unwrap();
    assert!(plain.contains(ABUSER) && !plain.contains('\u{1b}'), "{plain}");
    // A word that no event has would never be found.
    for words in [["--reason", "notallowed"], ["--kind", "drops"], ["--country", "Germany"]] {
        for source in [&[][..], &["--log", &log]] {
            let said = gateway.ask(&[&["drops"][..], &words, source].concat()).unwrap_err();
            assert!(said.to_string().contains(words[1]), "{words:?}: {said}");
        }
    }
    settle(gateway);
}

/// A follower whose own reader goes away ends at once, not with the next drop; one whose gateway goes
/// away says so.
#[test]
fn a_follower_ends_with_its_reader_and_with_its_gateway() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let follow = || {
        Command::new(binary().unwrap())
            .args(["drops", "--follow", "--socket"])
            .arg(gateway.socket())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(100));
    gateway.quiet_status().unwrap();
    let (mut one, other) = (follow(), follow());
    let mut lines = BufReader::new(one.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains(FOREIGN[0]));
    drop(lines);
    let begin = Instant::now();
    assert!(one.wait().unwrap().success());
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    settle(gateway);
    let ended = other.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("went away"), "{said}");
}

#[test]
fn a_follower_gets_each_drop_as_it_comes() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let mut follower = Command::new(binary().unwrap())
        .args(["drops", "--follow", "--json", "--domain", "internal", "--socket"])
        .arg(gateway.socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    thread::sleep(Duration::from_millis(300));
    ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(100));
    let begin = Instant::now();
    ask(&lab, FOREIGN[0], Try::Postgres, Duration::from_millis(100));
    let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(line["palisade"]["service"], "postgres");
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    follower.kill().unwrap();
    follower.wait().unwrap();
    settle(gateway);
}

#[test]
fn a_stalled_follower_holds_nobody_and_is_told_what_it_missed() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup { rate: 1_000_000, ..setup(&lab) }).unwrap();
    let mut stalled = UnixStream::connect(gateway.socket()).unwrap();
    stalled.write_all(b"GET /drops/follow?limit=0 HTTP/1.1\r\nhost: palisade\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("many records", || gateway.status().unwrap().records.recorded > 60_000);
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    let status = gateway.quiet_status().unwrap();
    assert_eq!(check_identities(&status), Vec::<String>::new());
    let (recorded, lost) = (status.records.recorded, status.records.lost);
    assert_eq!(lost, 0, "the logger was held up");
    // Now it reads: each event is there, or among those missed.
    stalled.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut seen, mut missed) = (0, 0);
    let mut lines = BufReader::new(stalled).lines();
    while seen + missed < recorded {
        let line = lines.next().unwrap().unwrap();
        // Chunk sizes of HTTP stand between the lines.
        let Ok(Value::Object(event)) = serde_json::from_str(&line) else { continue };
        match event["event_type"].as_str().unwrap() {
            "missed" => missed += event["missed"].as_u64().unwrap(),
            _ => seen += 1,
        }
    }
    assert_eq!(seen + missed, recorded);
    assert!(missed > 0 && seen > 8000, "{seen} seen, {missed} missed");
    settle(gateway);
}
