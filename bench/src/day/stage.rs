//! Where the day is played: a lab, a gateway, servers, and traffic all along.
//!
//! ```text
//!  clients: curl, transfers, sweeps --.
//!  generator, in bursts --------------+--> palisade run --> servers, sink
//!  operator: palisade, in a mount namespace of its own,   ^-- Prometheus
//!            where the gateway's folder is /run/palisade
//! ```
//! The operator's commands are the real ones without a `--socket`: each runs in a mount namespace
//! where the default socket is that of the lab's gateway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lookup::{Geo, GeoFiles};

use super::policy;
use crate::error::system;
use crate::lab::{Gateway, Lab, Server, Setup, binary};
use crate::load::{Flow, Generator, Kind, Order, Plan, Sink};
use crate::{Error, Result};

/// The gateway's address for metrics.
pub(super) const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9477);
/// A burst of the generator, and what it leaves to others.
const BURST: Duration = Duration::from_millis(60);
const REST: Duration = Duration::from_millis(190);
const BURST_PPS: u64 = 150_000;
const FLOWS: usize = 20_000;
/// Where the load is from.
const SHARES: &str = "DE:30,FR:12,NL:8,US:22,CN:14,BR:6,unknown:8";
/// Sources that send much more than others: enough for a place among the busiest.
const BUSY: usize = 4;
const BUSY_SHARES: &str = "CN:50,BR:50";
const EACH: usize = 8;

/// Everything that is on stage.
pub(super) struct Stage<'lab> {
    pub(super) lab: &'lab Lab,
    pub(super) gateway: Gateway,
    _servers: Vec<Server>,
}

impl<'lab> Stage<'lab> {
    /// Lays it all out, and starts the gateway with the day's first policy.
    pub(super) fn new(lab: &'lab Lab) -> Result<Self> {
        for address in policy::CLIENTS {
            lab.add_client(ip(address)?)?;
        }
        lab.add_server(ip(policy::SERVER)?)?;
        let mut servers = Vec::new();
        for (service, port) in policy::DOORS {
            let at = SocketAddr::new(ip(policy::SERVER)?, port);
            servers.push(Server::start(&lab.servers, service, at)?);
        }
        let core = thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1);
        let setup = Setup {
            cores: vec![core],
            rate: 200,
            metrics: Some(METRICS),
            drops: "patterns_s = 5".to_owned(),
            history: true,
            ..Setup::new(lab, policy::FIRST)
        };
        // The gateway reads the database when it starts: it must stand beside the policy by then.
        let gateway =
            Gateway::start_with(lab, &setup, &[("country.csv", &policy::database(false))])?;
        Ok(Self { lab, gateway, _servers: servers })
    }

    /// Writes a file beside the policy.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.gateway.folder().join(name);
        std::fs::write(&path, text).map_err(system("write", name))
    }

    /// A line of shell where the operator sits: in the gateway's folder, which is /run/palisade too.
    pub(super) fn operator(&self, line: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg(
            "mount -t tmpfs none /run && mkdir /run/palisade && mount --bind \"$PWD\" /run/palisade \
             && exec sh -c \"$0\" 2>&1",
        );
        command.arg(line).current_dir(self.gateway.folder());
        command.env("COLUMNS", "110").env("NO_COLOR", "1").env_remove("SSH_CONNECTION");
        if let Some(folder) = binary().ok().as_deref().and_then(Path::parent) {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", folder.display()));
        }
        command
    }

    /// A line of shell where the clients are.
    pub(super) fn client(&self, line: &str) -> Command {
        let mut command = self.lab.clients.command("sh");
        command.args(["-c", "exec sh -c \"$0\" 2>&1", line]);
        command
    }

    /// Sends bursts of the load until told to stop; how many packets that were.
    pub(super) fn load(&self, stop: &AtomicBool) -> Result<u64> {
        let flows = self.flows()?;
        let _sink = Sink::at_servers(self.lab, 0)?;
        let mut generator = Generator::outside(self.lab, &flows, 64)?;
        let order = Order { length: BURST, count: None, rate_pps: Some(BURST_PPS), core: 0 };
        let mut offered = 0;
        while !stop.load(Ordering::Relaxed) {
            offered += generator.run(order)?.packets;
            thread::sleep(REST);
        }
        Ok(offered)
    }

    fn flows(&self) -> Result<Vec<Flow>> {
        let files = GeoFiles {
            country: Some(self.gateway.folder().join("country.csv")),
            ..GeoFiles::default()
        };
        let geo = Geo::load(&files, &[])
            .map_err(|error| Error::Usage(format!("the day's database: {error}")))?;
        let draw = |flows, shares: &str, seed| -> Result<Vec<Flow>> {
            let plan = Plan {
                flows,
                shares: shares.parse()?,
                targets: (policy::SERVER.parse().ok(), None),
                port: policy::LOAD_PORT,
                kind: Kind::Udp,
                seed,
            };
            plan.draw(&geo.keys())
        };
        let (many, few) = (draw(FLOWS, SHARES, 5)?, draw(BUSY, BUSY_SHARES, 7)?);
        // After so many flows of all comes one of the few.
        let busy = few.iter().cycle();
        let mixed = many.chunks(EACH).zip(busy).flat_map(|(some, one)| some.iter().chain([one]));
        Ok(mixed.cloned().collect())
    }
}

/// Waits until something is so; whether it came about in time.
pub(super) fn wait(patience: Duration, mut so: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        if so()? {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(false)
}

pub(super) fn ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::Usage(format!("{text} is no address")))
}
