//! Memory: enough of it, and packet memory on huge pages.

use super::Case;
use crate::{
    Setting,
    finding::{Finding, Grade, hand},
    frame,
    setting::Change,
};

/// A flow's entry and tag (66), and its share of what all workers share (36): docs/gateway.md.
const FLOW_BYTES: u64 = 102;
/// A lease of each direction, with what the worker knows of it (81 each).
const LEASE_BYTES: u64 = 162;
/// A whole world's table with autonomous systems, compiled beside the one in force: README.md.
const RULESET_BYTES: u64 = 2 * 120 * 1_000_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = enough(case).into_iter().collect();
    findings.extend(huge(case));
    findings.extend(transparent(case));
    findings
}

/// The packet memory of one worker.
fn umem_bytes(case: &Case<'_>) -> u64 {
    let mtus = case.links().map(|link| link.mtu_bytes);
    u64::from(case.plan.frames) * u64::from(frame::bytes_for(mtus))
}

fn enough(case: &Case<'_>) -> Option<Finding> {
    // A running gateway has it already.
    if case.facts.running {
        return None;
    }
    let workers = u64::from(case.workers());
    let flows = case.plan.flows as u64 * FLOW_BYTES + u64::from(case.plan.leases) * LEASE_BYTES;
    let needed = workers * (umem_bytes(case) + flows) + RULESET_BYTES;
    let free: u64 = case.facts.memory.pools.iter().map(|pool| pool.free).sum();
    let have = case.facts.memory.available_bytes + free * case.facts.memory.huge_bytes;
    let why = "frames and flow tables have their size from the start; a ruleset is compiled beside the \
               one in force";
    let (is, should) = (format!("{} MB available", mb(have)), format!("{} MB", mb(needed)));
    let way = hand("[workers] in gateway.toml: fewer flows or frames, or add memory");
    let finding = Finding::new("memory", "machine", is, should, why);
    Some(finding.unless(have >= needed, Grade::Warning, [way]))
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// Enough free huge pages on each worker's node.
fn huge(case: &Case<'_>) -> Vec<Finding> {
    let memory = &case.facts.memory;
    if memory.huge_bytes == 0 {
        return Vec::new();
    }
    let pages = umem_bytes(case).div_ceil(memory.huge_bytes);
    let several = memory.pools.len() > 1;
    let pool = |pool: &crate::facts::Pool| {
        let here = |core: &&usize| {
            !several || case.facts.topology.core(**core).is_some_and(|core| core.node == pool.node)
        };
        let needed = pages * case.plan.cores.iter().filter(here).count() as u64;
        if needed == 0 {
            return None;
        }
        // A running gateway's are in use.
        let have = if case.facts.running { pool.total } else { pool.free };
        let of = if several { format!("node {}", pool.node) } else { "machine".to_owned() };
        let is = format!("{have} of {} free", pool.total);
        let is = if case.facts.running { format!("{have}") } else { is };
        let why = "with packet memory on huge pages, frames are found without walking page tables";
        let to = (pool.total + needed.saturating_sub(have)).to_string();
        let way = Change { setting: Setting::File { path: pool.path.clone() }, to }.into();
        let finding = Finding::new("huge-pages", of, is, format!("{needed} for frames"), why);
        Some(finding.unless(have >= needed, Grade::Advice, [way]))
    };
    memory.pools.iter().filter_map(pool).collect()
}

/// Long tables on huge pages: the gateway asks for them itself.
fn transparent(case: &Case<'_>) -> Option<Finding> {
    let word = case.facts.memory.transparent.as_deref()?;
    let why = "long tables are read at random, and on small pages each read misses the TLB";
    // Read back in brackets among the other words, so it is not --fix's to change.
    let way = hand("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    let finding = Finding::new("large-tables", "machine", word, "madvise or always", why);
    Some(finding.unless(word != "never", Grade::Advice, [way]))
}
