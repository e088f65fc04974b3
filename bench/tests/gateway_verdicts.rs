//! Who gets through a real gateway: every service, both families, one and two queues, both ways.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{Answer, Client, Counter, Gateway, Lab, Server, Service, Setup};

/// Source, what it tries, whether it gets an answer: by the meaning of the policy.
#[rustfmt::skip]
const CASES: [(&str, Try, bool); 30] = [
    (OFFICE[0],  Try::Web,      true),
    (OFFICE[1],  Try::Web,      true),
    (OFFICE[0],  Try::Echo,     true),
    (OFFICE[1],  Try::Echo,     true),
    (OFFICE[0],  Try::Ping,     true),
    (OFFICE[1],  Try::Ping,     true),
    (OFFICE[0],  Try::Postgres, true),
    (OFFICE[1],  Try::Postgres, true),
    (OFFICE[0],  Try::Unlisted, false),
    (OFFICE[1],  Try::Unlisted, false),
    (GERMAN,     Try::Web,      true),
    (GERMAN,     Try::Echo,     true),
    (GERMAN,     Try::Postgres, false),
    (ABUSER,     Try::Web,      false),
    (ABUSER,     Try::Echo,     false),
    (ABUSER,     Try::Ping,     false),
    (ROAMING,    Try::Postgres, false),
    (ROAMING,    Try::Web,      false),
    (FOREIGN[0], Try::Web,      false),
    (FOREIGN[1], Try::Web,      false),
    (FOREIGN[0], Try::Echo,     false),
    (FOREIGN[1], Try::Echo,     false),
    (FOREIGN[0], Try::Ping,     false),
    (FOREIGN[1], Try::Ping,     false),
    (FOREIGN[0], Try::Postgres, false),
    (FOREIGN[1], Try::Postgres, false),
    (UNKNOWN[0], Try::Web,      false),
    (UNKNOWN[1], Try::Web,      false),
    (UNKNOWN[0], Try::Postgres, false),
    (UNKNOWN[1], Try::Ping,     false),
];

/// Every case, then both identities.
fn all_cases(lab: &Lab) {
    let servers = servers(lab);
    let gateway = Gateway::start(lab, &Setup::new(lab, POLICY)).unwrap();
    assert_eq!(surprises(lab, &CASES), Vec::<String>::new(), "{}", gateway.log());
    for server in &servers {
        let port = server.address().port();
        let strangers = server.peers().into_iter().filter(|peer| !may(peer, port));
        assert_eq!(strangers.count(), 0, "{} met {:?}", server.address(), server.peers());
    }
    settle(gateway);
}

/// Whether a case lets this client reach this port.
fn may(peer: &SocketAddr, port: u16) -> bool {
    CASES.iter().any(|(from, what, reached)| {
        let of = match what {
            Try::Web => 80,
            Try::Echo => 7,
            Try::Postgres => 5432,
            Try::Unlisted | Try::Ping => return false,
        };
        *reached && of == port && ip(from) == peer.ip()
    })
}

#[test]
fn one_queue() {
    let Some(lab) = site(1) else { return };
    all_cases(&lab);
}

#[test]
fn two_queues() {
    let Some(lab) = site(2) else { return };
    all_cases(&lab);
}

#[test]
fn the_two_directions_on_different_queues() {
    for (clients, servers) in [(0, 1), (1, 0)] {
        let Some(lab) = site(2) else { return };
        lab.steer_clients(clients).unwrap();
        lab.steer_servers(servers).unwrap();
        all_cases(&lab);
        egress(&lab);
    }
}

#[test]
fn connections_from_the_inside() {
    let Some(lab) = site(1) else { return };
    egress(&lab);
}

#[test]
fn connections_from_the_inside_over_two_queues() {
    let Some(lab) = site(2) else { return };
    egress(&lab);
}

/// Servers call hosts on the outside: Germany answers, others are not reached.
fn egress(lab: &Lab) {
    let gateway = Gateway::start(lab, &Setup::new(lab, POLICY)).unwrap();
    let hosts = [
        (OFFICE[0], true),
        (OFFICE[1], true),
        (GERMAN, true),
        (FOREIGN[0], false),
        (FOREIGN[1], false),
        (UNKNOWN[0], false),
    ];
    for (host, reached) in hosts {
        for service in [Service::Http, Service::UdpEcho] {
            let at = SocketAddr::new(ip(host), 8080);
            let server = Server::start(&lab.clients, service, at).unwrap();
            let from = ip(SERVER[usize::from(at.is_ipv6())]);
            let client = Client::new(&lab.servers, from)
                .patience(Duration::from_millis(if reached { 2000 } else { 300 }));
            let answer = client.ask(service, at).unwrap();
            let expected = if reached { Answer::Reached } else { Answer::Silence };
            assert_eq!(answer, expected, "{service:?} to {at}: {}", gateway.log());
            assert_eq!(server.peers().len(), usize::from(reached), "{service:?} at {at}");
        }
    }
    settle(gateway);
}

#[test]
fn nothing_of_a_denied_source_arrives() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    for (expression, from) in [
        (format!("ip saddr {}", FOREIGN[0]), FOREIGN[0]),
        (format!("ip6 saddr {} meta l4proto {{ tcp, udp }}", FOREIGN[1]), FOREIGN[1]),
    ] {
        let counter = Counter::start(&lab.servers, &expression).unwrap();
        for what in [Try::Web, Try::Echo, Try::Postgres, Try::Unlisted] {
            ask(&lab, from, what, Duration::from_millis(300));
        }
        assert_eq!(counter.packets().unwrap(), 0, "{from}");
    }
    let counter = Counter::start(&lab.servers, &format!("ip saddr {}", OFFICE[0])).unwrap();
    ask(&lab, OFFICE[0], Try::Web, Duration::from_secs(2));
    assert!(counter.packets().unwrap() >= 3, "the counter counts");
    drop(counter);
    settle(gateway);
}
