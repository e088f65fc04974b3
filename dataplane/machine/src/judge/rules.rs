//! The policy, its databases, and what happens when nobody judges.

use af_xdp_rs::{Mode, Takes, XdpSupport};

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
    those(case, |xdp| !xdp.transmit)
}

/// Interfaces whose XDP is like this.
fn those<'a>(case: &'a Case<'_>, like: fn(XdpSupport) -> bool) -> Vec<&'a str> {
    let links = case.links().filter(move |link| link.xdp.is_some_and(like));
    links.map(|link| link.name.as_str()).collect()
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

/// The way out of all of them.
const NONE: &str = "or [workers] leases = 0";

/// Why frames of established flows cannot pass in the driver, and the way out.
fn hindrance(case: &Case<'_>) -> Option<(String, String)> {
    if case.plan.mode == Mode::Skb {
        let is = "the program runs behind the driver (mode skb)".to_owned();
        return Some((is, format!("[workers] mode = \"auto\" in gateway.toml, {NONE}")));
    }
    if let Some(link) = case.links().find(|link| link.xdp.is_none()) {
        let is = format!("nobody says whether {} takes frames from the other side", link.name);
        return Some((is, format!("Linux 6.3 or newer, {NONE}")));
    }
    let behind = those(case, |xdp| !xdp.native);
    if !behind.is_empty() {
        let is = format!("the driver of {} runs no XDP program", behind.join(" and "));
        return Some((is, format!("a NIC whose driver does, {NONE}")));
    }
    let deaf = deaf(case);
    if !deaf.is_empty() {
        let is = format!("{} takes no frames from the other side", deaf.join(" and "));
        return Some((is, format!("{TRANSMITS}, {NONE}")));
    }
    let [Some(outside), Some(inside)] = &case.facts.links else { return None };
    far(case, (outside, inside)).or_else(|| far(case, (inside, outside)))
}

/// Why frames that one interface receives are sent from CPUs from which the other one takes none.
fn far(case: &Case<'_>, (from, to): (&Link, &Link)) -> Option<(String, String)> {
    let cpus = Takes::cpus(&to.driver, || to.channels) as usize;
    // By number, as the driver counts them: some may be offline.
    let all = case.facts.topology.cores.iter().map(|core| core.id + 1).max().unwrap_or(0);
    let Some(last) = cpus.checked_sub(1) else {
        let is = format!("{} does not say from how many CPUs {} takes frames", to.driver, to.name);
        return Some((is, format!("a driver with channels (ethtool -l), {NONE}")));
    };
    let served = from.nic.queues.iter().take(case.plan.cores.len());
    let mut places = served.filter_map(|queue| queue.irq.as_ref()).flat_map(|irq| &irq.effective);
    let (name, to) = (&from.name, &to.name);
    let (run, other) = match from.threaded {
        true if cpus < all => {
            ("its NAPI threads run anywhere", format!("echo 0 > /sys/class/net/{name}/threaded"))
        }
        false if places.any(|cpu| *cpu > last) => {
            ("its interrupts run on others", format!("interrupts of {name} on CPUs 0 to {last}"))
        }
        _ => return None,
    };
    let is = format!("{to} takes frames of {name} from CPUs 0 to {last} alone, and {run}");
    let way = format!("as many queues as CPUs (ethtool -L {to} combined {all}), or {other}");
    Some((is, way))
}
