//! What is: facts about the machine, without any judgement.
//!
//! Everything that a check looks at stands in [`Facts`], so that whole machines can be written down as
//! data. What the machine does not say is `None` or empty.

mod daemons;
mod kernel;
mod link;
mod memory;
mod rss;

use af_xdp_rs::Mode;

pub use kernel::Kernel;
pub use link::{Link, Program, serves};
pub use memory::{Memory, Pool};
pub use rss::Rss;

use crate::{Topology, Tree};

/// What `gateway.toml` asks of the machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The two interfaces, outside first.
    pub interfaces: [String; 2],
    /// The workers' cores.
    pub cores: Vec<usize>,
    /// How packets are to move.
    pub mode: Mode,
    /// Whether workers never sleep.
    pub busy: bool,
    /// UMEM frames of a worker.
    pub frames: u32,
    /// Flow entries of a worker.
    pub flows: usize,
    /// Leases of a worker and direction.
    pub leases: u32,
    /// Whether packets are bridged when no worker serves.
    pub fail_open: bool,
}

/// A machine.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The kernel and this process's rights.
    pub kernel: Kernel,
    /// The cores.
    pub topology: Topology,
    /// Memory and huge pages.
    pub memory: Memory,
    /// The two interfaces, outside first; none where there is no such interface.
    pub links: [Option<Link>; 2],
    /// Daemons that move interrupts (`irqbalance`) or set the clock (`chronyd`), by their names.
    pub daemons: Vec<String>,
    /// The policy and its databases, as the gateway would load them.
    pub policy: Policy,
    /// Whether a gateway answers at the configured control socket.
    pub running: bool,
}

/// What loading the policy said.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Its path.
    pub path: String,
    /// The first mistake, if there is one.
    pub mistake: Option<String>,
    /// What it warns of, with what to do about it.
    pub warnings: Vec<(String, String)>,
    /// Where countries and operators come from, and how old that is.
    pub database: String,
    /// What is wrong with the age of each that is too old, and what to do about it.
    pub old: Vec<(String, String)>,
}

impl Facts {
    /// Reads the machine. The policy and the running gateway are the caller's to add.
    #[must_use]
    pub fn read(tree: &Tree, plan: &Plan) -> Self {
        Self {
            kernel: Kernel::read(tree),
            topology: Topology::read(tree),
            memory: Memory::read(tree),
            links: [0, 1].map(|side| Link::read(tree, &plan.interfaces[side])),
            daemons: daemons::running(tree),
            policy: Policy::default(),
            running: false,
        }
    }
}
