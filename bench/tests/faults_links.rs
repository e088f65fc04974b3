//! Interfaces that go down, go away, and come back as others, under load.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{CLIENT_VETH, Gateway, INSIDE, OUTSIDE, SERVER_VETH, check_identities};
use stress::*;

const AWAY: Duration = Duration::from_millis(300);

#[test]
fn an_interface_that_was_down_serves_again() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    under_load(&lab, |watch| {
        for end in [OUTSIDE, INSIDE, CLIENT_VETH, SERVER_VETH] {
            watch.flows(Instant::now());
            let namespace = match end {
                CLIENT_VETH => &lab.clients,
                SERVER_VETH => &lab.servers,
                _ => &lab.gateway,
            };
            namespace.run(&format!("ip link set {end} down")).unwrap();
            assert_eq!(watch.trickle(AWAY), 0, "{end}");
            let begin = Instant::now();
            revive(&lab, end);
            note(&format!("{end} down and up, until traffic flows"), watch.flows(begin));
            recovers(&lab);
        }
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    balance(&gateway);
}

#[test]
fn an_interface_that_comes_back_as_another_one_is_served() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    recovers(&lab);
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        unplug(&lab, OUTSIDE);
        until("a warning", || warns(&gateway, "interface outside is gone"));
        let books = check_identities(&gateway.status().unwrap());
        assert_eq!(books, Vec::<String>::new());
    });
    let before = gateway.status().unwrap();
    plug(&lab, OUTSIDE);
    let begin = Instant::now();
    under_load(&lab, |watch| {
        note("outside removed and made again, until traffic flows", watch.flows(begin));
        until("no warning", || !warns(&gateway, "nothing is forwarded"));
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    let after = gateway.status().unwrap();
    assert!(after.received > before.received, "counters start anew");
    balance(&gateway);
}

#[test]
fn removed_interfaces_are_waited_for_in_any_order() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    recovers(&lab);
    for ends in [&[INSIDE][..], &[OUTSIDE, INSIDE], &[INSIDE, OUTSIDE]] {
        ends.iter().for_each(|end| unplug(&lab, end));
        until("a warning", || warns(&gateway, "nothing is forwarded"));
        thread::sleep(AWAY);
        assert!(warns(&gateway, "nothing is forwarded"), "{}", gateway.log());
        ends.iter().rev().for_each(|end| plug(&lab, end));
        let begin = Instant::now();
        recovers(&lab);
        note("inside removed and made again, until a client is answered", begin.elapsed());
    }
    // At once: the look may see the new one only.
    unplug(&lab, OUTSIDE);
    plug(&lab, OUTSIDE);
    recovers(&lab);
    serves(&lab);
    balance(&gateway);
    assert!(!lab.gateway.run("ip link show").unwrap().contains("xdp"));
}

#[test]
fn a_gateway_can_stop_while_an_interface_is_gone() {
    let Some(lab) = site(1) else { return };
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    unplug(&lab, INSIDE);
    until("a warning", || warns(&gateway, "interface inside is gone"));
    balance(&gateway);
    assert!(!lab.gateway.run("ip link show").unwrap().contains("xdp"));
}
