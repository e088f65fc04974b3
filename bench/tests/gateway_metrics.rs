//! What a running gateway serves to a Prometheus.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use common::*;
use palisade_bench::day::unserved;
use palisade_bench::lab::{Answer, Gateway, Setup};

#[test]
fn every_metric_of_the_dashboard_and_the_alerts_is_served() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let address = "127.0.0.1:9477".parse().unwrap();
    let policy = format!("{POLICY}\n[geo]\nasn = \"asn.csv\"\n");
    let setup = Setup { metrics: Some(address), ..Setup::new(&lab, &policy) };
    let files = [("asn.csv", "5.9.0.0/16,24940\n")];
    let gateway = Gateway::start_with(&lab, &setup, &files).unwrap();
    // A reason or a country that did not occur has no counter.
    let patience = Duration::from_secs(1);
    assert_eq!(ask(&lab, OFFICE[0], Try::Web, patience * 5), Answer::Reached);
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, patience), Answer::Silence);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana");
    assert_eq!(unserved(&lab, address, &folder).unwrap(), BTreeSet::new());
    gateway.stop().unwrap();
}
