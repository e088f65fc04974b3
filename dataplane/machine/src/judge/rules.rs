//! The policy, its databases, and what happens when nobody judges.

use af_xdp_rs::Takes;

use super::Case;
use crate::{
    facts::Link,
    finding::{Finding, Grade, hand},
};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = vec![policy(case)];
    let policy = &case.facts.policy;
    for (message, help) in &policy.warnings {
        let why = "the policy holds, but says something that is seldom meant";
        let finding = Finding::new("policy", &policy.path, message, "nothing to warn of", why);
        findings.push(finding.unless(false, Grade::Advice, [hand(help)]));
    }
    if policy.mistake.is_none() {
        findings.extend(databases(case));
    }
    findings.push(fail(case));
    findings.extend(leases(case));
    findings
}

fn policy(case: &Case<'_>) -> Finding {
    let policy = &case.facts.policy;
    let is = policy.mistake.clone().unwrap_or_else(|| "valid".to_owned());
    let why = "a gateway starts with a valid policy only";
    let way = hand(format!("palisade check {}   # every mistake, with its line", policy.path));
    Finding::new("policy", &policy.path, is, "valid", why).unless(
        policy.mistake.is_none(),
        Grade::Fatal,
        [way],
    )
}

/// One finding when all are young, else one for each that is not.
fn databases(case: &Case<'_>) -> Vec<Finding> {
    let policy = &case.facts.policy;
    let why = "networks move between countries: an old database judges some addresses wrongly";
    let finding =
        |is: &String| Finding::new("database", &policy.path, is, "younger than max_age_days", why);
    if policy.old.is_empty() {
        return vec![finding(&policy.database)];
    }
    let old = policy.old.iter();
    old.map(|(is, way)| finding(is).unless(false, Grade::Warning, [hand(way)])).collect()
}

/// The fail mode, and whether it can do what it says.
fn fail(case: &Case<'_>) -> Finding {
    if !case.plan.fail_open {
        let why = "when no worker serves a queue, its packets are dropped; \"open\" would bridge them \
                   unjudged";
        return Finding::new(
            "fail-mode",
            "gateway.toml",
            "closed",
            "closed, or open on purpose",
            why,
        );
    }
    let deaf = deaf(case);
    let why = "when no worker serves a queue, its packets are bridged, and nobody judges them; \
               \"closed\" would drop them";
    if deaf.is_empty() {
        let finding =
            Finding::new("fail-mode", "gateway.toml", "open", "closed, or open on purpose", why);
        let way = hand("[fail] mode = \"closed\" in gateway.toml, unless it is meant so");
        return finding.unless(false, Grade::Advice, [way]);
    }
    let is = format!("open, but {} takes no frames from the other side", deaf.join(" and "));
    let way = format!("{TRANSMITS}, or [fail] mode = \"closed\"");
    Finding::new("fail-mode", "gateway.toml", is, "frames can pass", why).unless(
        false,
        Grade::Warning,
        [hand(way)],
    )
}

/// The way out where an interface takes none.
const TRANSMITS: &str =
    "use a driver that transmits redirected frames (a veth does when its peer has gro on)";

/// Interfaces that take no redirected frames.
fn deaf<'a>(case: &'a Case<'_>) -> Vec<&'a str> {
    let deaf = case.links().filter(|link| link.xdp.is_some_and(|xdp| !xdp.transmit));
    deaf.map(|link| link.name.as_str()).collect()
}

/// Whether established flows can pass in the driver.
fn leases(case: &Case<'_>) -> Option<Finding> {
    if case.plan.leases == 0 {
        return None;
    }
    let why = "packets of established flows pass in the driver, without the worker, where the other \
               interface takes redirected frames; else they take several times as long";
    let should = "frames can pass";
    let finding = |is: &str| Finding::new("leases", "gateway.toml", is, should, why);
    Some(match hindrance(case) {
        None => finding(should),
        Some((is, way)) => finding(&is).unless(false, Grade::Advice, [hand(way)]),
    })
}

/// Why frames of established flows cannot pass in the driver, and the way out.
fn hindrance(case: &Case<'_>) -> Option<(String, String)> {
    let deaf = deaf(case);
    if !deaf.is_empty() {
        let is = format!("{} takes no frames from the other side", deaf.join(" and "));
        return Some((is, format!("{TRANSMITS}, or [workers] leases = 0")));
    }
    let (from, to, cpus) = far(case)?;
    let most = cpus.saturating_sub(1);
    let is = format!(
        "{} takes frames of CPUs 0 to {most} alone, and interrupts of {} run on others",
        to.name, from.name
    );
    let cores = case.facts.topology.cores.len();
    let way = format!(
        "as many queues as CPUs (ethtool -L {} combined {cores}), or interrupts of {} on CPUs 0 to {most}",
        to.name, from.name
    );
    Some((is, way))
}

/// An interface with interrupts on CPUs from which the other one takes no redirected frames, the other one, and
/// from how many it does.
fn far<'a>(case: &'a Case<'_>) -> Option<(&'a Link, &'a Link, u32)> {
    let [Some(outside), Some(inside)] = &case.facts.links else { return None };
    [(outside, inside), (inside, outside)].into_iter().find_map(|(from, to)| {
        let cpus = Takes::cpus(&to.driver, to.rx_queues.min(to.tx_queues));
        let served = from.nic.queues.iter().take(case.plan.cores.len());
        let mut places =
            served.filter_map(|queue| queue.irq.as_ref()).flat_map(|irq| &irq.effective);
        places.any(|cpu| *cpu >= cpus as usize).then_some((from, to, cpus))
    })
}
