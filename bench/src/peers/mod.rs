//! What may stand between the two interfaces of the lab's gateway: Palisade, or what a user would run
//! instead.
//!
//! Each is started on the interfaces of a fresh lab, forwards until it is dropped, and leaves the
//! interfaces as it found them, so that several can take turns in one run.

mod bridge;
mod pages;
mod testpmd;

pub use bridge::Bridge;
pub use pages::HugePages;
pub use testpmd::Testpmd;

use crate::Result;
use crate::lab::{Gateway, Lab, Setup};

/// The kinds of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Peer {
    /// Palisade with a policy.
    Palisade,
    /// DPDK's testpmd over AF_XDP, no filter.
    Testpmd,
    /// The kernel's bridge, no filter.
    Bridge,
}

/// A peer that forwards, until dropped.
#[derive(Debug)]
pub enum Running<'lab> {
    /// Palisade.
    Palisade(Gateway),
    /// Testpmd.
    Testpmd(Testpmd),
    /// The kernel's bridge.
    Bridge(Bridge<'lab>),
}

impl Peer {
    /// Its name in tables and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Palisade => "palisade",
            Self::Testpmd => "testpmd, mac mode",
            Self::Bridge => "kernel bridge",
        }
    }

    /// Starts it; `setup` is Palisade's, whose first core is every peer's.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start<'lab>(self, lab: &'lab Lab, setup: &Setup) -> Result<Running<'lab>> {
        Ok(match self {
            Self::Palisade => Running::Palisade(Gateway::start(lab, setup)?),
            Self::Testpmd => {
                let core = setup.cores.first().copied().unwrap_or(0);
                Running::Testpmd(Testpmd::start(lab, core)?)
            }
            Self::Bridge => Running::Bridge(Bridge::start(lab)?),
        })
    }
}
