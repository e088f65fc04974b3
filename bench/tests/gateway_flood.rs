//! A SYN flood on an allowed service, from sources that the policy lets in, at the generator's full
//! rate, beside established transfers: the table fills to the brim, and they go on as before.
//!
//! `scripts/flood` runs the long one, which prints its figures.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{End, Gateway, Lab, Setup, Transfer};
use palisade_bench::load::{Generator, Kind, Order, Sink};

/// Sources of the flood: many times what the flow table holds.
const FLOWS: usize = 200_000;
const TABLE: u32 = 1 << 14;
/// Bytes a second of each transfer.
const RATE: u64 = 1 << 20;
/// In each such piece of the flood every transfer moves on: time for a lost segment to come again.
const PIECE: Duration = Duration::from_secs(1);
/// The next hop of the server's answers, so that it need not look for each source by itself.
const ROUTER: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// What becomes of the flood's SYNs behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Syns {
    /// The server answers them, with cookies when it must.
    Answered,
    /// They vanish, and nothing comes back.
    Eaten,
}

/// More than a worker takes, and less than fills the wire, which clients and flood share.
const FLOOD_PPS: u64 = 2_000_000;

/// Floods for so many pieces while transfers run; answers what was measured.
fn flooded(queues: u16, syns: Syns, rate_pps: Option<u64>, pieces: u32) -> Option<String> {
    let lab = site(queues)?;
    ROUTER.iter().for_each(|address| lab.add_client(ip(address)).unwrap());
    let [v4, v6] = ROUTER;
    lab.servers.run(&format!("ip route replace default via {v4} dev s0 onlink")).unwrap();
    lab.servers.run(&format!("ip -6 route replace default via {v6} dev s0 onlink")).unwrap();
    let cores = if queues == 1 { vec![1] } else { vec![0, 1] };
    let setup = Setup { cores, flows: TABLE, ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let _servers = echoes(&lab);
    let running = transfers(&lab, RATE * u64::from(pieces + 1), |haul| haul.paced(RATE));
    // Shaken hands, and spoken both ways.
    while running.iter().any(|transfer| transfer.bytes() < RATE / 4) {
        thread::sleep(Duration::from_millis(10));
    }

    let flows = drawn(FLOWS, "DE:100", (80, Kind::Syn), 3);
    let sink = (syns == Syns::Eaten).then(|| Sink::at_servers(&lab, flows.len()).unwrap());
    let mut generator = Generator::outside(&lab, &flows, 64).unwrap();
    let length = PIECE * pieces;
    let (sent, slowest) = thread::scope(|scope| {
        let order = Order { length, count: None, rate_pps, core: 0 };
        let flood = scope.spawn(move || generator.run(order).unwrap());
        let slowest = (0..pieces).map(|_| slowest(&running)).min().unwrap_or_default();
        (flood.join().unwrap(), slowest)
    });
    let status = gateway.status().unwrap();
    let lost_on_the_wire = wire_losses(&lab);
    for transfer in running {
        assert_eq!(transfer.wait(Duration::from_secs(20)).unwrap(), End::Complete);
    }
    assert!(sent.packets > 1_000_000, "no flood: {sent:?}");
    let [outside, _] = &status.interfaces[..] else { return None };
    assert!(outside.shed > sent.packets / 2, "{outside:?} of {sent:?}");
    assert!(status.flows >= u64::from(TABLE) * 9 / 10, "the table has room: {}", status.flows);
    drop(sink);
    settle(gateway);
    let figures = format!(
        "{queues} queue(s), SYNs {syns:?}: {:.1} Mpps offered, {:.3} Mpps through the ring, {} lost \
         by a full ring, {} of the clients' by a full wire; the slowest transfer moved {} of {} KiB \
         in its worst second",
        sent.rate_pps() / 1e6,
        status.received as f64 / length.as_secs_f64() / 1e6,
        outside.kernel_dropped,
        lost_on_the_wire,
        slowest >> 10,
        RATE >> 10,
    );
    // A wire that is full takes packets before any gateway sees them.
    assert!(slowest > 0 || rate_pps.is_none(), "one stood still: {figures}; {} shed", outside.shed);
    Some(figures)
}

/// Packets of the clients themselves that found the queue of the wire full (256 in `drivers/net/veth.c`).
fn wire_losses(lab: &Lab) -> u64 {
    let read = |command: &str| lab.clients.run(command).unwrap();
    let links: serde_json::Value = serde_json::from_str(&read("ip -s -j link show c0")).unwrap();
    let dropped = links[0]["stats64"]["tx"]["dropped"].as_u64().unwrap();
    let statistics = read("ethtool -S c0");
    let of_flood: u64 = statistics
        .lines()
        .filter(|line| line.contains("xdp_xmit_errors"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    dropped.saturating_sub(of_flood)
}

/// The least that a transfer moves in one piece.
fn slowest(running: &[Transfer]) -> u64 {
    let before: Vec<_> = running.iter().map(Transfer::bytes).collect();
    thread::sleep(PIECE);
    let moved = running.iter().zip(before).map(|(now, then)| now.bytes() - then);
    moved.min().unwrap_or_default()
}

#[test]
fn transfers_go_on_under_a_syn_flood_that_the_server_answers() {
    flooded(1, Syns::Answered, Some(FLOOD_PPS), 3);
}

#[test]
fn transfers_go_on_under_a_syn_flood_over_two_queues() {
    flooded(2, Syns::Eaten, Some(FLOOD_PPS), 3);
}

#[test]
#[ignore = "scripts/flood runs it"]
fn transfers_go_on_under_long_syn_floods() {
    for queues in [1, 2] {
        for syns in [Syns::Answered, Syns::Eaten] {
            for rate_pps in [Some(FLOOD_PPS), None] {
                if let Some(figures) = flooded(queues, syns, rate_pps, 20) {
                    println!("figures: {figures}");
                }
            }
        }
    }
}
