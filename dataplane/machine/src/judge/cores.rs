//! The workers' cores: there, each a core of its own, near the NIC, left alone.

use super::Case;
use crate::{
    Core,
    finding::{Finding, Grade, Way, hand},
    list::ranges,
    setting::{Change, Setting},
};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = vec![online(case)];
    let cores: Vec<_> =
        case.plan.cores.iter().filter_map(|id| case.facts.topology.core(*id)).collect();
    if cores.is_empty() {
        return findings;
    }
    findings.push(rest(case));
    findings.push(siblings(case, &cores));
    findings.extend(isolation(case, &cores));
    findings.extend(nodes(case, &cores));
    findings.extend(clock_rate(&cores));
    findings
}

/// The numbers of cores, as a list.
fn names<'a>(cores: impl IntoIterator<Item = &'a Core>) -> String {
    let mut ids: Vec<_> = cores.into_iter().map(|core| core.id).collect();
    ids.sort_unstable();
    ranges(&ids)
}

fn online(case: &Case<'_>) -> Finding {
    let online = case.facts.topology.online();
    let absent: Vec<_> =
        case.plan.cores.iter().copied().filter(|core| !online.contains(core)).collect();
    let is = match absent.as_slice() {
        [] => format!("{} (online: {})", ranges_of(&case.plan.cores), ranges(&online)),
        absent => format!("{} not online", ranges_of(absent)),
    };
    let why = "each worker is pinned to a core of its own";
    let way = hand(format!("[workers] cores in gateway.toml: choose from {}", ranges(&online)));
    Finding::new("cores", "workers", is, "online", why).unless(
        absent.is_empty(),
        Grade::Fatal,
        [way],
    )
}

fn ranges_of(cores: &[usize]) -> String {
    let mut cores = cores.to_vec();
    cores.sort_unstable();
    ranges(&cores)
}

/// Something is left for the kernel and the other threads.
fn rest(case: &Case<'_>) -> Finding {
    let spare = case.spare();
    let is = if spare.is_empty() { "none".to_owned() } else { ranges(&spare) };
    let why = "the logger, the control socket and the kernel's own work run beside the workers; on a \
               core that a busy worker spins on, each waits for the other";
    let ways = [hand("[workers] in gateway.toml: fewer cores, or poll = \"adaptive\"")];
    Finding::new("cores-left", "workers", is, "one at least", why).unless(
        !spare.is_empty() || !case.plan.busy,
        Grade::Warning,
        ways,
    )
}

/// No two workers on one physical core.
fn siblings(case: &Case<'_>, cores: &[&Core]) -> Finding {
    let shared = cores.iter().filter(|core| {
        core.siblings.iter().any(|other| *other != core.id && case.plan.cores.contains(other))
    });
    let shared: Vec<_> = shared.copied().collect();
    let is = match shared.as_slice() {
        [] => "a physical core each".to_owned(),
        shared => format!("{} share physical cores", names(shared.iter().copied())),
    };
    let why = "two hardware threads of a core share its caches and units: two workers on them do \
               little more than one";
    let free = one_a_core(case);
    let way = match free.len() >= cores.len() {
        true => format!("[workers] cores = {:?} in gateway.toml", &free[..cores.len()]),
        false => "[workers] cores in gateway.toml: list one thread of each core".to_owned(),
    };
    Finding::new("siblings", "workers", is, "a physical core each", why).unless(
        shared.is_empty(),
        Grade::Warning,
        [hand(way)],
    )
}

/// One thread of each physical core, from the last to the first: the first has the most else to do.
fn one_a_core(case: &Case<'_>) -> Vec<usize> {
    let firsts = case.facts.topology.cores.iter().rev();
    firsts.filter(|core| core.siblings.first() == Some(&core.id)).map(|core| core.id).collect()
}

/// A busy worker's core belongs to it alone.
fn isolation(case: &Case<'_>, cores: &[&Core]) -> Option<Finding> {
    // A machine with nothing to spare cannot keep cores free.
    if !case.plan.busy || case.spare().is_empty() {
        return None;
    }
    let open: Vec<_> = cores.iter().filter(|core| !core.isolated).copied().collect();
    let ticking: Vec<_> = cores.iter().filter(|core| !core.tickless).copied().collect();
    let is = match (open.as_slice(), ticking.as_slice()) {
        ([], []) => "isolated, without a tick".to_owned(),
        ([], ticking) => format!("isolated; with a timer tick: {}", names(ticking.iter().copied())),
        (open, _) => format!("open to other threads: {}", names(open.iter().copied())),
    };
    let why = "a thread that the scheduler puts on a worker's core stops it for milliseconds, and the \
               NIC's rings hold fewer";
    let list = ranges_of(&case.plan.cores);
    let way = format!(
        "GRUB_CMDLINE_LINUX=\"isolcpus=domain,managed_irq,{list} nohz_full={list} rcu_nocbs={list}\" \
         in /etc/default/grub, then update-grub and restart"
    );
    let finding = Finding::new("isolation", "workers", is, "isolated, without a tick", why);
    Some(finding.unless(open.is_empty() && ticking.is_empty(), Grade::Advice, [hand(way)]))
}

/// Workers on the node that the NICs are plugged into.
fn nodes(case: &Case<'_>, cores: &[&Core]) -> Option<Finding> {
    if case.facts.topology.nodes().len() < 2 {
        return None;
    }
    let homes: Vec<_> =
        case.links().filter_map(|link| Some((link.name.as_str(), link.nic.node?))).collect();
    let (_, home) = homes.first()?;
    let far: Vec<_> = cores
        .iter()
        .filter(|core| homes.iter().any(|(_, node)| *node != core.node))
        .copied()
        .collect();
    let plugs: Vec<_> = homes.iter().map(|(name, node)| format!("{name} on node {node}")).collect();
    let is = match far.as_slice() {
        [] => format!("{}, workers too", plugs.join(", ")),
        far => format!("{}; cores {} are elsewhere", plugs.join(", "), names(far.iter().copied())),
    };
    let why =
        "every frame that crosses between sockets costs bandwidth and some hundred nanoseconds";
    let near = case.facts.topology.cores.iter().filter(|core| core.node == *home);
    let way = if homes.iter().all(|(_, node)| node == home) {
        format!("[workers] cores in gateway.toml: choose from {}", names(near))
    } else {
        "plug both NICs into slots of one socket".to_owned()
    };
    let finding = Finding::new("nodes", "workers", is, "NICs and workers on one node", why);
    Some(finding.unless(far.is_empty(), Grade::Warning, [hand(way)]))
}

fn clock_rate(cores: &[&Core]) -> Option<Finding> {
    let governed: Vec<_> =
        cores.iter().filter_map(|core| Some((core.id, core.governor.as_deref()?))).collect();
    let (_, first) = governed.first()?;
    let slow = governed.iter().filter(|(_, governor)| *governor != "performance");
    let slow: Vec<_> = slow.collect();
    let is = slow.first().map_or(*first, |(_, governor)| *governor);
    let why = "a core that saves power needs some ten microseconds or more to be at its full rate";
    let change = |(core, _): &&(usize, &str)| {
        let path = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        Way::Change(Change { setting: Setting::File { path }, to: "performance".to_owned() })
    };
    let finding = Finding::new("clock-rate", "workers", is, "performance", why);
    Some(finding.unless(slow.is_empty(), Grade::Advice, slow.iter().map(change)))
}
