//! The comparison must notice what would spoil it: a wrong verdict, a packet that vanishes, a delay.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::thread;
use std::time::Duration;

use palisade_bench::Error;
use palisade_bench::compare::{Outcome, Stand, Terms, Workload, draw};
use palisade_bench::lab::{self, Gateway, Lab, Setup};
use palisade_bench::load::{Class, Flow, Fresh, Generator, Kind, Order, Sink, Sizes, spread};
use palisade_bench::peers::{Bridge, Fence, Kind as Ruleset, Nft, Peer, Router, Running};
use rustix::process::Signal;

const CORE: u32 = 1;

/// A small world: its rulesets load at once.
const WORLD: &str = "5.0.0.0/8,DE\n31.0.0.0/16,FR\n100.0.0.0/10,CN\n171.0.0.0/8,CN\n";

fn terms() -> Terms {
    let path = std::env::temp_dir().join(format!("palisade-world-{}.csv", std::process::id()));
    std::fs::write(&path, WORLD).unwrap();
    let fence = Fence::new(Some(path.clone()), &["DE", "FR"], 123);
    std::fs::remove_file(path).unwrap();
    Terms {
        fence: fence.unwrap(),
        flows: std::collections::BTreeMap::new(),
        length: Duration::from_millis(200),
        trial: Duration::from_millis(100),
        wire_bytes: 64,
        half_pps: None,
    }
}

/// A slow flood of random sources: nothing is lost for want of room.
fn flood(stand: &Stand<'_>, terms: &Terms) -> Result<Outcome, Error> {
    let welcome = "allowed:1,denied:1,unknown:1".parse()?;
    let flows = draw(&terms.fence, 300, welcome)?;
    let mut load = stand.load(Workload::Flood, &flows, terms.wire_bytes)?;
    stand.offer(&mut load, terms.length, Some(5000))
}

fn server_flow() -> Flow {
    Flow {
        source: [5, 9, 0, 9].into(),
        target: [10, 1, 0, 10].into(),
        source_port: 1024,
        target_port: 123,
        class: Class(0),
        kind: Kind::Udp,
    }
}

#[test]
fn peers_that_fence_agree_and_their_books_hold() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let terms = terms();
    for peer in [Peer::NftSet, Peer::NftMap, Peer::NftRaw] {
        let lab = Lab::new(1).unwrap();
        let stand = terms.stand(&lab, peer).unwrap();
        let outcome = flood(&stand, &terms).unwrap();
        assert_eq!(outcome.errors(), Vec::<String>::new(), "{peer:?}");
        let part = outcome.allowed_part;
        assert!((0.3..0.4).contains(&part), "{peer:?} {part}");
        assert!(outcome.arrived.packets > 0, "{peer:?} {:?}", outcome.books);
    }
}

#[test]
fn a_peer_that_forwards_everything_voids_the_run() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let terms = terms();
    let lab = Lab::new(1).unwrap();
    let router = Router::start(&lab, CORE, terms.fence.address).unwrap();
    let mut stand = Stand { lab: &lab, peer: Peer::NftSet, running: Running::Router(router) };
    let void = flood(&stand, &terms);
    assert!(matches!(void, Err(Error::Void(_))), "{void:?}");
    // It is no wrong verdict of one that has none to give.
    stand.peer = Peer::Router;
    assert!(flood(&stand, &terms).unwrap().errors().is_empty());
}

#[test]
fn packets_that_vanish_are_noticed() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let terms = terms();
    let lab = Lab::new(1).unwrap();
    let nft = Nft::start(&lab, CORE, &terms.fence, Ruleset::Set).unwrap();
    let stand = Stand { lab: &lab, peer: Peer::NftSet, running: Running::Nft(nft) };
    for line in [
        "nft add table ip thief",
        "nft add chain ip thief out { type filter hook postrouting priority 0 ; }",
        "nft add rule ip thief out numgen inc mod 5 0 drop",
    ] {
        lab.gateway.run(line).unwrap();
    }
    let errors = flood(&stand, &terms).unwrap().errors();
    assert!(errors.iter().any(|error| error.starts_with("forwarded == ")), "{errors:?}");
}

#[test]
fn fresh_flows_and_mixed_sizes_are_what_was_ordered() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = Lab::new(1).unwrap();
    let _bridge = Bridge::start(&lab).unwrap();
    let flows = spread(server_flow(), 10);
    let mut sink = Sink::at_servers(&lab, Sizes::Imix.entries(flows.len())).unwrap();
    let generator = Generator::outside(&lab, &flows, Sizes::Imix).unwrap();
    let mut generator = generator.fresh(Fresh::Share(0.25));
    let order = Order {
        length: Duration::from_secs(5),
        count: Some(12_000),
        rate_pps: Some(50_000),
        core: 0,
    };
    let sent = generator.run(order).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!((sent.packets, sent.fresh), (12_000, 3_000));
    // Seven of 60 bytes, four of 590, one of 1514: the fresh ones go through the mix by themselves.
    assert_eq!(sent.bytes, 12_000 / 12 * (7 * 60 + 4 * 590 + 1514));
    let total = sink.total().unwrap();
    assert_eq!((total.packets, total.bytes), (sent.packets, sent.bytes));
    assert_eq!((total.reordered, total.gaps), (0, 0));
    assert_eq!(generator.offered(Class(0)).unwrap(), 12_000);
}

#[test]
fn a_generator_that_falls_behind_counts_it_as_latency() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = Lab::new(1).unwrap();
    let _bridge = Bridge::start(&lab).unwrap();
    let mut sink = Sink::at_servers(&lab, 1).unwrap();
    let mut generator = Generator::outside(&lab, &[server_flow()], 64).unwrap();
    // All of it is due at once: frame by frame, each waits for those before it.
    let order = Order {
        length: Duration::from_secs(5),
        count: Some(500_000),
        rate_pps: Some(1_000_000_000),
        core: 0,
    };
    let sent = generator.run(order).unwrap();
    thread::sleep(Duration::from_millis(50));
    let half = sink.delays().unwrap().quantile(0.5).unwrap();
    assert!((0.3..0.7).contains(&half.div_duration_f64(sent.length)), "{half:?} {sent:?}");
}

#[test]
fn a_known_delay_is_measured() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    const HELD: Duration = Duration::from_millis(300);
    let fence = Fence::new(None, &["DE"], 123).unwrap();
    let lab = Lab::new(1).unwrap();
    // Without leases: a gateway that is held lets those pass for seconds.
    let setup = Setup { poll: "interrupt", leases: Some(0), ..Setup::new(&lab, &fence.policy()) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let mut sink = Sink::at_servers(&lab, 1).unwrap();
    let mut generator = Generator::routed(&lab, &[server_flow()], 64).unwrap();
    let length = Duration::from_millis(1500);
    let order = Order { length, count: None, rate_pps: Some(2000), core: 0 };
    let sent = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(500));
            gateway.signal(Signal::STOP).unwrap();
            thread::sleep(HELD);
            gateway.signal(Signal::CONT).unwrap();
        });
        generator.run(order).unwrap()
    });
    thread::sleep(Duration::from_millis(50));
    let delays = sink.delays().unwrap();
    assert_eq!(delays.count(), sent.packets, "its rings hold all of them");
    // A fifth of the frames came while it was held, and waited for 0 to 300 ms, evenly.
    let at = |part| delays.quantile(part).unwrap().as_millis();
    assert!(at(0.5) < 100, "{}", at(0.5));
    assert!((100..280).contains(&at(0.9)), "{}", at(0.9));
    assert!((260..600).contains(&at(1.0)), "{}", at(1.0));
}
