//! Which cores workers should have, by the machine alone.
//!
//! ```text
//!  online cores --near the NIC--> --isolated, or all but the first--> --one a physical core--> cores
//!                                                    one for each queue that both interfaces have
//! ```
//! - Frames lie in the memory of the node that the NIC is plugged into: a core of another node pays for
//!   each of them.
//! - Isolated cores were set aside for such work. Where there are none, the first core is left to the
//!   system, which keeps most of its interrupts and timers there.
//! - Two hardware threads of one core share its caches and its units: a second worker there gains little
//!   and makes the first one slower.

use crate::{Core, Nic, Topology, ranges};

/// A choice of cores, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The worker of queue `i` on `cores[i]`.
    pub cores: Vec<usize>,
    /// The scheduler puts nothing else on them: a worker may spin there.
    pub alone: bool,
    /// One sentence for each rule that chose.
    pub reasons: Vec<String>,
}

/// Chooses cores for `queues` queues of two interfaces, outside first.
#[must_use]
pub fn place(topology: &Topology, nics: [&Nic; 2], queues: usize) -> Placement {
    let mut reasons = Vec::new();
    let near = near(topology, nics, &mut reasons);
    let (pool, alone) = free(topology, &near, &mut reasons);
    let mut cores = Vec::new();
    let mut shared = 0;
    for core in pool {
        if core.siblings.iter().any(|sibling| cores.contains(sibling)) {
            shared += 1;
        } else if cores.len() < queues {
            cores.push(core.id);
        }
    }
    if shared > 0 {
        reasons.push("one worker a physical core: hardware threads share its caches".to_owned());
    }
    if cores.len() < queues {
        reasons.push(format!(
            "{queues} queues, but only {} such core(s): give the interfaces no more queues than workers",
            cores.len()
        ));
    }
    Placement { cores, alone, reasons }
}

/// The cores of the NICs' node, where the machine has several.
fn near<'a>(topology: &'a Topology, nics: [&Nic; 2], reasons: &mut Vec<String>) -> Vec<&'a Core> {
    let all: Vec<_> = topology.cores.iter().collect();
    if topology.nodes().len() < 2 {
        return all;
    }
    let [outside, inside] = nics.map(|nic| nic.node);
    let Some(node) = outside.or(inside) else { return all };
    let near: Vec<_> = all.iter().filter(|core| core.node == node).copied().collect();
    if near.is_empty() {
        return all;
    }
    let name = if outside.is_some() { &nics[0].name } else { &nics[1].name };
    reasons.push(format!("{name} is plugged into node {node}: its memory is near these cores"));
    if let (Some(outside), Some(inside)) = (outside, inside)
        && outside != inside
    {
        reasons.push(format!(
            "{} is plugged into node {inside}: its frames cross between nodes, whatever core is chosen",
            nics[1].name
        ));
    }
    near
}

/// Isolated cores, or all but the system's; whether nothing else runs there.
fn free<'a>(
    topology: &Topology,
    near: &[&'a Core],
    reasons: &mut Vec<String>,
) -> (Vec<&'a Core>, bool) {
    let isolated: Vec<_> = near.iter().filter(|core| core.isolated).copied().collect();
    if !isolated.is_empty() {
        let ids: Vec<_> = isolated.iter().map(|core| core.id).collect();
        reasons.push(format!("cores {} are isolated: nothing else runs there", ranges(&ids)));
        return (isolated, true);
    }
    let first = topology.cores.first();
    let system = first.map(|core| core.siblings.clone()).unwrap_or_default();
    let rest: Vec<_> = near.iter().filter(|core| !system.contains(&core.id)).copied().collect();
    if rest.is_empty() {
        reasons
            .push("there is no other core: the worker shares it with everything else".to_owned());
        return (near.to_vec(), false);
    }
    reasons.push(format!(
        "core {} is left to the system; no core is isolated (isolcpus=, or an isolated cpuset), so \
         other programs may run on the workers' too",
        ranges(&system)
    ));
    (rest, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(count: usize, of: impl Fn(usize) -> Core) -> Topology {
        Topology { cores: (0..count).map(of).collect() }
    }

    fn core(id: usize) -> Core {
        let siblings = vec![id];
        Core { id, package: 0, node: 0, siblings, isolated: false, tickless: false, governor: None }
    }

    fn nic(name: &str, node: Option<u32>) -> Nic {
        Nic { name: name.to_owned(), node, ..Nic::default() }
    }

    fn cores(topology: &Topology, nodes: [Option<u32>; 2], queues: usize) -> (Vec<usize>, bool) {
        let [outside, inside] = [nic("eth0", nodes[0]), nic("eth1", nodes[1])];
        let placement = place(topology, [&outside, &inside], queues);
        assert!(!placement.reasons.is_empty());
        (placement.cores, placement.alone)
    }

    #[test]
    fn the_first_core_is_the_systems_unless_there_is_no_other() {
        assert_eq!(cores(&topology(4, core), [None; 2], 2), (vec![1, 2], false));
        assert_eq!(cores(&topology(4, core), [None; 2], 8), (vec![1, 2, 3], false));
        assert_eq!(cores(&topology(1, core), [None; 2], 4), (vec![0], false));
    }

    #[test]
    fn one_worker_a_physical_core() {
        // Threads of a core are numbered n and n + 4, as on most servers.
        let twins = topology(8, |id| Core { siblings: vec![id % 4, id % 4 + 4], ..core(id) });
        assert_eq!(cores(&twins, [None; 2], 8), (vec![1, 2, 3], false));
        // Or next to each other.
        let pairs = topology(8, |id| Core { siblings: vec![id & !1, id | 1], ..core(id) });
        assert_eq!(cores(&pairs, [None; 2], 8), (vec![2, 4, 6], false));
    }

    #[test]
    fn isolated_cores_come_first() {
        let isolated = topology(8, |id| Core { isolated: id >= 5, ..core(id) });
        assert_eq!(cores(&isolated, [None; 2], 2), (vec![5, 6], true));
        assert_eq!(cores(&isolated, [None; 2], 8), (vec![5, 6, 7], true));
    }

    #[test]
    fn cores_near_the_nic() {
        let nodes = topology(8, |id| Core { node: (id / 4) as u32, ..core(id) });
        assert_eq!(cores(&nodes, [Some(1), Some(1)], 2), (vec![4, 5], false));
        assert_eq!(cores(&nodes, [Some(0), Some(1)], 2), (vec![1, 2], false));
        assert_eq!(cores(&nodes, [None, Some(1)], 2), (vec![4, 5], false));
        assert_eq!(cores(&nodes, [None, None], 2), (vec![1, 2], false));
        let isolated =
            topology(8, |id| Core { node: (id / 4) as u32, isolated: id == 3, ..core(id) });
        assert_eq!(cores(&isolated, [Some(0), Some(0)], 2), (vec![3], true));
    }
}
