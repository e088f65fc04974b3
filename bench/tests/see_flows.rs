//! What the workers let through, asked of the running gateway: flows, and one packet explained.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Answer, Gateway, Setup};
use serde_json::Value;
use stress::*;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_flows_that_are_allowed_are_shown_and_no_other() {
    for queues in [1, 2] {
        let Some(lab) = site(queues) else { return };
        let _servers = servers(&lab);
        let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
        assert_eq!(ask(&lab, OFFICE[0], Try::Postgres, Duration::from_secs(2)), Answer::Reached);
        assert_eq!(ask(&lab, OFFICE[1], Try::Echo, Duration::from_secs(2)), Answer::Reached);
        ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(200));
        let all = lines(&gateway.ask(&["flows", "--json"]).unwrap());
        let find = |remote: &str| all.iter().find(|flow| flow["remote_ip"] == remote);
        let postgres = find(OFFICE[0]).unwrap();
        assert_eq!(postgres["local_ip"], SERVER[0]);
        assert_eq!(postgres["local_port"], 5432);
        assert_eq!(postgres["domain"], "internal");
        assert_eq!((&postgres["country"], &postgres["proto"]), (&"DE".into(), &"TCP".into()));
        assert_eq!((&postgres["opened"], &postgres["revision"]), (&"outside".into(), &1.into()));
        assert_eq!(find(OFFICE[1]).unwrap()["proto"], "UDP");
        assert_eq!(find(FOREIGN[0]), None);
        for (words, remote) in [
            (["--from", "5.0.0.0/8"], OFFICE[0]),
            (["--to", SERVER[1]], OFFICE[1]),
            (["--domain", "internal"], OFFICE[0]),
        ] {
            let text = gateway.ask(&[&["flows", "--json"][..], &words[..]].concat()).unwrap();
            let told = lines(&text);
            assert!(
                !told.is_empty() && told.iter().all(|flow| flow["remote_ip"] == remote),
                "{text}"
            );
        }
        let table = gateway.ask(&["flows"]).unwrap();
        assert!(table.contains(&format!("{}:5432", SERVER[0])), "{table}");
        settle(gateway);
    }
}

#[test]
fn asking_for_all_flows_under_load_costs_no_packet() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        until("all flows", || gateway.status().unwrap().flows > 1000);
        let begin = Instant::now();
        let told = lines(&gateway.ask(&["flows", "--json", "--limit", "1000000"]).unwrap());
        note("all flows of a table of 262,144 under load", begin.elapsed());
        assert!(told.len() > 1000, "{}", told.len());
        assert!(told.iter().all(|flow| flow["country"] == "DE"), "only these are allowed");
        assert_eq!(watch.leaked(), 0);
    });
    settle(gateway);
}

#[test]
fn the_running_gateway_explains_a_pair_with_its_flow_and_its_drops() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    assert_eq!(ask(&lab, OFFICE[0], Try::Postgres, Duration::from_secs(2)), Answer::Reached);
    ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(200));
    let explain = |from: &str, to: &str| -> Value {
        let words = ["explain", "--running", "--json", "--from", from, "--to", to];
        serde_json::from_str(&gateway.ask(&words).unwrap()).unwrap()
    };
    let to = format!("{}:5432/tcp", SERVER[0]);
    let allowed = explain(OFFICE[0], &to);
    assert_eq!((&allowed["verdict"], &allowed["rule"]), (&"allow".into(), &"allow:office".into()));
    assert_eq!(allowed["flows"].as_array().unwrap().len(), 1, "{allowed}");
    assert_eq!(allowed["events"], Value::Array(vec![]));
    // By its port the entry is found at once; another port has none.
    let port = allowed["flows"][0]["remote_port"].as_u64().unwrap();
    let exact = explain(&format!("{}:{port}", OFFICE[0]), &to);
    assert_eq!(exact["flows"][0]["remote_port"], port);
    let other = explain(&format!("{}:{}", OFFICE[0], port ^ 1), &to);
    assert_eq!(other["flows"], Value::Array(vec![]));

    let dropped = explain(FOREIGN[0], &format!("{}:80/tcp", SERVER[0]));
    assert_eq!((&dropped["verdict"], &dropped["reason"]), (&"drop".into(), &"not_allowed".into()));
    assert_eq!(dropped["flows"], Value::Array(vec![]));
    let events = dropped["events"].as_array().unwrap();
    assert!(!events.is_empty() && events.iter().all(|event| event["dest_port"] == 80), "{dropped}");
    let words = ["explain", "--running", "--from", OFFICE[0], "--to", &to];
    let text = gateway.ask(&words).unwrap();
    assert!(text.contains("allowed at ") && text.contains("by revision 1"), "{text}");
    settle(gateway);
}
