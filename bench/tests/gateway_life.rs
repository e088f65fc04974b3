//! A real gateway's life: start, reload, clean stop, sudden death, what it leaves on the interfaces.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Answer, Fail, Gateway, INSIDE, Lab, OUTSIDE, Setup};
use palisade_bench::load::Sink;
use rustix::process::Signal;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(2);

/// Whether an XDP program is on either interface of the gateway.
fn attached(lab: &Lab) -> bool {
    lab.gateway.run("ip link show").unwrap().contains("xdp")
}

#[test]
fn a_signal_stops_cleanly() {
    let Some(lab) = site(1) else { return };
    for signal in [Signal::INT, Signal::TERM] {
        let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
        assert!(attached(&lab));
        let begin = Instant::now();
        gateway.stop_by(signal).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", begin.elapsed());
        assert!(!attached(&lab), "{signal:?}: {}", lab.gateway.run("ip link show").unwrap());
    }
}

#[test]
fn records_up_to_the_stop_are_in_the_log() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let begin = Instant::now();
    while gateway.status().unwrap().dropped_total() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "nothing was dropped");
        ask(&lab, FOREIGN[0], Try::Echo, Duration::from_millis(50));
    }
    let log = gateway.stop().unwrap();
    assert!(log.iter().any(|record| record.src_ip == FOREIGN[0]), "{log:?}");
}

#[test]
fn closed_lets_nothing_through_after_a_sudden_death() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let setup = Setup { fail: Fail::Closed, ..Setup::new(&lab, POLICY) };
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    assert_eq!(ask(&lab, OFFICE[0], Try::Web, LONG), Answer::Reached);
    gateway.kill().unwrap();
    for from in [OFFICE[0], OFFICE[1], FOREIGN[0]] {
        assert_ne!(ask(&lab, from, Try::Web, SHORT), Answer::Reached, "{from}");
    }
    restart(&lab, &setup);
}

#[test]
fn open_lets_everything_through_after_a_sudden_death() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let setup = Setup { fail: Fail::Open, ..Setup::new(&lab, POLICY) };
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, SHORT), Answer::Silence);
    gateway.kill().unwrap();
    for from in [OFFICE[0], OFFICE[1], FOREIGN[0]] {
        assert_eq!(ask(&lab, from, Try::Web, LONG), Answer::Reached, "{from}");
    }
    restart(&lab, &setup);
}

#[test]
fn a_start_that_fails_halfway_keeps_the_fail_mode_of_a_dead_gateway() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { fail: Fail::Closed, ..Setup::new(&lab, POLICY) };
    let mut gateway = Gateway::start(&lab, &setup).unwrap();
    gateway.kill().unwrap();
    lab.gateway.run(&format!("ip link set dev {INSIDE} xdp off")).unwrap();
    let _foreign = Sink::at(&lab.gateway, INSIDE, 1).unwrap();
    let (exit, said) = Gateway::refused(&lab, &setup).unwrap();
    assert_eq!(exit.code(), Some(1), "{said}");
    let outside = lab.gateway.run(&format!("ip link show dev {OUTSIDE}")).unwrap();
    assert!(outside.contains("xdp"), "the fail mode went with the failed start: {outside}");
}

/// A gateway starts over what a dead one left, serves, and cleans up.
fn restart(lab: &Lab, setup: &Setup) {
    assert!(attached(lab), "the program should outlive the process");
    let gateway = Gateway::start(lab, setup).unwrap();
    assert_eq!(ask(lab, OFFICE[0], Try::Web, LONG), Answer::Reached);
    assert_eq!(ask(lab, FOREIGN[0], Try::Web, SHORT), Answer::Silence);
    settle(gateway);
    assert!(!attached(lab));
}

#[test]
fn a_reload_changes_the_verdict_of_a_running_gateway() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    assert_eq!(ask(&lab, OFFICE[0], Try::Web, LONG), Answer::Reached);
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, SHORT), Answer::Silence);
    gateway.write_policy(&POLICY.replace(r#"["DE"]"#, r#"["US"]"#)).unwrap();
    gateway.signal(Signal::HUP).unwrap();
    let begin = Instant::now();
    while gateway.status().unwrap().revision != 2 {
        assert!(begin.elapsed() < Duration::from_secs(5), "no revision 2: {}", gateway.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(&lab, OFFICE[0], Try::Web, SHORT), Answer::Silence);
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, LONG), Answer::Reached);

    gateway.write_policy("nonsense").unwrap();
    gateway.signal(Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(gateway.status().unwrap().revision, 2, "a wrong policy is refused whole");
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, LONG), Answer::Reached);
    settle(gateway);
}
