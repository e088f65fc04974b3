//! Who must not be cut by mistake: the failsafe networks, and the session that makes the change.

use std::collections::BTreeSet;

use lookup::{Ask, Ruleset, Side};

/// What `next` would cut that `before` serves: a sentence each.
pub(super) fn cuts(before: &Ruleset, next: &Ruleset, session: Option<&str>) -> Vec<String> {
    let mut cuts: Vec<String> = failsafe(before, next).collect();
    cuts.extend(session.and_then(|session| own(before, next, session)));
    cuts
}

/// Failsafe networks that are so no longer.
fn failsafe(before: &Ruleset, next: &Ruleset) -> impl Iterator<Item = String> {
    let gone = before
        .failsafe()
        .iter()
        .filter(|network| !next.failsafe().iter().any(|kept| kept.contains(*network)));
    gone.map(|network| format!("{network} would no longer be failsafe"))
}

/// The session that asks, if it goes through this gateway: `session` is an `SSH_CONNECTION` (ssh(1)),
/// address and port of the client, then those of the server. It does not say its VLAN, so that each
/// VLAN that makes a difference is tried.
fn own(before: &Ruleset, next: &Ruleset, session: &str) -> Option<String> {
    let words: Vec<&str> = session.split_whitespace().collect();
    let [from, from_port, to, to_port] = words[..] else { return None };
    let passes = |ruleset: &Ruleset, side, vlan| {
        let ends = (format!("[{from}]:{from_port}"), format!("[{to}]:{to_port}/tcp"));
        let ends = if from.contains(':') {
            ends
        } else {
            (format!("{from}:{from_port}"), format!("{to}:{to_port}/tcp"))
        };
        let ask = Ask::parse(&ends.0, &ends.1, side).ok()?;
        let answer = ruleset.explain(&Ask { vlan, ..ask });
        Some(answer.verdict == "allow" || answer.shadow)
    };
    let cut = |vlan| {
        let cut = |side| {
            passes(before, side, vlan) == Some(true) && passes(next, side, vlan) == Some(false)
        };
        cut(Side::Outside) || cut(Side::Inside)
    };
    let vlans: BTreeSet<u16> = [0].into_iter().chain(before.vlans()).chain(next.vlans()).collect();
    let vlan = vlans.into_iter().find(|vlan| cut(*vlan))?;
    let place = if vlan == 0 { String::new() } else { format!(" in VLAN {vlan}") };
    Some(format!("your own session from {from} to {to} port {to_port}{place} would be cut"))
}
