//! Interrupts of the queues that workers serve: near the NIC, and off the workers' cores.
//!
//! A softirq runs where its interrupt came. On a core where a worker spins the two share: the NIC's ring
//! is emptied while the worker waits, and the worker judges while the ring fills.

use super::Case;
use crate::{
    Irq,
    facts::Link,
    finding::{Finding, Grade, Way, hand},
    list::ranges,
    setting::{Change, Setting},
};

pub(super) fn check(case: &Case<'_>, link: &Link) -> Vec<Finding> {
    let served = link.nic.queues.iter().take(case.plan.cores.len());
    let irqs: Vec<_> = served.filter_map(|queue| queue.irq.as_ref()).collect();
    if irqs.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![places(case, link, &irqs)];
    findings.extend(balance(case, link));
    findings
}

/// Where they may run: cores without a worker, those of the NIC's node before others.
fn homes(case: &Case<'_>, link: &Link) -> Vec<usize> {
    let spare = case.spare();
    let near = |core: &usize| {
        let home = case.facts.topology.core(*core).map(|core| core.node);
        link.nic.node.is_none_or(|node| home == Some(node))
    };
    let close: Vec<_> = spare.iter().copied().filter(near).collect();
    if close.is_empty() { spare } else { close }
}

fn places(case: &Case<'_>, link: &Link, irqs: &[&Irq]) -> Finding {
    let mut cores: Vec<_> = irqs.iter().flat_map(|irq| irq.effective.clone()).collect();
    cores.sort_unstable();
    cores.dedup();
    let homes = homes(case, link);
    let is = format!("on cores {}", ranges(&cores));
    let why = "the driver's work for a queue is done where its interrupt comes: on a core that a busy \
               worker spins on, each waits for the other";
    // On a machine with nothing to spare, and with workers that sleep, they share anyway.
    let fine = !case.plan.busy
        || homes.is_empty()
        || irqs.iter().all(|irq| irq.effective.iter().all(|core| homes.contains(core)));
    let should = if homes.is_empty() || !case.plan.busy {
        "anywhere".to_owned()
    } else {
        format!("on cores {}", ranges(&homes))
    };
    let ways = irqs.iter().zip(homes.iter().cycle()).map(|(irq, core)| {
        let setting = Setting::Irq { number: irq.number, name: irq.name.clone() };
        Way::Change(Change { setting, to: core.to_string() })
    });
    Finding::new("irqs", &link.name, is, should, why).unless(fine, Grade::Warning, ways)
}

/// Nobody moves them back.
fn balance(case: &Case<'_>, link: &Link) -> Option<Finding> {
    let runs = case.facts.daemons.iter().any(|name| name == "irqbalance");
    if !runs || !case.plan.busy {
        return None;
    }
    let why = "it moves interrupts every ten seconds, onto the workers' cores too";
    let mut cores = case.plan.cores.clone();
    cores.sort_unstable();
    let way = format!(
        "systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST={} in \
         /etc/default/irqbalance",
        ranges(&cores)
    );
    let finding = Finding::new("irqbalance", &link.name, "running", "not running", why);
    Some(finding.unless(false, Grade::Warning, [hand(way)]))
}
