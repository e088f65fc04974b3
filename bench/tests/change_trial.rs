//! Policies on trial: confirmed, not confirmed, taken back, restarted in between, with traffic running.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{
    Answer, End, Gateway, Haul, Lab, Service, Setup, Transfer, check_identities,
};
use rustix::process::Signal;
use stress::*;

/// Nobody but the office: the transfers of these tests come from elsewhere in Germany.
fn closed() -> String {
    POLICY.replace(r#"allow    = ["home"]"#, "allow    = []")
}

/// A policy beside the configured one.
fn draft(gateway: &Gateway, text: &str) -> String {
    let path = gateway.folder().join("draft.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn file(gateway: &Gateway) -> String {
    fs::read_to_string(gateway.folder().join("policy.toml")).unwrap()
}

/// A UDP transfer from Germany that lasts.
fn transfer(lab: &Lab) -> Transfer {
    let to = SocketAddr::new(ip(SERVER[0]), 7);
    let haul = Haul::new(Service::UdpEcho, ip(GERMAN), to, 4 << 20).paced(200_000);
    Transfer::start(&lab.clients, haul).unwrap()
}

/// Whether bytes come back within a while.
fn moves(transfer: &Transfer) -> bool {
    let (before, begin) = (transfer.bytes(), Instant::now());
    while begin.elapsed() < Duration::from_secs(2) {
        if transfer.bytes() > before {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// How and why of the newest revision.
fn newest(gateway: &Gateway) -> serde_json::Value {
    let text = gateway.ask(&["history", "--json"]).unwrap();
    let history: serde_json::Value = serde_json::from_str(&text).unwrap();
    history["history"][0].clone()
}

#[test]
fn what_is_not_confirmed_goes_back_with_traffic_running() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let transfer = transfer(&lab);
    assert!(moves(&transfer));
    let begin = Instant::now();
    let said = gateway.ask(&["apply", &draft(&gateway, &closed()), "--confirm", "3s"]).unwrap();
    assert!(said.contains("revision 2 is in force") && said.contains("palisade confirm"), "{said}");
    assert_eq!(ask(&lab, GERMAN, Try::Web, Duration::from_millis(500)), Answer::Silence);
    let before = transfer.bytes();
    let list = gateway.ask(&["history"]).unwrap();
    assert!(list.contains("apply, on trial"), "{list}");
    let pending = told(&gateway)["policy"]["pending"].clone();
    assert_eq!((&pending["revision"], &pending["back_to"]), (&2.into(), &1.into()), "{pending}");
    assert!(transfer.bytes() - before <= 1024, "the flow stops on its next packet");

    // Nothing else may change meanwhile, by whatever way.
    for words in [&["reload"][..], &["rollback", "1"], &["apply", &draft(&gateway, POLICY)]] {
        let refused = gateway.ask(words).unwrap_err().to_string();
        assert!(refused.contains("palisade confirm"), "{refused}");
    }
    gateway.signal(Signal::HUP).unwrap();
    until("the refusal of SIGHUP", || gateway.log().contains("revision 2 waits for"));
    assert_eq!(gateway.status().unwrap().revision, 2);

    until("the way back", || gateway.status().unwrap().revision == 3);
    let back = begin.elapsed();
    note("goes back after 3 s", back);
    assert!((3.0..4.5).contains(&back.as_secs_f64()), "{back:?}");
    assert!(moves(&transfer), "the transfer goes on");
    assert_eq!(file(&gateway), POLICY);
    let entry = newest(&gateway);
    assert_eq!((&entry["how"], &entry["who"]["name"]), (&"back".into(), &"not confirmed".into()));
    gateway.ask(&["confirm"]).unwrap_err();
    drop(transfer);
    serves(&lab);
    balance(&gateway);
}

#[test]
fn what_is_confirmed_stays_over_a_restart_and_what_waits_does_not() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let setup = Setup { history: true, ..setup(&lab) };
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    let web = |from| ask(&lab, from, Try::Web, Duration::from_millis(700));
    gateway
        .ask(&["apply", &draft(&gateway, &closed()), "--confirm", "60s", "--why", "a try"])
        .unwrap();
    assert_eq!(web(GERMAN), Answer::Silence);
    gateway.kill().unwrap();
    gateway.restart(&lab, &setup).unwrap();
    recovers(&lab);
    assert_eq!((gateway.status().unwrap().revision, web(GERMAN)), (3, Answer::Reached));
    assert_eq!(newest(&gateway)["why"], "revision 2 was not confirmed");

    gateway.ask(&["apply", &draft(&gateway, &closed()), "--confirm", "60s"]).unwrap();
    let said = gateway.ask(&["confirm"]).unwrap();
    assert!(said.contains("revision 4 is confirmed"), "{said}");
    assert_eq!(file(&gateway), closed());
    gateway.kill().unwrap();
    gateway.restart(&lab, &setup).unwrap();
    assert_eq!((gateway.status().unwrap().revision, web(GERMAN)), (5, Answer::Silence));
    let list = gateway.ask(&["history"]).unwrap();
    for part in ["apply, confirmed", "apply, not confirmed", "a try", "root"] {
        assert!(list.contains(part), "no {part}: {list}");
    }
    let entry: serde_json::Value =
        serde_json::from_str(&gateway.ask(&["history", "2", "--json"]).unwrap()).unwrap();
    assert_eq!((&entry["who"]["uid"], &entry["policy"]), (&0.into(), &closed().into()));
    assert!(entry["who"]["pid"].as_u64().unwrap() > 1);
    assert_eq!(gateway.ask(&["history", "2", "--policy"]).unwrap(), closed());

    let said = gateway.ask(&["rollback", "1", "--why", "open again"]).unwrap();
    assert!(said.contains("revision 6 is in force, with the policy of revision 1"), "{said}");
    assert_eq!((file(&gateway), web(GERMAN)), (POLICY.to_owned(), Answer::Reached));
    let said = gateway.ask(&["rollback"]).unwrap();
    assert!(said.contains("with the policy of revision"), "{said}");
    assert_eq!((file(&gateway), web(GERMAN)), (closed(), Answer::Silence));
    gateway.ask(&["rollback", "99"]).unwrap_err();
    // The log also has the lines of the gateways before this one.
    assert_eq!(check_identities(&gateway.quiet_status().unwrap()), Vec::<String>::new());
}

#[test]
fn a_trial_is_taken_back_at_once() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let transfer = transfer(&lab);
    gateway.ask(&["apply", &draft(&gateway, &closed()), "--confirm", "1h"]).unwrap();
    let said = gateway.ask(&["rollback", "--json"]).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["revision"], &said["back_to"]), (&3.into(), &1.into()), "{said}");
    assert!(said["total_ms"].as_f64().unwrap() < 500.0, "{said}");
    assert!(moves(&transfer));
    assert_ne!(transfer.wait(Duration::from_millis(1)).unwrap(), End::Complete, "it was long");
    balance(&gateway);
}

#[test]
fn a_refused_policy_keeps_the_last_good_one_and_its_file() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let safe = format!("failsafe = [\"{}/32\"]\n{POLICY}", FOREIGN[0]);
    let gateway = Gateway::start(&lab, &Setup { policy: safe.clone(), ..setup(&lab) }).unwrap();
    let apply = |text: &str, more: &[&str]| {
        let path = draft(&gateway, text);
        gateway.ask(&[&["apply", &path], more].concat())
    };
    let mistakes = [
        (POLICY.replace(r#"["home"]"#, r#"["nobody"]"#), "nobody"),
        (format!("{safe}[geo]\ncountry = \"missing.mmdb\"\n"), "missing.mmdb"),
        (POLICY.to_owned(), "would no longer be failsafe"),
        (format!("{safe}[geo]\ncanaries = {{ \"8.8.8.8\" = \"DE\" }}\n"), "canar"),
    ];
    for (text, part) in &mistakes {
        for more in [&[][..], &["--confirm", "60s"]] {
            let said = apply(text, more).unwrap_err().to_string();
            assert!(said.contains(part), "{part}: {said}");
            assert_eq!((gateway.status().unwrap().revision, file(&gateway)), (1, safe.clone()));
        }
    }
    apply(POLICY, &["--force"]).unwrap();
    assert_eq!(gateway.status().unwrap().revision, 2);
    serves(&lab);
    balance(&gateway);
}

/// The gateway's folder as its mount namespace sees it.
fn inside(gateway: &Gateway) -> PathBuf {
    let folder = gateway.folder();
    PathBuf::from(format!("/proc/{}/root{}", gateway.pid(), folder.display()))
}

#[test]
fn a_full_disk_under_the_history_stops_no_change_and_is_told() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let script = "d=$(dirname \"$3\"); mkdir $d/history; \
                  mount -t tmpfs -o size=32k none $d/history; \
                  head -c 1m /dev/zero > $d/history/ballast || true; exec \"$0\" \"$@\"";
    let wrapper = ["sh", "-ec", script].map(str::to_owned).into();
    let gateway = Gateway::start(&lab, &Setup { history: true, wrapper, ..setup(&lab) }).unwrap();
    let said = gateway.ask(&["apply", &draft(&gateway, &closed()), "--why", "close"]).unwrap();
    assert!(said.contains("revision 2 is in force"), "{said}");
    assert!(said.contains("not in the history on disk"), "{said}");
    assert_eq!(ask(&lab, GERMAN, Try::Web, Duration::from_millis(500)), Answer::Silence);
    assert!(warns(&gateway, "No space left on device"));
    assert!(told(&gateway)["policy"]["unwritten"].as_u64().unwrap() >= 1);
    let back = gateway.ask(&["rollback"]).unwrap();
    assert!(back.contains("with the policy of revision 1"), "the memory has it all: {back}");
    fs::remove_file(inside(&gateway).join("history/ballast")).unwrap();
    let said = gateway.ask(&["reload"]).unwrap();
    assert!(!said.contains("warning"), "{said}");
    assert!(!warns(&gateway, "No space left on device"));
    serves(&lab);
    balance(&gateway);
}
