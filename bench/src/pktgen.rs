//! `palisade-bench pktgen`: a lab, a peer between its interfaces, and a load of choice.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::{Table, presets};
use lookup::{Geo, GeoFiles};

use crate::lab::{Lab, Setup, check_identities};
use crate::load::{Class, Count, Generator, Kind, Order, Plan, Sent, Shares, Sink};
use crate::peers::{Peer, Running};
use crate::{Error, Result};

/// Offer a load to a peer in a lab, and count what comes through.
#[derive(Debug, Args)]
pub struct Pktgen {
    /// What stands between clients and servers.
    #[arg(long, value_enum, default_value_t = Peer::Bridge)]
    peer: Peer,
    /// Palisade's policy.
    #[arg(long, value_name = "FILE", required_if_eq("peer", "palisade"))]
    policy: Option<PathBuf>,
    /// Where the sources are, with weights: countries or `unknown`.
    #[arg(long, value_name = "SHARES", default_value = "DE:50,US:30,unknown:20")]
    from: Shares,
    /// A country database instead of the embedded table.
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// The service's address and port; twice for both families.
    #[arg(long, value_name = "ADDR:PORT", default_values = ["10.1.0.10:123", "[fd00:1::10]:123"])]
    to: Vec<SocketAddr>,
    /// Flows, 1 to 1000000.
    #[arg(long, default_value_t = 100_000)]
    flows: usize,
    /// Bytes of a frame on the wire, 64 to 1518, FCS included; IPv6 needs 82 at least.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Frames a second; as fast as a core can when absent.
    #[arg(long, value_name = "PPS")]
    rate: Option<u64>,
    /// Frames at most.
    #[arg(long)]
    count: Option<u64>,
    /// Seconds at most.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The same seed draws the same sources.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Pktgen {
    /// Runs it and prints what arrived.
    ///
    /// # Errors
    /// When an argument makes no sense, or the lab fails.
    pub fn run(&self) -> Result<()> {
        let files = GeoFiles { country: self.geo.clone(), asn: None };
        let geo = Geo::load(&files, &[]).map_err(|error| Error::Usage(error.to_string()))?;
        let flows = self.plan().draw(&geo.keys())?;
        let policy = self.policy.as_ref().map_or(Ok(String::new()), std::fs::read_to_string);
        let policy = policy.map_err(crate::error::system("read", "the policy"))?;

        let lab = Lab::new(1)?;
        let core = std::thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1);
        let setup = Setup { cores: vec![core], ..Setup::new(&lab, &policy) };
        let running = self.peer.start(&lab, &setup)?;
        let mut sink = Sink::at_servers(&lab, flows.len())?;
        let mut generator = Generator::outside(&lab, &flows, self.size)?;
        let sent = generator.run(Order {
            length: Duration::from_secs(self.seconds),
            count: self.count,
            rate_pps: self.rate,
            core: 0,
        })?;
        std::thread::sleep(Duration::from_millis(100));
        self.print(&mut sink, sent)?;
        if let Running::Palisade(gateway) = &running {
            print!("{}", gateway.ask(&["status"])?);
            check_identities(&gateway.quiet_status()?).iter().for_each(|line| println!("{line}"));
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        let v4 =
            self.to.iter().find_map(|to| if let SocketAddr::V4(v4) = to { Some(v4) } else { None });
        let v6 =
            self.to.iter().find_map(|to| if let SocketAddr::V6(v6) = to { Some(v6) } else { None });
        Plan {
            flows: self.flows,
            shares: self.from.clone(),
            targets: (v4.map(|v4| *v4.ip()), v6.map(|v6| *v6.ip())),
            port: self.to.first().map_or(0, SocketAddr::port),
            kind: Kind::Udp,
            seed: self.seed,
        }
    }

    fn print(&self, sink: &mut Sink, sent: Sent) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["origin", "arrived", "Mpps", "reordered", "mean delay"]);
        let mut row = |name: String, count: Count| {
            let delay = count.delay_ns.checked_div(count.packets).unwrap_or(0) / 1000;
            let mpps = format!("{:.3}", count.rate_pps() / 1e6);
            let cells = [count.packets.to_string(), mpps, count.reordered.to_string()];
            table.add_row([vec![name], cells.to_vec(), vec![format!("{delay} us")]].concat());
        };
        for (class, share) in (0..).zip(&self.from.0) {
            row(share.origin.to_string(), sink.class(Class(class))?);
        }
        let total = sink.total()?;
        row("all".to_owned(), total);
        println!("{table}");
        println!(
            "offered {} frames of {} bytes at {:.3} Mpps, lost or dropped {}",
            sent.packets,
            self.size,
            sent.rate_pps() / 1e6,
            sent.packets.saturating_sub(total.packets),
        );
        Ok(())
    }
}
