//! Set-ups that a gateway must refuse: one line that says what and how to mend it, and nothing left.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::*;
use palisade_bench::lab::{Answer, Gateway, INSIDE, Lab, OUTSIDE, Setup};
use palisade_bench::load::Sink;
use palisade_bench::peers::HugePages;

/// The gateway refuses; what it says holds all the words, on one line; the interfaces stay as they were.
fn refuses(lab: &Lab, setup: &Setup, words: &[&str]) {
    let before = state(lab);
    let (exit, said) = Gateway::refused(lab, setup).unwrap();
    assert_eq!(exit.code(), Some(1), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    assert_eq!(state(lab), before);
}

/// What `ip link` and `ethtool -k` say of both interfaces.
fn state(lab: &Lab) -> Vec<String> {
    let lines = [
        "ip link show".to_owned(),
        format!("ethtool -k {OUTSIDE}"),
        format!("ethtool -k {INSIDE}"),
    ];
    lines.iter().map(|line| lab.gateway.run(line).unwrap()).collect()
}

/// Whether 802.1Q and 802.1ad tags are taken out of frames.
fn stripping(lab: &Lab, interface: &str) -> [bool; 2] {
    let features = lab.gateway.run(&format!("ethtool -k {interface}")).unwrap();
    ["rx-vlan-offload: on", "rx-vlan-stag-hw-parse: on"].map(|line| features.contains(line))
}

#[test]
fn tags_stay_in_frames_while_it_runs_and_the_nic_is_left_as_it_was() {
    let Some(lab) = site(1) else { return };
    lab.gateway.run(&format!("ethtool -K {INSIDE} rx-vlan-stag-hw-parse off")).unwrap();
    let before = state(&lab);
    assert_eq!([stripping(&lab, OUTSIDE), stripping(&lab, INSIDE)], [[true, true], [true, false]]);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    assert_eq!([stripping(&lab, OUTSIDE), stripping(&lab, INSIDE)], [[false; 2]; 2]);
    settle(gateway);
    assert_eq!(state(&lab), before);

    let mut gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    gateway.kill().unwrap();
    assert_eq!(stripping(&lab, OUTSIDE), [false; 2], "its program stays, and may bridge");
    settle(Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap());
}

#[test]
fn a_missing_interface() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { outside: "nowhere0".to_owned(), ..Setup::new(&lab, POLICY) };
    refuses(&lab, &setup, &["nowhere0", "ip link"]);
}

#[test]
fn too_few_queues() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { cores: vec![0, 1], ..Setup::new(&lab, POLICY) };
    refuses(&lab, &setup, &["outside", "queue"]);
}

#[test]
fn a_core_that_is_not_there() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { cores: vec![4000], ..Setup::new(&lab, POLICY) };
    refuses(&lab, &setup, &["4000"]);
}

#[test]
fn a_foreign_xdp_program() {
    let Some(lab) = site(1) else { return };
    let foreign = Sink::at(&lab.gateway, OUTSIDE, 1).unwrap();
    refuses(&lab, &Setup::new(&lab, POLICY), &["outside", "sink"]);
    drop(foreign);
    settle(Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap());
}

#[test]
fn missing_capabilities() {
    let Some(lab) = site(1) else { return };
    let words = "setpriv --bounding-set=-all --inh-caps=-all --";
    let wrapper = words.split(' ').map(str::to_owned).collect();
    let setup = Setup { wrapper, ..Setup::new(&lab, POLICY) };
    refuses(&lab, &setup, &["root"]);
}

#[test]
fn a_wrong_policy() {
    let Some(lab) = site(1) else { return };
    let setup = Setup::new(&lab, &POLICY.replace(r#"["DE"]"#, r#"["GERMANY"]"#));
    let (exit, said) = Gateway::refused(&lab, &setup).unwrap();
    assert_eq!(exit.code(), Some(1), "{said}");
    assert!(said.contains("policy.toml") && said.contains("GERMANY"), "{said}");
}

#[test]
fn no_huge_pages_is_no_obstacle() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let _none = HugePages::none().unwrap();
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let answer = ask(&lab, OFFICE[0], Try::Web, std::time::Duration::from_secs(2));
    assert_eq!(answer, Answer::Reached);
    settle(gateway);
}
