//! What differs between revisions of a running gateway, and what becomes of its flows; numbers of
//! revisions over a crash in the middle of changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{Answer, CLIENT_VETH, Gateway, SERVER_VETH, Setup, Tag, Tagger, binary};
use serde_json::Value;
use stress::*;

/// `palisade diff` from a folder that has none of the gateway's files.
fn diff(gateway: &Gateway, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary().unwrap())
        .arg("diff")
        .args(words)
        .args(["--json", "--socket"])
        .arg(gateway.socket())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The subjects that flip: domain before and now, traffic.
fn subjects(answer: &Value) -> Vec<(Value, Value, Value)> {
    let of = |one: &Value| (one["before"].clone(), one["after"].clone(), one["traffic"].clone());
    answer["flips"]["subjects"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn revisions_of_the_running_gateway_are_compared_with_their_lists() {
    let Some(lab) = site(1) else { return };
    let first = format!("{POLICY}\n[group.listed]\nfiles = [\"list.netset\"]\n");
    let first = first.replace(r#"deny     = ["abusers"]"#, r#"deny = ["abusers", "listed"]"#);
    let setup = Setup { policy: first.clone(), ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start_with(&lab, &setup, &[("list.netset", "192.0.2.0/24\n")]).unwrap();
    let second = first.replace(r#"ports    = ["5432"]"#, r#"ports = ["5433"]"#);
    gateway.reload(&second).unwrap();
    gateway.reload(&second.replace(r#"countries = ["DE"]"#, r#"countries = ["FR"]"#)).unwrap();

    let output = diff(&gateway, &["r1", "r2"], "");
    let answer = told(&output);
    assert_eq!((output.status.code(), &answer["old"]), (Some(1), &"r1".into()), "{output:?}");
    let changes: Vec<_> =
        answer["changes"].as_array().unwrap().iter().map(|it| &it["value"]).collect();
    assert_eq!(changes, ["5432", "5433"]);
    let expected = [
        ("internal".into(), Value::Null, ["tcp 5432"].as_slice().into()),
        (Value::Null, "internal".into(), ["tcp 5433"].as_slice().into()),
    ];
    assert_eq!(subjects(&answer), expected);
    // From there on, and against the one in force.
    for (words, code) in [
        (["r2", "r3"], 1),
        (["r1", "running"], 1),
        (["r3", "running"], 0),
        (["running", "running"], 0),
        (["r1", "r9"], 2),
    ] {
        let output = diff(&gateway, &words, "");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
    }
    let said = String::from_utf8(diff(&gateway, &["r1", "r9"], "").stderr).unwrap();
    assert!(said.contains("revision 9 is not in the history"), "{said}");
    // A revision's policy finds its lists where it stands; a file's, beside the file.
    let next = gateway.folder().join("next.toml");
    fs::write(&next, &first).unwrap();
    let next = next.display().to_string();
    assert_eq!(diff(&gateway, &["r1", &next], "").status.code(), Some(0));
    settle(gateway);
}

#[test]
fn flows_of_a_vlan_are_judged_in_their_vlan() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let on = |vlans: &str| {
        POLICY.replacen(
            "[domain.external]\n",
            &format!("[domain.external]\nvlans = [{vlans}]\n"),
            1,
        )
    };
    let hosts = [(&lab.clients, CLIENT_VETH), (&lab.servers, SERVER_VETH)];
    let _taggers = hosts.map(|(host, veth)| Tagger::new(host, veth, &[Tag::vlan(42)]).unwrap());
    let gateway = Gateway::start(&lab, &Setup::new(&lab, &on("42, 43"))).unwrap();
    assert_eq!(ask(&lab, OFFICE[0], Try::Web, Duration::from_secs(3)), Answer::Reached);
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(300)), Answer::Silence);
    let flows = gateway.ask(&["flows", "--json", "--from", OFFICE[0]]).unwrap();
    let flow: Value = serde_json::from_str(flows.lines().next().unwrap()).unwrap();
    assert_eq!((&flow["vlan"], &flow["domain"]), (&42.into(), &"external".into()), "{flow}");
    let table = gateway.ask(&["flows"]).unwrap();
    assert!(table.contains("vlan") && table.contains("42"), "{table}");

    let next = gateway.folder().join("next.toml");
    for (vlans, flips) in [("42", 0), ("43", 1), ("0", 1)] {
        fs::write(&next, on(vlans)).unwrap();
        let words = ["running", &next.display().to_string(), "--flows", "-"];
        let answer = told(&diff(&gateway, &words, flows.lines().next().unwrap()));
        let found = answer["flows"]["flipped"].as_array().unwrap().len();
        assert_eq!((&answer["flows"]["asked"], found), (&1.into(), flips), "{vlans}: {answer}");
    }
    // The gateway remembers the pair in its VLAN, and nowhere else.
    for (vlan, known) in [("42", true), ("43", false), ("0", false)] {
        let to = format!("{}:80/tcp", SERVER[0]);
        let explain = |from: &str| -> Value {
            let words =
                ["explain", "--running", "--json", "--from", from, "--to", &to, "--vlan", vlan];
            serde_json::from_str(&gateway.ask(&words).unwrap()).unwrap()
        };
        let some = |answer: &Value, what: &str| !answer[what].as_array().unwrap().is_empty();
        let (allowed, dropped) = (explain(OFFICE[0]), explain(FOREIGN[0]));
        assert_eq!((some(&allowed, "flows"), some(&dropped, "events")), (known, known), "{vlan}");
    }
    settle(gateway);
}

/// Killed at any moment of a storm of changes: no number that somebody saw is used again.
#[test]
fn no_revision_is_used_twice_over_kills_in_a_storm_of_changes() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { history: true, ..Setup::new(&lab, POLICY) };
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    for turn in 0..4 {
        let (stop, seen) = (AtomicBool::new(false), AtomicU64::new(0));
        let socket = gateway.socket();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let output = Command::new(binary().unwrap())
                            .args(["reload", "--json", "--socket"])
                            .arg(&socket)
                            .output()
                            .unwrap();
                        let answer = serde_json::from_slice::<Value>(&output.stdout);
                        let revision = answer.ok().and_then(|it| it["revision"].as_u64());
                        seen.fetch_max(revision.unwrap_or(0), Ordering::Relaxed);
                    }
                });
            }
            // What is in force is seen before the answer to the change comes.
            while seen.load(Ordering::Relaxed) < 5 * (turn + 1) {
                let revision = gateway.status().unwrap().revision;
                seen.fetch_max(revision, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(7 * turn));
            }
            gateway.kill().unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        let seen = seen.load(Ordering::Relaxed);
        gateway.restart(&lab, &setup).unwrap();
        let revision = gateway.status().unwrap().revision;
        assert!(revision > seen, "revision {revision} was {seen} before");
        assert!(revision < seen + 5, "{seen}, and then {revision}");
        let history: Value =
            serde_json::from_str(&gateway.ask(&["history", "--json"]).unwrap()).unwrap();
        let numbers: Vec<_> = history["history"].as_array().unwrap().iter().collect();
        assert!(
            numbers
                .windows(2)
                .all(|pair| pair[0]["revision"].as_u64() > pair[1]["revision"].as_u64())
        );
    }
    balance(&gateway);
}
