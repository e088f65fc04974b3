//! What many drops have in common surfaces in the log: real sweeps, new countries, probed services.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{Client, Gateway, Lab, Service, Setup};
use serde_json::Value;
use stress::*;

fn start(lab: &Lab) -> Gateway {
    Gateway::start(lab, &Setup { drops: "patterns_s = 1".to_owned(), ..setup(lab) }).unwrap()
}

/// The patterns of a kind that the log tells so far.
fn patterns(gateway: &Gateway, kind: &str) -> Vec<Value> {
    let text = gateway.ask(&["drops", "--json", "--kind", "pattern", "--limit", "1000"]).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["palisade"]["pattern"] == kind).collect()
}

#[test]
fn a_sweep_surfaces_with_its_source_and_exemplars() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab);
    thread::scope(|scope| {
        for port in 2000..2060 {
            let client =
                Client::new(&lab.clients, ip(FOREIGN[0])).patience(Duration::from_millis(200));
            let to = SocketAddr::new(ip(SERVER[0]), port);
            scope.spawn(move || client.ask(Service::Database, to).unwrap());
        }
    });
    until("the sweep", || !patterns(&gateway, "sweep").is_empty());
    let sweep = &patterns(&gateway, "sweep")[0]["palisade"];
    assert_eq!(sweep["source"], FOREIGN[0]);
    assert_eq!(sweep["country"], "US");
    assert_eq!(sweep["domain"], Value::Null);
    let ports = sweep["ports"].as_u64().unwrap();
    assert!((16..100).contains(&ports), "{sweep}");
    let exemplars = sweep["exemplars"].as_array().unwrap();
    assert_eq!(exemplars.len(), 3, "{sweep}");
    for exemplar in exemplars {
        assert_eq!(exemplar["src_ip"], FOREIGN[0]);
        assert!((2000..2060).contains(&exemplar["dest_port"].as_u64().unwrap()), "{exemplar}");
    }
    let status = told(&gateway);
    let source = &status["sources"][0];
    assert_eq!((&source["source"], &source["domain"]), (&sweep["source"], &Value::Null));
    assert!(source["dropped"].as_u64().unwrap() >= 60, "{source}");
    // Patterns are no drops: the books hold, and the lines of drops are the recorded ones.
    settle(gateway);
}

#[test]
fn a_country_that_is_new_in_a_domain_is_told_once() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab);
    ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(100));
    // The first interval is learned from.
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(patterns(&gateway, "new_country").len(), 0);
    for _ in 0..3 {
        ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(100));
        ask(&lab, GERMAN, Try::Web, Duration::from_millis(500));
    }
    until("a new country", || !patterns(&gateway, "new_country").is_empty());
    thread::sleep(Duration::from_millis(2500));
    let new = patterns(&gateway, "new_country");
    assert_eq!(new.len(), 1, "{new:?}");
    let facts = &new[0]["palisade"];
    assert_eq!((&facts["country"], &facts["domain"]), (&"DE".into(), &"external".into()));
    assert!(facts["flows_allowed"].as_u64().unwrap() > 0, "{facts}");
    let countries = &told(&gateway)["domains"]["external"]["countries"];
    assert!(countries["DE"]["flows_allowed"].as_u64().unwrap() >= 3, "{countries}");
    assert!(countries["US"]["dropped"].as_u64().unwrap() >= 4, "{countries}");
    settle(gateway);
}

#[test]
fn a_service_probed_by_many_networks_and_busy_sources_surface_in_a_flood() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = start(&lab);
    under_load(&lab, |watch| {
        until("a probed service", || !patterns(&gateway, "probed").is_empty());
        assert_eq!(watch.leaked(), 0);
    });
    let probed = patterns(&gateway, "probed");
    let facts = &probed[0]["palisade"];
    assert_eq!((&facts["domain"], &facts["service"]), (&"external".into(), &"echo".into()));
    assert!(facts["networks"].as_u64().unwrap() >= 64, "{facts}");
    assert!(!facts["exemplars"].as_array().unwrap().is_empty(), "{facts}");
    settle(gateway);
}
