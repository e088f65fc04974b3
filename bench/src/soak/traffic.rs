//! What a soak sends: a generator in bursts, clients that must get in and clients that must not, long
//! transfers, fragments.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use lookup::{Geo, GeoFiles};
use serde::Serialize;

use super::broken;
use crate::error::system;
use crate::lab::{Answer, Client, End, Haul, Lab, Server, Service, Transfer};
use crate::load::{Class, Flow, Generator, Kind, Order, Plan, Sink};
use crate::{Error, Result};

/// The second lets France in too; who may enter under both, and who under none, is the same.
pub(super) const POLICIES: [&str; 2] = [include_str!("one.toml"), include_str!("other.toml")];

const SERVER: [&str; 2] = ["10.1.0.10", "fd00:1::10"];
/// Allowed under both policies.
const FRIENDS: [&str; 3] = ["5.9.0.9", "78.46.1.9", "2a01:4f8::9"];
/// Allowed under neither.
const STRANGERS: [&str; 5] = ["12.34.56.78", "88.198.7.7", "192.0.2.9", "2600::9", "2001:db8::9"];
/// Classes of the generator: forbidden under both policies, then allowed now and then, then always.
const SHARES: &str = "US:25,CN:15,unknown:10,FR:15,DE:35";
const FORBIDDEN: u8 = 3;
const FLOWS: usize = 50_000;
/// A burst of the generator, and the time that it leaves to others.
const BURST: Duration = Duration::from_millis(100);
const REST: Duration = Duration::from_millis(200);
/// How long an allowed client waits: longer than any pause of a loaded machine.
const PATIENCE: Duration = Duration::from_secs(8);
const ECHO: u16 = 7;

/// What became of the clients.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Frames that the generator offered.
    pub(super) offered: u64,
    /// Exchanges and transfers of allowed clients that came out right.
    pub(super) answered: u64,
    /// Those that did not.
    pub(super) unanswered: u64,
    /// Tries of clients that must not get in.
    pub(super) refused: u64,
    /// Forbidden clients whose packets reached a server.
    pub(super) strangers: u64,
    /// Forbidden frames of the generator that arrived.
    pub(super) leaked: u64,
}

/// Counters that the threads share.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    unanswered: AtomicU64,
    refused: AtomicU64,
}

/// Everything that sends, and the servers.
pub(super) struct Traffic<'lab> {
    lab: &'lab Lab,
    flows: Vec<Flow>,
    pps: u64,
    servers: Vec<Server>,
    sink: Mutex<Sink>,
    counts: Counts,
}

impl<'lab> Traffic<'lab> {
    /// Adds the hosts to a lab, and starts the servers.
    pub(super) fn new(lab: &'lab Lab, pps: u64) -> Result<Self> {
        for address in FRIENDS.iter().chain(&STRANGERS) {
            lab.add_client(ip(address)?)?;
        }
        let mut servers = Vec::new();
        for address in SERVER {
            lab.add_server(ip(address)?)?;
            for (service, port) in DOORS {
                let at = SocketAddr::new(ip(address)?, port);
                servers.push(Server::start(&lab.servers, service, at)?);
            }
        }
        let geo = Geo::load(&GeoFiles::default(), &[])
            .map_err(|error| Error::Usage(format!("the embedded geo table: {error}")))?;
        let plan = Plan {
            flows: FLOWS,
            shares: SHARES.parse()?,
            targets: (SERVER[0].parse().ok(), SERVER[1].parse().ok()),
            port: ECHO,
            seed: 7,
            kind: Kind::Udp,
        };
        let flows = plan.draw(&geo.keys())?;
        let sink = Mutex::new(Sink::at_servers(lab, 0)?);
        Ok(Self { lab, flows, pps, servers, sink, counts: Counts::default() })
    }

    /// Sends until `stop` is set.
    pub(super) fn run(&self, stop: &AtomicBool) -> Result<Tally> {
        let offered = thread::scope(|scope| {
            let load = scope.spawn(|| self.storm(stop));
            let others = [
                scope.spawn(|| self.visits(stop)),
                scope.spawn(|| self.strange_visits(stop)),
                scope.spawn(|| self.transfers(Service::TcpEcho, FRIENDS[0], SERVER[0], stop)),
                scope.spawn(|| self.transfers(Service::TcpEcho, FRIENDS[2], SERVER[1], stop)),
                // Datagrams of 4,000 bytes leave in three fragments each.
                scope.spawn(|| self.transfers(Service::UdpEcho, FRIENDS[1], SERVER[0], stop)),
                scope.spawn(|| self.transfers(Service::UdpEcho, FRIENDS[2], SERVER[1], stop)),
            ];
            for other in others {
                other.join().unwrap_or_else(|_| Err(broken("a client")))?;
            }
            load.join().unwrap_or_else(|_| Err(broken("the generator")))
        })?;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let strangers = self.servers.iter().flat_map(Server::peers);
        let strange = |peer: &SocketAddr| STRANGERS.contains(&peer.ip().to_string().as_str());
        Ok(Tally {
            offered,
            answered: count(&self.counts.answered),
            unanswered: count(&self.counts.unanswered),
            refused: count(&self.counts.refused),
            strangers: strangers.filter(strange).count() as u64,
            leaked: 0,
        })
    }

    /// Forbidden frames of the generator that arrived so far.
    pub(super) fn leaked(&self) -> Result<u64> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        (0..FORBIDDEN).map(|class| Ok(sink.class(Class(class))?.packets)).sum()
    }

    fn storm(&self, stop: &AtomicBool) -> Result<u64> {
        let mut generator = Generator::outside(self.lab, &self.flows, 64)?;
        let mut offered = 0;
        let order = Order { length: BURST, count: None, rate_pps: Some(self.pps), core: 0 };
        while !stop.load(Ordering::Relaxed) {
            offered += generator.run(order)?.packets;
            thread::sleep(REST);
        }
        Ok(offered)
    }

    fn visits(&self, stop: &AtomicBool) -> Result<()> {
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let from = ip(FRIENDS[turn % FRIENDS.len()])?;
            let to = SocketAddr::new(ip(SERVER[usize::from(from.is_ipv6())])?, 80);
            let client = Client::new(&self.lab.clients, from).patience(PATIENCE);
            self.count(client.ask(Service::Http, to)? == Answer::Reached, from);
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Clients that must not get in: a connection, then a datagram in fragments.
    fn strange_visits(&self, stop: &AtomicBool) -> Result<()> {
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let from = ip(STRANGERS[turn % STRANGERS.len()])?;
            let server = ip(SERVER[usize::from(from.is_ipv6())])?;
            let client = Client::new(&self.lab.clients, from).patience(Duration::from_millis(200));
            if client.ask(Service::Http, SocketAddr::new(server, 80))? != Answer::Silence {
                self.count(false, from);
            }
            self.lab.clients.enter(|| {
                let socket = UdpSocket::bind(SocketAddr::new(from, 0))
                    .map_err(system("bind", &from.to_string()))?;
                // A neighbour that is not known yet costs the datagram, not the soak.
                let _ = socket.send_to(&[7; 4000], SocketAddr::new(server, ECHO));
                Ok(())
            })?;
            self.counts.refused.fetch_add(2, Ordering::Relaxed);
        }
        Ok(())
    }

    /// One transfer after the other, of about twenty seconds each.
    fn transfers(&self, service: Service, from: &str, to: &str, stop: &AtomicBool) -> Result<()> {
        let port = if service == Service::UdpEcho { ECHO } else { 9000 };
        let (from, to) = (ip(from)?, SocketAddr::new(ip(to)?, port));
        let rate_bytes = 64 << 10;
        let haul = Haul {
            datagram_bytes: 4000,
            ..Haul::new(service, from, to, 20 * rate_bytes).paced(rate_bytes)
        };
        while !stop.load(Ordering::Relaxed) {
            let end = Transfer::start(&self.lab.clients, haul)?.wait(Duration::from_secs(120))?;
            if end != End::Complete {
                eprintln!("{service:?} transfer from {from}: {end:?}");
            }
            self.count(end == End::Complete, from);
        }
        Ok(())
    }

    fn count(&self, right: bool, from: IpAddr) {
        if right {
            self.counts.answered.fetch_add(1, Ordering::Relaxed);
        } else {
            eprintln!("an exchange of {from} came out wrong");
            self.counts.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Services and their ports.
const DOORS: [(Service, u16); 3] =
    [(Service::Http, 80), (Service::UdpEcho, ECHO), (Service::TcpEcho, 9000)];

fn ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::Usage(format!("{text} is no address")))
}
