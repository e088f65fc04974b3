//! Running flows through a real gateway: a reload that stops some and leaves the others alone, and
//! flows that change their queue midway.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{
    Answer, Counter, End, Gateway, Haul, Lab, Server, Service, Setup, Transfer,
};

/// Germany and France may come in and be called.
const BOTH: &str = r#"
[group.home]
countries = ["DE"]

[group.partner]
countries = ["FR"]

[group.guests]
any_of = ["home", "partner"]

[domain.external]
exposure = "external"
allow    = ["guests"]

[[domain.external.service]]
name     = "web"
networks = ["10.1.0.0/24", "fd00:1::/64"]
proto    = "tcp"
ports    = ["80"]

[[domain.external.service]]
name     = "echo"
networks = ["10.1.0.0/24", "fd00:1::/64"]
proto    = "udp"
ports    = ["7"]

[egress]
allow = ["guests"]
"#;

const FRENCH: [&str; 2] = ["90.0.0.9", "2a01:cb00::9"];
/// Where hosts on the outside serve.
const OUT: u16 = 8080;
/// Long enough for a dropped flow to try again several times.
const WATCH: Duration = Duration::from_millis(1200);

/// Servers at the policy's services, and at every host that is called from the inside.
fn all_servers(lab: &Lab, hosts: &[&str]) -> Vec<Server> {
    let mut servers = Vec::new();
    for at in SERVER {
        for (service, port) in [(Service::TcpEcho, 80), (Service::UdpEcho, 7)] {
            let at = SocketAddr::new(ip(at), port);
            servers.push(Server::start(&lab.servers, service, at).unwrap());
        }
    }
    for host in hosts {
        for service in [Service::TcpEcho, Service::UdpEcho] {
            let at = SocketAddr::new(ip(host), OUT);
            servers.push(Server::start(&lab.clients, service, at).unwrap());
        }
    }
    servers
}

/// Four transfers between a host on the outside and the server of its family: to both services, and
/// from the inside over both protocols.
fn transfers(lab: &Lab, host: &str, bytes: u64, rate_bytes: u64) -> Vec<Transfer> {
    let host = ip(host);
    let server = ip(SERVER[usize::from(host.is_ipv6())]);
    let ways = [
        (&lab.clients, Service::TcpEcho, host, SocketAddr::new(server, 80)),
        (&lab.clients, Service::UdpEcho, host, SocketAddr::new(server, 7)),
        (&lab.servers, Service::TcpEcho, server, SocketAddr::new(host, OUT)),
        (&lab.servers, Service::UdpEcho, server, SocketAddr::new(host, OUT)),
    ];
    let start = |(namespace, service, from, to)| {
        Transfer::start(namespace, Haul::new(service, from, to, bytes).paced(rate_bytes)).unwrap()
    };
    ways.map(start).into()
}

fn bytes(transfers: &[Transfer]) -> Vec<u64> {
    transfers.iter().map(Transfer::bytes).collect()
}

/// Waits until every transfer has moved so much.
fn reach(transfers: &[Transfer], least: u64) {
    let begin = Instant::now();
    while bytes(transfers).iter().any(|&bytes| bytes < least) {
        assert!(begin.elapsed() < Duration::from_secs(15), "stalled: {:?}", bytes(transfers));
        thread::sleep(Duration::from_millis(10));
    }
}

/// France leaves the group while all run.
fn reload(lab: &Lab) {
    FRENCH.iter().for_each(|host| lab.add_client(ip(host)).unwrap());
    let _servers = all_servers(lab, &[OFFICE, FRENCH].concat());
    let gateway = Gateway::start(lab, &Setup::new(lab, BOTH)).unwrap();
    let of = |hosts: [&str; 2], bytes| -> Vec<Transfer> {
        hosts.iter().flat_map(|host| transfers(lab, host, bytes, 256 << 10)).collect()
    };
    let german = of(OFFICE, 1 << 20);
    let french = of(FRENCH, 1 << 30);
    let [v4, v6] = FRENCH;
    let arrived = [
        Counter::start(&lab.servers, &format!("ip saddr {v4}")).unwrap(),
        Counter::start(&lab.servers, &format!("ip6 saddr {v6} meta l4proto {{ tcp, udp }}"))
            .unwrap(),
        Counter::start(&lab.clients, &format!("ip daddr {v4}")).unwrap(),
        Counter::start(&lab.clients, &format!("ip6 daddr {v6} meta l4proto {{ tcp, udp }}"))
            .unwrap(),
    ];
    let count = || arrived.each_ref().map(|counter| counter.packets().unwrap());
    reach(&german, 100 << 10);
    reach(&french, 100 << 10);

    gateway.reload(&BOTH.replace(r#"["home", "partner"]"#, r#"["home"]"#)).unwrap();
    // What was forwarded before the answer is on the wires for a moment.
    thread::sleep(Duration::from_millis(50));
    let (packets, stopped, running) = (count(), bytes(&french), bytes(&german));
    assert!(packets.iter().all(|&packets| packets > 10), "the counters count: {packets:?}");
    thread::sleep(WATCH);
    assert_eq!(count(), packets, "packets of a flow that the reload stopped");
    assert_eq!(bytes(&french), stopped);
    for (now, before) in bytes(&german).into_iter().zip(running) {
        assert!(now > before, "a flow still allowed stands still at {before} bytes");
    }
    for transfer in german {
        assert_eq!(transfer.wait(Duration::from_secs(15)).unwrap(), End::Complete);
    }
    let dropped = gateway.status().unwrap().dropped_total();
    assert!(dropped > 0, "what was stopped was dropped");
    drop(french);
    settle(gateway);
}

#[test]
fn a_reload_stops_running_flows_and_leaves_others_alone() {
    let Some(lab) = site(1) else { return };
    reload(&lab);
}

#[test]
fn a_reload_stops_running_flows_over_two_queues() {
    let Some(lab) = site(2) else { return };
    lab.steer_clients(0).unwrap();
    lab.steer_servers(1).unwrap();
    reload(&lab);
}

/// Sources, what they try, and whether it may be.
#[rustfmt::skip]
const CASES: [(&str, Try, bool); 10] = [
    (OFFICE[0],  Try::Ping,     true),
    (OFFICE[1],  Try::Postgres, true),
    (OFFICE[0],  Try::Unlisted, false),
    (GERMAN,     Try::Postgres, false),
    (ABUSER,     Try::Postgres, false),
    (ROAMING,    Try::Ping,     false),
    (FOREIGN[0], Try::Postgres, false),
    (FOREIGN[1], Try::Ping,     false),
    (UNKNOWN[0], Try::Ping,     false),
    (UNKNOWN[1], Try::Postgres, false),
];

#[test]
fn flows_that_change_queue_midway_go_on_and_denied_ones_never_get_a_byte() {
    let Some(lab) = site(2) else { return };
    let _servers = all_servers(&lab, &OFFICE);
    let database =
        |at| Server::start(&lab.servers, Service::Database, SocketAddr::new(ip(at), 5432)).unwrap();
    let _databases = SERVER.map(database);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let denied = [
        Counter::start(&lab.servers, &format!("ip saddr {{ {}, {} }}", FOREIGN[0], UNKNOWN[0])),
        Counter::start(
            &lab.servers,
            &format!("ip6 saddr {{ {}, {} }} icmpv6 type != 135", FOREIGN[1], UNKNOWN[1]),
        ),
    ]
    .map(Result::unwrap);
    let running: Vec<_> =
        OFFICE.iter().flat_map(|host| transfers(&lab, host, 1 << 20, 256 << 10)).collect();
    thread::scope(|scope| {
        let verdicts = scope.spawn(|| surprises(&lab, &CASES));
        for turn in 0..8_u16 {
            lab.steer_clients(turn % 2).unwrap();
            lab.steer_servers(turn / 2 % 2).unwrap();
            let before = bytes(&running);
            thread::sleep(Duration::from_millis(250));
            assert_ne!(bytes(&running), before, "all stand still in turn {turn}");
        }
        assert_eq!(verdicts.join().unwrap(), Vec::<String>::new(), "{}", gateway.log());
    });
    for transfer in running {
        assert_eq!(transfer.wait(Duration::from_secs(15)).unwrap(), End::Complete);
    }
    assert_eq!(denied.map(|counter| counter.packets().unwrap()), [0, 0]);
    let status = gateway.status().unwrap();
    for worker in &status.workers {
        assert!(worker.forwarded > 500, "queue {} had hardly any: {status:#?}", worker.queue);
    }
    assert_eq!(ask(&lab, OFFICE[0], Try::Postgres, Duration::from_secs(2)), Answer::Reached);
    settle(gateway);
}
