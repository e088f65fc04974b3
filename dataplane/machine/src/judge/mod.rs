//! What should be: facts in, findings out. Pure: it reads nothing and changes nothing.
//!
//! What makes `palisade run` refuse to start is fatal here, by the rules that it goes by itself
//! ([`crate::frame`], [`crate::capabilities`]). docs/doctor.md lists every check with its reason.

mod cores;
mod frames;
mod interrupts;
mod links;
mod memory;
mod queues;
mod rules;
mod system;

pub use frames::STRIPPING;

use crate::{
    facts::{Facts, Link, Plan},
    finding::Finding,
};

/// What all checks look at.
struct Case<'a> {
    facts: &'a Facts,
    plan: &'a Plan,
}

impl Case<'_> {
    /// The interfaces that are there.
    fn links(&self) -> impl Iterator<Item = &Link> {
        self.facts.links.iter().flatten()
    }

    fn workers(&self) -> u32 {
        self.plan.cores.len() as u32
    }

    /// Cores that no worker has.
    fn spare(&self) -> Vec<usize> {
        let online = self.facts.topology.online();
        online.into_iter().filter(|core| !self.plan.cores.contains(core)).collect()
    }
}

/// The names of all checks, as docs/doctor.md has them.
pub const CHECKS: [&str; 43] = [
    "kernel",
    "af-xdp",
    "capabilities",
    "jit",
    "tools",
    "busy-poll",
    "clock",
    "time",
    "policy",
    "database",
    "fail-mode",
    "leases",
    "cores",
    "cores-left",
    "siblings",
    "isolation",
    "nodes",
    "clock-rate",
    "memory",
    "huge-pages",
    "large-tables",
    "interface",
    "interfaces",
    "up",
    "cable",
    "xdp-program",
    "used-by",
    "own-ipv6",
    "promiscuous",
    "mtu",
    "queues",
    "spread",
    "symmetry",
    "mode",
    "vlan-tags",
    "lro",
    "gro-hw",
    "gro",
    "rx-ring",
    "deferral",
    "napi-threads",
    "irqs",
    "irqbalance",
];

/// Every check, on everything that it is about.
#[must_use]
pub fn judge(facts: &Facts, plan: &Plan) -> Vec<Finding> {
    let case = Case { facts, plan };
    let mut findings = system::check(&case);
    findings.extend(rules::check(&case));
    findings.extend(cores::check(&case));
    findings.extend(memory::check(&case));
    findings.extend(links::check(&case));
    for link in case.links() {
        findings.extend(queues::check(&case, link));
        findings.extend(frames::check(&case, link));
        findings.extend(interrupts::check(&case, link));
    }
    findings.extend(queues::symmetry(&case));
    findings
}
