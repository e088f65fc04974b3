//! What a running gateway has given up, thread by thread, and that it is refused.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{Answer, Gateway, Lab, Setup};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(3);
/// `CAP_*` of `linux/capability.h`.
const CHOWN: u64 = 1 << 0;
const MAIN: u64 = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 38 | 1 << 39;

/// The threads of a gateway by name, each with the lines of its status (proc(5)).
fn threads(gateway: &Gateway) -> Vec<(String, BTreeMap<String, String>)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let one = |task: PathBuf| {
        let text = fs::read_to_string(task.join("status")).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(":\t"));
        let lines: BTreeMap<_, _> =
            lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect();
        (lines["Name"].clone(), lines)
    };
    tasks.map(|task| one(task.unwrap().path())).collect()
}

fn sandbox(gateway: &Gateway) -> Value {
    let status = gateway.ask(&["status", "--json"]).unwrap();
    serde_json::from_str::<Value>(&status).unwrap()["sandbox"].take()
}

/// A gateway whose servers answer.
fn gateway(lab: &Lab, more: &str) -> Gateway {
    let gateway =
        Gateway::start(lab, &Setup { more: more.to_owned(), ..Setup::new(lab, POLICY) }).unwrap();
    assert_eq!(ask(lab, OFFICE[0], Try::Web, PATIENCE), Answer::Reached);
    gateway
}

#[test]
fn each_thread_keeps_what_it_needs_and_no_more() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = gateway(&lab, "");
    let threads = threads(&gateway);
    let names: Vec<&str> = threads.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["palisade", "worker-0", "logger", "control", "valve", "timer", "signals"] {
        assert!(names.contains(&name), "no {name} among {names:?}");
    }
    for (name, status) in &threads {
        let set = |key: &str| u64::from_str_radix(&status[key], 16).unwrap();
        let expected = match name.as_str() {
            "palisade" => MAIN,
            // The runtime's own threads are the control thread's.
            "control" | "tokio-rt-worker" | "tokio-runtime-w" => CHOWN,
            _ => 0,
        };
        assert_eq!((set("CapEff"), set("CapPrm")), (expected, expected), "{name}");
        assert_eq!([set("CapBnd"), set("CapInh"), set("CapAmb")], [0; 3], "{name}");
        assert_eq!(
            (status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()),
            ("1", "2"),
            "{name}"
        );
    }
    let told = sandbox(&gateway);
    let expected = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_PERFMON", "CAP_BPF"];
    assert_eq!(told["capabilities"], serde_json::json!(expected));
    assert_eq!((&told["mode"], &told["calls"]), (&"enforce".into(), &"refused".into()));
    assert_eq!((&told["bounding"], &told["no_new_privs"]), (&serde_json::json!([]), &true.into()));
    settle(gateway);
}

#[test]
fn a_list_in_a_folder_that_nobody_named_is_refused_and_traffic_goes_on() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let elsewhere = std::env::temp_dir().join(format!("palisade-elsewhere-{}", std::process::id()));
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("list"), "12.34.0.0/16\n").unwrap();
    let list = format!("[group.list]\nfiles = [\"{}/list\"]\n", elsewhere.display());
    let policy =
        format!("{list}{}", POLICY.replace(r#"allow    = ["home"]"#, r#"allow = ["list"]"#));

    let closed = gateway(&lab, "[sandbox]\nread = []\n");
    if sandbox(&closed)["files"] == "none" {
        eprintln!("skipped: this kernel has no Landlock");
    } else {
        let said = closed.reload(&policy).unwrap_err().to_string();
        assert!(said.contains("Permission denied") && said.contains("[sandbox] read"), "{said}");
        assert_eq!(ask(&lab, OFFICE[0], Try::Web, PATIENCE), Answer::Reached);
        assert_eq!(closed.status().unwrap().revision, 1);
    }
    settle(closed);

    let named = format!("[sandbox]\nread = [\"{}\"]\n", elsewhere.display());
    for more in [named.as_str(), ""] {
        let told = gateway(&lab, more);
        told.reload(&policy).unwrap();
        assert_eq!(ask(&lab, FOREIGN[0], Try::Web, PATIENCE), Answer::Reached);
        settle(told);
    }
    fs::remove_dir_all(elsewhere).unwrap();
}

#[test]
fn without_a_sandbox_the_status_says_so() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = gateway(&lab, "[sandbox]\nmode = \"off\"\n");
    assert!(threads(&gateway).iter().all(|(_, status)| status["Seccomp"] == "0"));
    let status = gateway.ask(&["status"]).unwrap();
    assert!(status.contains("warning: the sandbox is not in force"), "{status}");
    settle(gateway);
}
