//! Rings without room and frames that run out, under load.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Lab, SERVER_VETH, Setup, check_identities};
use stress::*;

/// Blocks the way out for a while, again and again; drops for want of room.
fn blocked(lab: &Lab, setup: &Setup) -> u64 {
    let _servers = servers(lab);
    let gateway = Gateway::start(lab, setup).unwrap();
    under_load(lab, |watch| {
        for _ in 0..3 {
            watch.flows(Instant::now());
            // The peer takes nothing: what is sent stays in TX, and completions come late.
            lab.servers.run(&format!("ip link set {SERVER_VETH} down")).unwrap();
            thread::sleep(Duration::from_millis(300));
            revive(lab, SERVER_VETH);
        }
        watch.flows(Instant::now());
        recovers(lab);
        serves(lab);
        assert_eq!(watch.leaked(), 0);
    });
    let status = gateway.quiet_status().unwrap();
    assert_eq!(check_identities(&status), Vec::<String>::new());
    balance(&gateway);
    status.dropped.get("tx_full").copied().unwrap_or(0)
}

#[test]
fn a_way_out_that_is_blocked_costs_only_what_is_counted() {
    let Some(lab) = site(1) else { return };
    blocked(&lab, &setup(&lab));
}

#[test]
fn the_fewest_frames_and_flows_serve_and_recover() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { frames: 512, flows: 64, rate: 3, ..setup(&lab) };
    blocked(&lab, &setup);
}
