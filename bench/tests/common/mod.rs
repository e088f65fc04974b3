//! What the gateway tests share: one lab a test, a policy, servers, and cases as data.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use lookup::{Geo, GeoFiles};
use palisade_bench::lab::{
    self, Answer, Books, Client, Gateway, Haul, Lab, Record, Server, Service, Transfer,
    check_identities, check_log,
};
use palisade_bench::load::{Flow, Kind, Plan};

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

/// What hosts say to each other on a queue beside a load, at most.
pub const LINK: u64 = 16;

/// The same policy without the one that is denied, so that all of Germany may.
pub fn forgiving() -> String {
    POLICY.replace("deny     = [\"abusers\"]\n", "")
}

/// All client addresses.
pub fn everyone() -> Vec<&'static str> {
    [&OFFICE[..], &[GERMAN, ABUSER, ROAMING], &FOREIGN, &UNKNOWN].concat()
}

/// Flows to the port of both servers, from sources of these shares.
pub fn drawn(flows: usize, shares: &str, (port, kind): (u16, Kind), seed: u64) -> Vec<Flow> {
    let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
    let plan = Plan {
        flows,
        shares: shares.parse().unwrap(),
        targets: (SERVER[0].parse().ok(), SERVER[1].parse().ok()),
        port,
        kind,
        seed,
    };
    plan.draw(&geo.keys()).unwrap()
}

/// TCP echoes for [`transfers`]: the service, and one of the office.
pub fn echoes(lab: &Lab) -> Vec<Server> {
    let at = |namespace, to: [&str; 2], port| {
        to.map(|to| {
            Server::start(namespace, Service::TcpEcho, SocketAddr::new(ip(to), port)).unwrap()
        })
    };
    [at(&lab.servers, SERVER, 80), at(&lab.clients, OFFICE, 8080)].into_iter().flatten().collect()
}

/// Two transfers to the service, two from the inside, one of each family, as `shape` makes them.
pub fn transfers(lab: &Lab, bytes: u64, shape: impl Fn(Haul) -> Haul) -> Vec<Transfer> {
    let ways = [
        (&lab.clients, OFFICE[0], SERVER[0], 80),
        (&lab.clients, OFFICE[1], SERVER[1], 80),
        (&lab.servers, SERVER[0], OFFICE[0], 8080),
        (&lab.servers, SERVER[1], OFFICE[1], 8080),
    ];
    let start = |(namespace, from, to, port)| {
        let to = SocketAddr::new(ip(to), port);
        let haul = shape(Haul::new(Service::TcpEcho, ip(from), to, bytes));
        Transfer::start(namespace, haul).unwrap()
    };
    ways.map(start).into()
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
