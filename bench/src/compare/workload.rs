//! What is offered, to whom, and what must come of it.

use crate::Result;
use crate::load::{Flow, Fresh, Kind, Plan, Shares};
use crate::peers::{Fence, Peer};
use crate::pktgen::class;
use crate::record::Better;

/// Sources of the floods: each goes through many ports, so no two frames are of one flow.
const SOURCES: usize = 1 << 18;

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Workload {
    /// 64 flows that may pass.
    Forward,
    /// 100,000 flows that may pass.
    ForwardMany,
    /// The 64 flows at half of testpmd's best rate: how long a frame takes.
    Latency,
    /// The highest rates without loss (NDR) and with 0.5 % (PDR), and the latency below.
    Search,
    /// Every frame opens a flow that may pass.
    Open,
    /// Every frame is from another random source of the whole internet.
    Flood,
}

/// A figure that a workload gives of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// What it is.
    pub what: &'static str,
    /// A rate, in millions of packets a second; else a time in microseconds.
    pub rate: bool,
}

const fn rate(what: &'static str) -> Figure {
    Figure { what, rate: true }
}

const fn time(what: &'static str) -> Figure {
    Figure { what, rate: false }
}

impl Figure {
    /// Frames a second at the sink.
    pub const FORWARD: Self = rate("forward, 64 flows");
    /// Frames a second at the sink.
    pub const FORWARD_MANY: Self = rate("forward, 100,000 flows");
    /// Flows a second at the sink.
    pub const OPEN: Self = rate("new allowed flows");
    /// Frames judged a second, by those that reach the sink.
    pub const FLOOD: Self = rate("flood of random sources, judged");
    /// At half of testpmd's best rate.
    pub const P50: Self = time("latency p50 at half of testpmd's best rate");
    /// At half of testpmd's best rate.
    pub const P999: Self = time("latency p99.9 at half of testpmd's best rate");
    /// Highest rate without loss.
    pub const NDR: Self = rate("highest rate without loss (NDR), 64 flows");
    /// Highest rate with 0.5 % of loss.
    pub const PDR: Self = rate("highest rate with 0.5 % of loss (PDR), 64 flows");
    /// Below its own NDR: per cent, p50 and p99.9.
    pub const BELOW: [(u64, Self, Self); 3] = [
        (10, time("latency p50 at 10 % of its NDR"), time("latency p99.9 at 10 % of its NDR")),
        (50, time("latency p50 at 50 % of its NDR"), time("latency p99.9 at 50 % of its NDR")),
        (90, time("latency p50 at 90 % of its NDR"), time("latency p99.9 at 90 % of its NDR")),
    ];

    /// Its unit, and which way that counts.
    #[must_use]
    pub fn unit(self) -> (&'static str, Better) {
        if self.rate { ("Mpps", Better::More) } else { ("us", Better::Less) }
    }

    /// How many times better Palisade must be than a peer, and should be.
    #[must_use]
    pub fn asked(self, peer: Peer) -> Option<(f64, f64)> {
        Some(match (self, peer) {
            (Self::FLOOD, Peer::NftSet) => (5.0, 8.0),
            (Self::FLOOD, Peer::NftRaw) => (2.5, 4.0),
            (Self::OPEN, Peer::NftSet) => (3.0, 6.0),
            (Self::FORWARD | Self::FORWARD_MANY, Peer::NftSet) => (1.6, 2.0),
            (Self::FORWARD, Peer::Testpmd) => (0.95, 1.05),
            // At most the peer's time; eight tenths of it.
            (Self::P50 | Self::P999, Peer::Testpmd) => (1.0, 1.25),
            _ => return None,
        })
    }
}

impl Workload {
    /// All, in the order of a turn: what fills the peer's table of flows comes last.
    pub const ALL: [Self; 6] =
        [Self::Forward, Self::ForwardMany, Self::Latency, Self::Search, Self::Open, Self::Flood];

    /// Who is measured with it.
    #[must_use]
    pub fn peers(self) -> &'static [Peer] {
        use Peer::{Conntrack, NftMap, NftRaw, NftSet, Palisade, Router, Testpmd, Workers, Xdp};
        match self {
            Self::Forward => {
                &[Palisade, Workers, NftSet, NftMap, NftRaw, Conntrack, Testpmd, Router, Xdp]
            }
            Self::ForwardMany => &[Palisade, Workers, NftSet, NftRaw],
            Self::Latency => &[Palisade, Workers, Testpmd],
            Self::Search => &[Palisade, NftSet, Testpmd],
            Self::Open => &[Palisade, Workers, NftSet, Conntrack],
            Self::Flood => &[Palisade, Workers, NftSet, NftMap, NftRaw],
        }
    }

    /// Its flows, each in the class of the verdict that the fence owes it.
    ///
    /// # Errors
    /// When the database has no address to draw.
    pub fn flows(self, fence: &Fence) -> Result<Vec<Flow>> {
        let (flows, shares) = match self {
            Self::Forward | Self::Latency | Self::Search => (64, "allowed:1"),
            Self::ForwardMany => (100_000, "allowed:1"),
            Self::Open => (SOURCES, "allowed:1"),
            Self::Flood => (SOURCES, "anywhere:1"),
        };
        draw(fence, flows, shares.parse()?)
    }

    /// Which of its frames open a flow.
    #[must_use]
    pub fn fresh(self) -> Fresh {
        match self {
            Self::Open | Self::Flood => Fresh::Share(1.0),
            _ => Fresh::Never,
        }
    }
}

/// Flows to the service, each in the class of the verdict that the fence owes it.
///
/// # Errors
/// When the database has no address to draw.
pub fn draw(fence: &Fence, flows: usize, shares: Shares) -> Result<Vec<Flow>> {
    let plan = Plan {
        flows,
        shares,
        targets: (Some(fence.address), None),
        port: fence.port,
        kind: Kind::Udp,
        seed: 7,
    };
    let mut flows = plan.draw_at(&fence.geo.keys(), &fence.countries)?;
    // One class a verdict, whatever share a flow is of.
    for flow in &mut flows {
        flow.class = class(0, fence.welcomes(flow.source));
    }
    Ok(flows)
}
