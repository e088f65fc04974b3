//! "Did you mean": the known name that is nearest to what was written.

/// The nearest of `known`, when it is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .map(|known| (likeness(&lower, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= LIKE)
        // The first of equals, so that the answer does not depend on the order of a set.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}

/// 0 to 1. One slip of the finger in a short name counts more than Jaro and Winkler see in it.
fn likeness(name: &str, known: &str) -> f64 {
    let slip = name.len() > 2 && strsim::osa_distance(name, known) == 1;
    strsim::jaro_winkler(name, known).max(if slip { 0.9 } else { 0.0 })
}

/// Likeness (0 to 1) from which a suggestion helps more than a list of what there is.
const LIKE: f64 = 0.75;

/// Help for a name that is not among `known`: the nearest one, or all.
pub fn suggest(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > 12 => format!("there are {} to choose from", known.len()),
        None => format!("choose one of {}", known.join(", ")),
    }
}

/// What is wrong with a name that records, metrics and rules will carry.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | ':');
    if name.is_empty() {
        Some("is empty")
    } else if name.len() > 64 {
        Some("is longer than 64 bytes")
    } else if name.contains(bad) {
        Some("holds a space, a colon, a quote or a control character")
    } else {
        None
    }
}
