//! `palisade doctor` on real interfaces: what it finds, mends, and puts back.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::*;
use palisade_bench::lab::{Gateway, INSIDE, Lab, OUTSIDE, Setup, binary};
use palisade_bench::load::Sink;
use serde_json::Value;
use tempfile::TempDir;

/// A doctor for a gateway that is not started, with a book of its own.
struct Doctor<'a> {
    lab: &'a Lab,
    folder: TempDir,
    config: PathBuf,
}

impl<'a> Doctor<'a> {
    fn new(lab: &'a Lab, setup: &Setup) -> Self {
        let folder = TempDir::new().unwrap();
        setup.write(folder.path()).unwrap();
        let config = folder.path().join("gateway.toml");
        Self { lab, folder, config }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = self.lab.gateway.command(binary().unwrap());
        command.arg("doctor").args(words).arg("--state").arg(self.book());
        command.output().unwrap()
    }

    fn book(&self) -> PathBuf {
        self.folder.path().join("book.json")
    }

    /// The answer as JSON, and the exit status.
    fn ask(&self, words: &[&str]) -> (Value, Option<i32>) {
        let config = self.config.to_str().unwrap();
        let output = self.run(&[&["--json", "--config", config], words].concat());
        let answer = serde_json::from_slice(&output.stdout);
        let answer = answer.unwrap_or_else(|error| unreachable!("{error}: {output:?}"));
        (answer, output.status.code())
    }

    /// The grade of a check on an interface, and the commands that mend it.
    fn finds(&self, check: &str, of: &str) -> (String, Vec<String>) {
        let (answer, _) = self.ask(&["--only", check]);
        let all = answer["findings"].as_array().unwrap();
        let found = all.iter().find(|one| one["check"] == check && one["of"] == of);
        let found = found.unwrap_or_else(|| unreachable!("no {check} of {of}: {answer:#}"));
        let ways = found["ways"].as_array().unwrap().iter();
        let ways = ways.map(|way| way["command"].as_str().unwrap().to_owned()).collect();
        (found["grade"].as_str().unwrap().to_owned(), ways)
    }

    fn undo(&self) -> (Vec<(String, bool)>, Option<i32>) {
        let output = self.run(&["--undo", "--json"]);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let one = |undone: &Value| {
            (undone["command"].as_str().unwrap().to_owned(), undone["done"].as_bool().unwrap())
        };
        (answer["undone"].as_array().unwrap().iter().map(one).collect(), output.status.code())
    }
}

fn changed(answer: &Value) -> Vec<&str> {
    answer["changed"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// All that `ip` and `ethtool` say of both interfaces.
fn state(lab: &Lab) -> Vec<String> {
    let asked = ["ip -details link show dev", "ethtool -k", "ethtool -l"];
    let lines = asked.iter().flat_map(|line| [OUTSIDE, INSIDE].map(|at| format!("{line} {at}")));
    lines.map(|line| lab.gateway.run(&line).unwrap()).collect()
}

#[test]
fn offloads_are_found_mended_and_put_back() {
    let Some(lab) = site(1) else { return };
    let doctor = Doctor::new(&lab, &Setup::new(&lab, POLICY));
    // One side only has one of the two.
    lab.gateway.run(&format!("ethtool -K {INSIDE} rx-vlan-stag-hw-parse off")).unwrap();
    lab.gateway.run(&format!("ip link set dev {INSIDE} down")).unwrap();
    let before = state(&lab);
    let off = |at: &str, name: &str| format!("ethtool -K {at} {name} off");
    let [ctag, stag] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];
    let commands = [off(OUTSIDE, ctag), off(OUTSIDE, stag), off(INSIDE, ctag)];
    assert_eq!(doctor.finds("vlan-tags", OUTSIDE), ("advice".into(), commands[..2].to_vec()));
    assert_eq!(doctor.finds("vlan-tags", INSIDE), ("advice".into(), commands[2..].to_vec()));
    assert_eq!(doctor.finds("up", INSIDE).0, "fatal");
    assert_eq!(state(&lab), before, "looking changes nothing");
    assert_eq!(doctor.ask(&["--only", "up"]).1, Some(1), "fatal");

    let only = ["--only", "vlan-tags", "--only", "up"];
    let (answer, exit) = doctor.ask(&[&["--fix"], &only[..]].concat());
    assert_eq!(exit, Some(0), "{answer:#}");
    let mut done = changed(&answer);
    done.sort_unstable();
    let mut expected: Vec<_> = commands.iter().map(String::as_str).collect();
    let up = format!("ip link set dev {INSIDE} up");
    expected.push(&up);
    expected.sort_unstable();
    assert_eq!(done, expected);
    assert_eq!(doctor.finds("vlan-tags", OUTSIDE).0, "ok");
    assert_eq!(doctor.finds("up", INSIDE).0, "ok");
    let (answer, exit) = doctor.ask(&[&["--fix"], &only[..]].concat());
    assert_eq!((changed(&answer), exit), (vec![], Some(0)), "twice is once");

    let (undone, exit) = doctor.undo();
    assert_eq!((undone.len(), exit), (4, Some(0)));
    assert!(undone.iter().all(|(_, done)| *done), "{undone:?}");
    assert_eq!(state(&lab), before);
    assert!(!doctor.book().exists());
    assert_eq!(doctor.undo(), (vec![], Some(0)));
}

#[test]
fn queues_against_workers() {
    let Some(lab) = site(2) else { return };
    let fewer = Setup { cores: vec![0], ..Setup::new(&lab, POLICY) };
    let doctor = Doctor::new(&lab, &fewer);
    let before = state(&lab);
    let (grade, ways) = doctor.finds("queues", OUTSIDE);
    assert_eq!(grade, "fatal");
    assert_eq!(ways, ["rx", "tx"].map(|kind| format!("ethtool -L {OUTSIDE} {kind} 1")));
    let (answer, exit) = doctor.ask(&["--only", "queues", "--fix"]);
    assert_eq!((changed(&answer).len(), exit), (4, Some(0)), "{answer:#}");
    assert_eq!(doctor.finds("queues", INSIDE), ("ok".into(), vec![]));
    doctor.undo();
    assert_eq!(state(&lab), before);

    // The same rule as the gateway's own.
    let more = Setup { cores: vec![0, 1, 2], ..Setup::new(&lab, POLICY) };
    let (grade, ways) = Doctor::new(&lab, &more).finds("queues", OUTSIDE);
    assert_eq!(grade, "fatal");
    assert!(ways[0].contains("list 2"), "{ways:?}");
    let (exit, said) = Gateway::refused(&lab, &more).unwrap();
    assert!(!exit.success(), "{said}");
}

#[test]
fn a_foreign_program_and_an_mtu_that_differs() {
    let Some(lab) = site(1) else { return };
    let doctor = Doctor::new(&lab, &Setup::new(&lab, POLICY));
    assert_eq!(doctor.finds("xdp-program", OUTSIDE), ("ok".into(), vec![]));
    let foreign = Sink::at(&lab.gateway, OUTSIDE, 1).unwrap();
    let (grade, ways) = doctor.finds("xdp-program", OUTSIDE);
    assert_eq!(grade, "fatal");
    assert!(ways[0].contains(&format!("ip link set dev {OUTSIDE} xdp")), "{ways:?}");
    let (answer, exit) = doctor.ask(&["--only", "xdp-program", "--fix"]);
    assert_eq!((changed(&answer), exit), (vec![], Some(1)), "no one else's program is touched");
    drop(foreign);
    assert_eq!(doctor.finds("xdp-program", OUTSIDE).0, "ok");

    let both = format!("{OUTSIDE}, {INSIDE}");
    assert_eq!(doctor.finds("mtu", &both).0, "ok");
    lab.gateway.run(&format!("ip link set dev {INSIDE} mtu 1400")).unwrap();
    let (grade, ways) = doctor.finds("mtu", &both);
    assert_eq!(grade, "warning");
    assert_eq!(ways, [format!("ip link set dev {OUTSIDE} mtu 1400")]);
    lab.gateway.run(&format!("ip link set dev {OUTSIDE} mtu 9000")).unwrap();
    assert_eq!(doctor.finds("mtu", OUTSIDE).0, "fatal");
}

#[test]
fn under_a_gateway_its_interfaces_are_left_alone() {
    let Some(lab) = site(1) else { return };
    let setup = Setup::new(&lab, POLICY);
    let doctor = Doctor::new(&lab, &setup);
    let (answer, _) = doctor.ask(&["--only", "vlan-tags", "--fix"]);
    assert_eq!(changed(&answer).len(), 4, "{answer:#}");
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    let doctor = Doctor { config: gateway.folder().join("gateway.toml"), ..doctor };
    assert_eq!(doctor.finds("xdp-program", OUTSIDE), ("ok".into(), vec![]));
    let before = state(&lab);
    let (answer, _) = doctor.ask(&["--only", "vlan-tags", "--only", "own-ipv6", "--fix"]);
    assert_eq!(changed(&answer), Vec::<&str>::new());
    let refused = doctor.run(&["--undo"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("stop the gateway"), "{said}");
    assert_eq!(state(&lab), before);

    gateway.kill().unwrap();
    assert_eq!(doctor.finds("xdp-program", OUTSIDE).0, "warning", "it holds the fail mode");
    settle(Gateway::start(&lab, &setup).unwrap());
    let (undone, exit) = doctor.undo();
    assert_eq!((undone.len(), exit), (4, Some(0)), "{undone:?}");
}

#[test]
fn an_interface_that_was_replaced_is_left_alone() {
    let Some(lab) = site(1) else { return };
    let doctor = Doctor::new(&lab, &Setup::new(&lab, POLICY));
    doctor.ask(&["--only", "vlan-tags", "--fix"]);
    lab.gateway.run(&format!("ip link del {OUTSIDE}")).unwrap();
    lab.gateway.run(&format!("ip link add {OUTSIDE} type veth peer name other")).unwrap();
    lab.gateway.run(&format!("ethtool -K {OUTSIDE} rx-vlan-hw-parse off")).unwrap();
    let (undone, exit) = doctor.undo();
    let (back, left): (Vec<_>, Vec<_>) = undone.iter().partition(|(_, done)| *done);
    assert_eq!((back.len(), left.len(), exit), (2, 2, Some(0)), "{undone:?}");
    assert!(left.iter().all(|(command, _)| command.contains(OUTSIDE)), "{undone:?}");
    let features = lab.gateway.run(&format!("ethtool -k {OUTSIDE}")).unwrap();
    assert!(features.contains("rx-vlan-offload: off"), "{features}");
}

#[test]
fn words_for_people_and_a_wrong_configuration() {
    let Some(lab) = site(1) else { return };
    let doctor = Doctor::new(&lab, &Setup::new(&lab, POLICY));
    let config = doctor.config.to_str().unwrap();
    let output = doctor.run(&["--config", config]);
    let text = String::from_utf8_lossy(&output.stdout);
    for words in ["vlan-tags", OUTSIDE, "   # --fix", "--fix would run", "fatal"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    std::fs::write(&doctor.config, "[interface]\noutside = \"a\"\n").unwrap();
    let output = doctor.run(&["--config", config]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("inside"), "{output:?}");
    let missing = Path::new("/nowhere/gateway.toml").to_str().unwrap();
    assert_eq!(doctor.run(&["--config", missing]).status.code(), Some(1));
}
