//! What the gateway tests share: one lab a test, a policy, servers, and cases as data.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use palisade_bench::lab::{
    self, Answer, Books, Client, Gateway, Lab, Record, Server, Service, check_identities, check_log,
};

/// Germany may reach the public services, one German network the database.
pub const POLICY: &str = r#"
[group.home]
countries = ["DE"]

[group.abusers]
networks = ["88.198.0.0/16"]

[group.office]
networks  = ["5.9.0.0/16", "2a01:4f8::/32", "8.8.8.0/24"]
countries = ["DE"]

[domain.external]
exposure = "external"
allow    = ["home"]
deny     = ["abusers"]

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

[[domain.external.service]]
name     = "ping"
networks = ["10.1.0.0/24", "fd00:1::/64"]
proto    = "icmp"

[domain.internal]
exposure = "internal"
allow    = ["office"]

[[domain.internal.service]]
name     = "postgres"
networks = ["10.1.0.0/24", "fd00:1::/64"]
proto    = "tcp"
ports    = ["5432"]

[egress]
allow = ["home"]
"#;

pub const SERVER: [&str; 2] = ["10.1.0.10", "fd00:1::10"];
/// The office: German, and on its network.
pub const OFFICE: [&str; 2] = ["5.9.0.9", "2a01:4f8::9"];
/// Germany, elsewhere (IPv6 has the office's alone).
pub const GERMAN: &str = "78.46.1.9";
/// Germany, but denied.
pub const ABUSER: &str = "88.198.7.7";
/// United States.
pub const FOREIGN: [&str; 2] = ["12.34.56.78", "2600::9"];
/// United States, on a network of the office.
pub const ROAMING: &str = "8.8.8.8";
/// No country.
pub const UNKNOWN: [&str; 2] = ["192.0.2.9", "2001:db8::9"];

/// All client addresses.
pub fn everyone() -> Vec<&'static str> {
    [&OFFICE[..], &[GERMAN, ABUSER, ROAMING], &FOREIGN, &UNKNOWN].concat()
}

/// A lab with all hosts, or nothing, with the reason, when not root.
pub fn site(queues: u16) -> Option<Lab> {
    if !lab::is_root() {
        eprintln!("skipped: a lab needs root");
        return None;
    }
    let lab = Lab::new(queues).unwrap();
    everyone().into_iter().for_each(|address| lab.add_client(ip(address)).unwrap());
    SERVER.into_iter().for_each(|address| lab.add_server(ip(address)).unwrap());
    Some(lab)
}

pub fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// The servers of the policy, and one that it does not know.
pub fn servers(lab: &Lab) -> Vec<Server> {
    let doors = [
        (Service::Http, 80),
        (Service::UdpEcho, 7),
        (Service::Database, 5432),
        (Service::Database, 9999),
    ];
    let pairs = SERVER.into_iter().flat_map(|at| doors.map(|(service, port)| (at, service, port)));
    pairs
        .map(|(at, service, port)| {
            Server::start(&lab.servers, service, SocketAddr::new(ip(at), port)).unwrap()
        })
        .collect()
}

/// What a client tries.
#[derive(Clone, Copy, Debug)]
pub enum Try {
    Web,
    Echo,
    Postgres,
    Unlisted,
    Ping,
}

/// Asks from an address for a service of the server of the same family.
pub fn ask(lab: &Lab, from: &str, what: Try, patience: Duration) -> Answer {
    let from = ip(from);
    let to = ip(SERVER[usize::from(from.is_ipv6())]);
    let client = Client::new(&lab.clients, from).patience(patience);
    let at = |port| SocketAddr::new(to, port);
    match what {
        Try::Web => client.ask(Service::Http, at(80)),
        Try::Echo => client.ask(Service::UdpEcho, at(7)),
        Try::Postgres => client.ask(Service::Database, at(5432)),
        Try::Unlisted => client.ask(Service::Database, at(9999)),
        Try::Ping => client.ping(to),
    }
    .unwrap()
}

/// Tries all cases at once and names those that came out otherwise.
pub fn surprises(lab: &Lab, cases: &[(&str, Try, bool)]) -> Vec<String> {
    thread::scope(|scope| {
        let answers: Vec<_> = cases
            .iter()
            .map(|(from, what, reached)| {
                // Nothing is awaited for long that should not come.
                let patience = Duration::from_millis(if *reached { 2000 } else { 1000 });
                scope.spawn(move || ask(lab, from, *what, patience))
            })
            .collect();
        let judge = |((from, what, reached), answer): (&(&str, Try, bool), Answer)| {
            let expected = if *reached { Answer::Reached } else { Answer::Silence };
            (answer != expected).then(|| format!("{from} {what:?}: {answer:?}, not {expected:?}"))
        };
        let answers = answers.into_iter().map(|answer| answer.join().unwrap());
        cases.iter().zip(answers).filter_map(judge).collect()
    })
}

/// Stops the gateway and checks all identities, the drop log among them.
pub fn settle(gateway: Gateway) -> Vec<Record> {
    let status = gateway.quiet_status().unwrap();
    let log = gateway.stop().unwrap();
    let books: Books = [check_identities(&status), check_log(&status, &log)].concat();
    assert_eq!(books, Books::new(), "{status:#?}");
    log
}
