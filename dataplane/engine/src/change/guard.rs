//! Who must not be cut by mistake: the failsafe networks, and the session that makes the change.

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
/// address and port of the client, then those of the server.
fn own(before: &Ruleset, next: &Ruleset, session: &str) -> Option<String> {
    let words: Vec<&str> = session.split_whitespace().collect();
    let [from, from_port, to, to_port] = words[..] else { return None };
    let passes = |ruleset: &Ruleset, side| {
        let ends = (format!("[{from}]:{from_port}"), format!("[{to}]:{to_port}/tcp"));
        let ends = if from.contains(':') {
            ends
        } else {
            (format!("{from}:{from_port}"), format!("{to}:{to_port}/tcp"))
        };
        let ask = Ask::parse(&ends.0, &ends.1, side).ok()?;
        let answer = ruleset.explain(&ask);
        Some(answer.verdict == "allow" || answer.shadow)
    };
    let cut = [Side::Outside, Side::Inside]
        .into_iter()
        .any(|side| passes(before, side) == Some(true) && passes(next, side) == Some(false));
    cut.then(|| format!("your own session from {from} to {to} port {to_port} would be cut"))
}
