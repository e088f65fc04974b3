//! The proposal: the machine's word on cores, and what the operator said otherwise.

use engine::{Poll, Roster};
use machine::{Nic, Topology, Tree, place};

use super::Ground;
use crate::cli::Tune;

/// Packets of a burst, as far as nothing was measured: the most, which costs a packet least.
const BURST: u8 = 64;

/// What is proposed, and why.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) roster: Roster,
    /// Queues that both interfaces have.
    pub(super) queues: u32,
    pub(super) reasons: Vec<String>,
    /// What the operator does beside it.
    pub(super) commands: Vec<String>,
}

impl Proposal {
    /// From this machine.
    pub(super) fn new(args: &Tune, ground: &Ground) -> Self {
        let tree = Tree::host();
        let nics = [0, 1].map(|side| Nic::read(&tree, &ground.interfaces[side]));
        Self::of(args, ground, &Topology::read(&tree), &nics)
    }

    /// What the measurements say.
    pub(super) fn settle(&mut self, roster: Roster, seconds: u64) {
        self.roster = roster;
        self.reasons.push(format!(
            "measured under the traffic of now, {seconds} s each: loss first, then what a packet costs, \
             then what the cores cost"
        ));
    }

    fn of(args: &Tune, ground: &Ground, topology: &Topology, nics: &[Nic; 2]) -> Self {
        let [outside, inside] = nics;
        let seen = outside.queues.len().min(inside.queues.len()) as u32;
        // Sysfs may show another network namespace than the gateway's.
        let queues = ground.queues.unwrap_or(seen).max(1);
        let placement = place(topology, [outside, inside], queues as usize);
        let mut reasons = placement.reasons;
        let mut cores = placement.cores;
        if cores.len() < ground.now.cores.len() {
            let workers = ground.now.cores.len();
            reasons.push(format!(
                "the {workers} workers stay where they are: one less would leave its queue to the fail \
                 mode. First give the interfaces fewer queues"
            ));
            cores.clone_from(&ground.now.cores);
        }
        let (poll, why) = match (placement.alone, topology.cores.len()) {
            (true, _) => (Poll::Busy, "busy: the cores are the workers' alone, so they may spin"),
            (false, 1) => (Poll::Interrupt, "interrupt: there is one core for everything"),
            (false, _) => (
                Poll::Adaptive,
                "adaptive: other programs need the cores too; it spins under load and sleeps without",
            ),
        };
        reasons.push(why.to_owned());
        reasons.push(format!("bursts of {BURST}: what a burst costs is spread over most packets"));
        let roster = Roster {
            cores: args.cores.clone().unwrap_or(cores),
            poll: args.poll.unwrap_or(poll),
            burst: args.burst.unwrap_or(BURST),
        };
        if args.cores.is_some() || args.poll.is_some() || args.burst.is_some() {
            reasons.push("what you named is as you named it".to_owned());
        }
        let commands = commands(ground, queues, roster.cores.len() as u32);
        Self { roster, queues, reasons, commands }
    }
}

/// What brings queues and workers together where they differ.
fn commands(ground: &Ground, queues: u32, workers: u32) -> Vec<String> {
    if queues == workers {
        return Vec::new();
    }
    let each = ground.interfaces.iter();
    let combined = each.clone().map(|name| format!("ethtool -L {name} combined {workers}"));
    let equal = each.map(|name| format!("ethtool -X {name} equal {workers}"));
    if queues < workers { combined.collect() } else { equal.chain(combined).collect() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use machine::{Core, Queue};

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(words: &[&str]) -> Box<Tune> {
        let line = ["palisade", "tune"].iter().chain(words);
        match Cli::parse_from(line).command {
            Command::Tune(args) => Box::new(args),
            other => panic!("{other:?}"),
        }
    }

    fn machine(cores: usize, isolated: usize) -> Topology {
        let core = |id| Core {
            id,
            package: 0,
            node: 0,
            siblings: vec![id],
            isolated: id >= isolated,
            tickless: false,
            governor: None,
        };
        Topology { cores: (0..cores).map(core).collect() }
    }

    fn nics(queues: u32) -> [Nic; 2] {
        ["eth0", "eth1"].map(|name| Nic {
            name: name.to_owned(),
            queues: (0..queues).map(|number| Queue { number, irq: None }).collect(),
            ..Nic::default()
        })
    }

    fn ground(cores: &[usize]) -> Ground {
        Ground {
            now: Roster { cores: cores.to_vec(), poll: Poll::Busy, burst: 64 },
            interfaces: ["eth0".to_owned(), "eth1".to_owned()],
            queues: None,
            file: None,
            running: true,
        }
    }

    #[test]
    fn a_worker_for_each_queue_as_far_as_there_are_cores() {
        let of = |cores, isolated, queues, words: &[&str]| {
            Proposal::of(&args(words), &ground(&[1]), &machine(cores, isolated), &nics(queues))
        };
        let plain = of(8, 8, 4, &[]);
        assert_eq!(plain.roster.cores, [1, 2, 3, 4]);
        assert_eq!(plain.roster.poll, Poll::Adaptive);
        assert!(plain.commands.is_empty());
        let isolated = of(8, 6, 4, &[]);
        assert_eq!((isolated.roster.cores, isolated.roster.poll), (vec![6, 7], Poll::Busy));
        assert_eq!(isolated.commands.len(), 4, "{:?}", isolated.commands);
        assert_eq!(isolated.commands[0], "ethtool -X eth0 equal 2");
        let own = of(8, 8, 4, &["--cores", "5,6", "--poll", "interrupt", "--burst", "8"]);
        assert_eq!(own.roster, Roster { cores: vec![5, 6], poll: Poll::Interrupt, burst: 8 });
        assert_eq!(of(1, 1, 1, &[]).roster.poll, Poll::Interrupt);
    }

    #[test]
    fn no_worker_is_taken_from_its_queue_unasked() {
        let now = ground(&[1, 2, 3]);
        let proposal = Proposal::of(&args(&[]), &now, &machine(3, 3), &nics(3));
        assert_eq!(proposal.roster.cores, [1, 2, 3]);
        let asked = Proposal::of(&args(&["--cores", "1"]), &now, &machine(3, 3), &nics(3));
        assert_eq!(asked.roster.cores, [1]);
    }
}
