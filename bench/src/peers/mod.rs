//! What may stand between the two interfaces of the lab's gateway: Palisade, or what a user would run
//! instead.
//!
//! Each is started on the interfaces of a fresh lab, forwards until it is dropped, and leaves the
//! interfaces as it found them, so that several can take turns in one run.

mod bridge;
mod fence;
mod nft;
mod pages;
mod redirect;
mod router;
mod testpmd;

pub use bridge::Bridge;
pub use fence::Fence;
pub use nft::{Counted, Kind, Nft, ruleset};
pub use pages::HugePages;
pub use redirect::Redirect;
pub use router::Router;
pub use testpmd::Testpmd;

use std::collections::BTreeMap;

use crate::Result;
use crate::lab::{Gateway, Lab, Setup};

/// The kinds of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Peer {
    /// Palisade with a policy.
    Palisade,
    /// The same without leases: every packet through a worker.
    Workers,
    /// nftables in forward: conntrack and a set of intervals.
    NftSet,
    /// nftables in forward: conntrack, a map of all countries, a verdict map.
    NftMap,
    /// nftables in prerouting, raw, without conntrack: a set of intervals.
    NftRaw,
    /// nftables in forward: conntrack alone, anybody may open.
    Conntrack,
    /// DPDK's testpmd over AF_XDP, no filter.
    Testpmd,
    /// The kernel as a router, no filter.
    Router,
    /// An XDP program that redirects in the driver, no filter.
    Xdp,
    /// The kernel's bridge, no filter.
    Bridge,
}

/// A peer that forwards, until dropped.
#[derive(Debug)]
pub enum Running<'lab> {
    /// Palisade.
    Palisade(Gateway),
    /// nftables.
    Nft(Nft<'lab>),
    /// Testpmd.
    Testpmd(Testpmd),
    /// The kernel's router.
    Router(Router<'lab>),
    /// The XDP program.
    Xdp(Redirect),
    /// The kernel's bridge.
    Bridge(Bridge<'lab>),
}

/// What a peer says of the packets that came from outside, as far as it counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets taken from the interface and decided.
    pub judged: Option<u64>,
    /// Packets handed to the other interface.
    pub forwarded: Option<u64>,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Packets lost before it could take them: no room in its ring, no memory.
    pub missed: Option<u64>,
}

impl Peer {
    /// Its name in tables and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Palisade => "palisade",
            Self::Workers => "palisade without leases",
            Self::NftSet => "nftables forward + conntrack, interval set",
            Self::NftMap => "nftables forward + conntrack, map of all countries",
            Self::NftRaw => "nftables raw prerouting, interval set",
            Self::Conntrack => "nftables forward + conntrack, no set",
            Self::Testpmd => "testpmd, mac mode",
            Self::Router => "kernel router, no filter",
            Self::Xdp => "XDP redirect, no filter",
            Self::Bridge => "kernel bridge",
        }
    }

    /// Whether it judges sources.
    #[must_use]
    pub fn fences(self) -> bool {
        matches!(self, Self::Palisade | Self::Workers | Self::NftSet | Self::NftMap | Self::NftRaw)
    }

    /// Whether frames must be addressed to it to be forwarded.
    #[must_use]
    pub fn routes(self) -> bool {
        matches!(self, Self::NftSet | Self::NftMap | Self::NftRaw | Self::Conntrack | Self::Router)
    }

    /// Starts it; `setup` is Palisade's, whose first core is every peer's, and `fence` is for those
    /// that take no policy.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start<'lab>(
        self,
        lab: &'lab Lab,
        setup: &Setup,
        fence: &Fence,
    ) -> Result<Running<'lab>> {
        let core = setup.cores.first().copied().unwrap_or(0);
        let nft = |kind| Nft::start(lab, core, fence, kind).map(Running::Nft);
        Ok(match self {
            Self::Palisade => Running::Palisade(Gateway::start(lab, setup)?),
            Self::Workers => {
                let setup = Setup { leases: Some(0), ..setup.clone() };
                Running::Palisade(Gateway::start(lab, &setup)?)
            }
            Self::NftSet => nft(Kind::Set)?,
            Self::NftMap => nft(Kind::Map)?,
            Self::NftRaw => nft(Kind::Raw)?,
            Self::Conntrack => nft(Kind::Conntrack)?,
            Self::Testpmd => Running::Testpmd(Testpmd::start(lab, core)?),
            Self::Router => Running::Router(Router::start(lab, core, fence.address)?),
            Self::Xdp => Running::Xdp(Redirect::start(lab, core)?),
            Self::Bridge => Running::Bridge(Bridge::start(lab)?),
        })
    }
}

impl Running<'_> {
    /// What it counted so far, once no packet is under way.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn tally(&self) -> Result<Tally> {
        Ok(match self {
            Self::Palisade(gateway) => {
                let status = gateway.status()?;
                Tally {
                    judged: Some(status.received),
                    forwarded: Some(status.forwarded + status.passed),
                    dropped: status.dropped,
                    missed: status.interfaces.first().map(|outside| outside.kernel_dropped),
                }
            }
            Self::Nft(nft) => {
                let Counted { allowed, denied, untracked } = nft.counted()?;
                Tally {
                    judged: Some(allowed + denied),
                    forwarded: Some(allowed),
                    dropped: BTreeMap::from([("denied".to_owned(), denied)]),
                    missed: Some(untracked),
                }
            }
            Self::Router(router) => {
                Tally { forwarded: Some(router.forwarded()?), ..Tally::default() }
            }
            Self::Testpmd(_) | Self::Xdp(_) | Self::Bridge(_) => Tally::default(),
        })
    }
}
