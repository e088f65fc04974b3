//! The lab by itself: wires, clients, servers, generator and sink, with the kernel's own bridge where
//! the gateway will be.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::SocketAddr;
use std::time::Duration;

use palisade_bench::lab::{self, Answer, Client, Lab, Server, Service};
use palisade_bench::load::{Class, Flow, Generator, Kind, Order, Sink, spread};
use palisade_bench::peers::Bridge;

const CLIENTS: [&str; 2] = ["198.51.100.9", "2001:db8:c::9"];
const SERVERS: [&str; 2] = ["10.1.0.10", "fd00:1::10"];

fn lab_with_hosts(queues: u16) -> Lab {
    let lab = Lab::new(queues).unwrap();
    CLIENTS.iter().for_each(|address| lab.add_client(address.parse().unwrap()).unwrap());
    SERVERS.iter().for_each(|address| lab.add_server(address.parse().unwrap()).unwrap());
    lab
}

#[test]
fn everything_reaches_through_a_bridge_and_nothing_without() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = lab_with_hosts(1);
    for bridged in [false, true] {
        let _bridge = bridged.then(|| Bridge::start(&lab).unwrap());
        for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
            let client = Client::new(&lab.clients, client.parse().unwrap())
                .patience(Duration::from_millis(if bridged { 2000 } else { 200 }));
            let expected = |answer| (answer == Answer::Reached) == bridged;
            for service in [Service::Http, Service::Database, Service::UdpEcho] {
                let at = SocketAddr::new(server.parse().unwrap(), 0);
                let server = Server::start(&lab.servers, service, at).unwrap();
                let answer = client.ask(service, server.address()).unwrap();
                assert!(expected(answer), "{service:?} {at} bridged {bridged}: {answer:?}");
                assert_eq!(server.peers().len(), usize::from(bridged), "{service:?} {at}");
            }
            let answer = client.ping(server.parse().unwrap()).unwrap();
            assert!(expected(answer), "ping {server} bridged {bridged}: {answer:?}");
        }
    }
}

#[test]
fn every_frame_offered_is_counted() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = lab_with_hosts(1);
    let _bridge = Bridge::start(&lab).unwrap();
    let mut flows = Vec::new();
    for (class, (client, server)) in (1..).zip(CLIENTS.into_iter().zip(SERVERS)) {
        let first = Flow {
            source: client.parse().unwrap(),
            target: server.parse().unwrap(),
            source_port: 1024,
            target_port: 53,
            class: Class(class),
            kind: Kind::Udp,
        };
        flows.extend(spread(first, 50));
    }
    for wire_bytes in [64, 128, 1518] {
        let mut sink = Sink::at_servers(&lab, flows.len()).unwrap();
        let mut generator = Generator::outside(&lab, &flows, wire_bytes).unwrap();
        let order = Order {
            length: Duration::from_secs(5),
            count: Some(10_000),
            rate_pps: Some(50_000),
            core: 0,
        };
        let sent = generator.run(order).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(sent.packets, 10_000);
        assert!((30_000.0..60_000.0).contains(&sent.rate_pps()), "{sent:?}");
        let total = sink.total().unwrap();
        assert_eq!((total.packets, total.bytes), (sent.packets, sent.bytes), "{wire_bytes}");
        assert_eq!(total.reordered, 0);
        assert_eq!(sink.class(Class(1)).unwrap().packets, 5_000);
        assert_eq!(sink.class(Class(2)).unwrap().packets, 5_000);
    }
}

#[test]
fn a_run_ends_by_itself_and_bad_orders_are_refused() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = lab_with_hosts(1);
    let flow = Flow {
        source: CLIENTS[0].parse().unwrap(),
        target: SERVERS[0].parse().unwrap(),
        source_port: 1024,
        target_port: 53,
        class: Class(0),
        kind: Kind::Udp,
    };
    let mixed = Flow { target: SERVERS[1].parse().unwrap(), ..flow };
    for (flows, wire_bytes) in
        [(vec![], 64), (vec![flow], 63), (vec![flow], 1519), (vec![mixed], 64)]
    {
        let refused = Generator::outside(&lab, &flows, wire_bytes);
        assert!(refused.is_err(), "{} flows of {wire_bytes}", flows.len());
    }
    let _bridge = Bridge::start(&lab).unwrap();
    let mut generator = Generator::outside(&lab, &[flow], 64).unwrap();
    let length = Duration::from_millis(200);
    let sent = generator.run(Order { length, count: None, rate_pps: None, core: 0 }).unwrap();
    assert!(sent.packets > 10_000, "{sent:?}");
    assert!(sent.length <= length, "{sent:?}");
}

#[test]
fn real_servers_take_what_the_generator_sends() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let lab = lab_with_hosts(1);
    let _bridge = Bridge::start(&lab).unwrap();
    for (client, server) in CLIENTS.into_iter().zip(SERVERS) {
        let at = SocketAddr::new(server.parse().unwrap(), 0);
        let server = Server::start(&lab.servers, Service::UdpEcho, at).unwrap();
        let flow = Flow {
            source: client.parse().unwrap(),
            target: server.address().ip(),
            source_port: 1024,
            target_port: server.address().port(),
            class: Class(9),
            kind: Kind::Udp,
        };
        for wire_bytes in [64, 101, 1400] {
            let before = server.peers().len();
            let mut generator = Generator::outside(&lab, &[flow], wire_bytes).unwrap();
            let order = Order {
                length: Duration::from_secs(5),
                count: Some(20),
                rate_pps: Some(1000),
                core: 0,
            };
            generator.run(order).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            // The kernel counts lengths and checksums; a wrong one would not reach the socket.
            let peers = server.peers();
            assert_eq!(peers.len() - before, 20, "{client} {wire_bytes}");
            assert!(peers.iter().all(|peer| peer.ip() == flow.source && peer.port() == 1024));
        }
    }
}

#[test]
fn a_lab_leaves_nothing_and_sweeps_what_the_dead_left() {
    if !lab::is_root() {
        return eprintln!("skipped: a lab needs root");
    }
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = format!("palisade-{}.0-clients", child.id());
    // Whoever started this test outlives it; what a test that was killed left is swept when it has ended.
    let alive = format!("palisade-{}.7777-clients", std::os::unix::process::parent_id());
    for name in [&dead, &alive] {
        lab::run(&format!("ip netns add {name}")).unwrap();
    }
    let folder = std::env::temp_dir().join(&dead);
    std::fs::create_dir(&folder).unwrap();

    let lab = Lab::new(2).unwrap();
    let own = format!("palisade-{}.", std::process::id());
    assert!(lab.clients.name().starts_with(&own));
    let during = lab::run("ip netns list").unwrap();
    assert_eq!(during.matches(&own).count(), 3, "{during}");
    assert!(!during.contains(&dead), "{during}");
    assert!(!folder.exists());
    assert!(during.contains(&alive), "{during}");
    drop(lab);
    lab::run(&format!("ip netns del {alive}")).unwrap();
    let after = lab::run("ip netns list").unwrap();
    assert!(!after.contains(&own), "{after}");
}
