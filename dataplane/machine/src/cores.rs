//! Cores as sysfs shows them: which share a physical core, on which node, kept free for whom.
//!
//! Sources: `Documentation/admin-guide/cputopology.rst`, `Documentation/ABI/testing/sysfs-devices-system-cpu`.

use crate::Tree;

const CPU: &str = "/sys/devices/system/cpu";
const NODE: &str = "/sys/devices/system/node";
/// Cores of isolated cpuset partitions (Linux 6.7).
const PARTITIONS: &str = "/sys/fs/cgroup/cpuset.cpus.isolated";

/// A core, or a hardware thread of one: what the kernel calls a CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The kernel's number.
    pub id: usize,
    /// The socket.
    pub package: u32,
    /// The memory that is near.
    pub node: u32,
    /// All hardware threads of its physical core, itself among them.
    pub siblings: Vec<usize>,
    /// The scheduler puts nothing here unasked (`isolcpus=`, or an isolated cpuset).
    pub isolated: bool,
    /// No timer tick while one thread runs (`nohz_full=`).
    pub tickless: bool,
    /// What chooses its clock rate, where something does.
    pub governor: Option<String>,
}

/// The cores that are online, in ascending order; isolated ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Empty where sysfs can't be read.
    pub cores: Vec<Core>,
}

impl Topology {
    /// Reads the machine's cores.
    #[must_use]
    pub fn read(tree: &Tree) -> Self {
        let mut isolated = tree.list(&format!("{CPU}/isolated"));
        isolated.extend(tree.list(PARTITIONS));
        let tickless = tree.list(&format!("{CPU}/nohz_full"));
        let nodes = tree.list(&format!("{NODE}/online"));
        let homes: Vec<_> = nodes
            .iter()
            .map(|node| (*node, tree.list(&format!("{NODE}/node{node}/cpulist"))))
            .collect();
        let core = |id| {
            let home = format!("{CPU}/cpu{id}");
            let siblings = tree.list(&format!("{home}/topology/thread_siblings_list"));
            let node =
                homes.iter().find(|(_, cores)| cores.contains(&id)).map_or(0, |(node, _)| *node);
            Core {
                id,
                // -1 where the firmware does not say.
                package: tree.value(&format!("{home}/topology/physical_package_id")).unwrap_or(0),
                node: node as u32,
                siblings: if siblings.is_empty() { vec![id] } else { siblings },
                isolated: isolated.contains(&id),
                tickless: tickless.contains(&id),
                governor: tree.text(&format!("{home}/cpufreq/scaling_governor")),
            }
        };
        Self { cores: tree.list(&format!("{CPU}/online")).into_iter().map(core).collect() }
    }

    /// The core of this number, if it is online.
    #[must_use]
    pub fn core(&self, id: usize) -> Option<&Core> {
        self.cores.iter().find(|core| core.id == id)
    }

    /// The numbers of all cores.
    #[must_use]
    pub fn online(&self) -> Vec<usize> {
        self.cores.iter().map(|core| core.id).collect()
    }

    /// The nodes that have cores, in ascending order.
    #[must_use]
    pub fn nodes(&self) -> Vec<u32> {
        let mut nodes: Vec<_> = self.cores.iter().map(|core| core.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
