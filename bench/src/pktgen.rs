//! `palisade-bench pktgen`: a lab, a peer between its interfaces, and a load of choice.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::lab::{Lab, Setup, check_identities};
use crate::load::{
    Class, Count, Delays, Flow, Fresh, Generator, Kind, Order, Plan, Sent, Shares, Sink, Sizes,
};
use crate::peers::{Fence, HugePages, Peer, Running};
use crate::{Error, Result};

/// Offer a load to a peer in a lab, and count what comes through.
///
/// All peers get the same fence: the countries of --allow may reach the service, nobody else. A frame
/// that comes through though its source may not is a wrong verdict, and the exit status says so.
#[derive(Debug, Args)]
pub struct Pktgen {
    /// What stands between clients and servers.
    #[arg(long, value_enum, default_value_t = Peer::Bridge)]
    peer: Peer,
    /// Countries that may reach the service.
    #[arg(long, value_name = "COUNTRIES", default_value = "DE,FR,US", value_delimiter = ',')]
    allow: Vec<String>,
    /// Palisade's policy instead, of which no verdict is expected.
    #[arg(long, value_name = "FILE", conflicts_with = "allow")]
    policy: Option<PathBuf>,
    /// Where the sources are, with weights: countries, unknown, allowed, denied, anywhere.
    #[arg(long, value_name = "SHARES", default_value = "allowed:50,denied:30,unknown:20")]
    from: Shares,
    /// A country database instead of the embedded table.
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// The service's address and port; twice for both families.
    #[arg(long, value_name = "ADDR:PORT", default_values = ["10.1.0.10:123", "[fd00:1::10]:123"])]
    to: Vec<SocketAddr>,
    /// UDP datagrams, or SYNs of TCP.
    #[arg(long, value_enum, default_value_t = Kind::Udp)]
    kind: Kind,
    /// Flows, 1 to 1000000.
    #[arg(long, default_value_t = 100_000)]
    flows: usize,
    /// Frames that open a fresh flow: a share of all in per cent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    fresh: Option<u8>,
    /// Fresh flows a second.
    #[arg(long, value_name = "FPS", conflicts_with = "fresh")]
    fresh_rate: Option<u64>,
    /// Bytes of a frame on the wire, 64 to 1518, FCS included, or `imix`; IPv6 needs 82 at least.
    #[arg(long, default_value = "64")]
    size: Sizes,
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
    /// When an argument makes no sense, the lab fails, or a packet came through that should not.
    pub fn run(&self) -> Result<()> {
        let countries: Vec<&str> = self.allow.iter().map(String::as_str).collect();
        let fence = self.fence(&countries)?;
        let mut flows = self.plan().draw_at(&fence.geo.keys(), &fence.countries)?;
        mark(&mut flows, &fence);
        let policy = match &self.policy {
            None => fence.policy(),
            Some(path) => {
                let name = path.display().to_string();
                std::fs::read_to_string(path).map_err(crate::error::system("read", &name))?
            }
        };
        let _pages = HugePages::for_peers()?;
        let lab = Lab::new(1)?;
        let core = std::thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1);
        let setup = Setup { cores: vec![core], ..Setup::new(&lab, &policy) };
        let generator = match self.peer.routes() {
            true => Generator::routed(&lab, &flows, self.size)?,
            false => Generator::outside(&lab, &flows, self.size)?,
        };
        let mut generator = generator.fresh(self.fresh());
        let running = self.peer.start(&lab, &setup, &fence)?;
        let mut sink = Sink::at_servers(&lab, self.size.entries(flows.len()))?;
        let sent = generator.run(Order {
            length: Duration::from_secs(self.seconds),
            count: self.count,
            rate_pps: self.rate,
            core: 0,
        })?;
        std::thread::sleep(Duration::from_millis(100));
        let wrong = self.print(&mut generator, &mut sink)?;
        self.conclude(sent, sink.total()?, &sink.delays()?);
        if let Running::Palisade(gateway) = &running {
            print!("{}", gateway.ask(&["status"])?);
            check_identities(&gateway.quiet_status()?).iter().for_each(|line| println!("{line}"));
        }
        if wrong > 0 && self.peer.fences() && self.policy.is_none() {
            return Err(Error::Usage(format!("{wrong} packets came through that should not have")));
        }
        Ok(())
    }

    fn fence(&self, countries: &[&str]) -> Result<Fence> {
        let port = self.to.first().map_or(0, SocketAddr::port);
        let mut fence = Fence::new(self.geo.clone(), countries, port)?;
        for to in &self.to {
            match to.ip() {
                IpAddr::V4(v4) => fence.address = v4,
                IpAddr::V6(v6) => fence.second = Some(v6),
            }
        }
        Ok(fence)
    }

    fn fresh(&self) -> Fresh {
        match (self.fresh, self.fresh_rate) {
            (Some(percent), _) => Fresh::Share(f64::from(percent) / 100.0),
            (None, Some(rate)) => Fresh::Rate(rate),
            (None, None) => Fresh::Never,
        }
    }

    fn plan(&self) -> Plan {
        let v4 = self.to.iter().find_map(|to| match to {
            SocketAddr::V4(v4) => Some(*v4.ip()),
            SocketAddr::V6(_) => None,
        });
        let v6 = self.to.iter().find_map(|to| match to {
            SocketAddr::V6(v6) => Some(*v6.ip()),
            SocketAddr::V4(_) => None,
        });
        // What routes by IPv4 alone is offered that alone.
        let v6: Option<Ipv6Addr> = v6.filter(|_| !self.peer.routes());
        Plan {
            flows: self.flows,
            shares: self.from.clone(),
            targets: (v4, v6),
            port: self.to.first().map_or(0, SocketAddr::port),
            kind: self.kind,
            seed: self.seed,
        }
    }

    /// One row a share and verdict; how many packets came through that should not have.
    fn print(&self, generator: &mut Generator<'_>, sink: &mut Sink) -> Result<u64> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["origin", "may", "offered", "arrived", "Mpps", "reordered", "gaps"]);
        let mut wrong = 0;
        for (place, share) in (0..).zip(&self.from.0) {
            for welcome in [true, false] {
                let class = class(place, welcome);
                let (offered, count) = (generator.offered(class)?, sink.class(class)?);
                if offered == 0 {
                    continue;
                }
                wrong += if welcome { 0 } else { count.packets };
                let may = match (self.policy.is_some(), welcome) {
                    (true, _) => "?",
                    (false, true) => "yes",
                    (false, false) => "no",
                };
                row(&mut table, [share.origin.to_string(), may.to_owned()], offered, count);
            }
        }
        println!("{table}");
        Ok(wrong)
    }

    fn conclude(&self, sent: Sent, total: Count, delays: &Delays) {
        println!(
            "offered {} frames of {} bytes at {:.3} Mpps, {} of them fresh flows; lost or dropped {}",
            sent.packets,
            self.size,
            sent.rate_pps() / 1e6,
            sent.fresh,
            sent.packets.saturating_sub(total.packets),
        );
        let at = |part| delays.quantile(part).map_or("-".to_owned(), |delay| format!("{delay:?}"));
        let from = if self.rate.is_some() { "when they were due" } else { "when they were sent" };
        println!("latency from {from}: p50 {}, p99 {}, p99.9 {}", at(0.5), at(0.99), at(0.999));
    }
}

fn row(table: &mut Table, names: [String; 2], offered: u64, count: Count) {
    let numbers = [
        offered.to_string(),
        count.packets.to_string(),
        format!("{:.3}", count.rate_pps() / 1e6),
        count.reordered.to_string(),
        count.gaps.to_string(),
    ];
    let names = names.map(Cell::new).into_iter();
    let numbers = numbers.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
    table.add_row(names.chain(numbers));
}

/// Puts the verdict that the fence owes each flow into its class.
fn mark(flows: &mut [Flow], fence: &Fence) {
    for flow in flows {
        flow.class = class(flow.class.0, fence.welcomes(flow.source));
    }
}

/// The class of a share's flows, by the verdict that they should get.
pub(crate) fn class(share: u8, welcome: bool) -> Class {
    Class(share * 2 + u8::from(!welcome))
}
