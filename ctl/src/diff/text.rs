//! The difference for people: what was changed, then whose verdicts flip.

use lookup::diff::{Change, Extent, Sign, Subject, SubjectFlips};
use lookup::{Explanation, number};

use super::{Difference, FlowFlips};
use crate::table::{fit, right, table};

/// Lines of one section and key that are shown; the rest is counted.
const LINES: usize = 20;
/// Countries that are named of one direction.
const COUNTRIES: usize = 4;
/// Flows that are shown; the rest is counted.
const FLOWS: usize = 20;

/// All of it.
pub(super) fn text(difference: &Difference) -> String {
    let mut text = format!("--- {}\n+++ {}\n", difference.old, difference.new);
    if difference.same {
        text.push_str("\nnothing differs: no line, and no verdict");
        return text;
    }
    if !difference.changes.is_empty() {
        text.push('\n');
        changes(&mut text, &difference.changes);
    }
    text.push('\n');
    flips(&mut text, difference);
    for finding in &difference.refused {
        let message = &finding.message;
        text.push_str(&format!(
            "\na gateway refuses this, unless it is told to take it (palisade reload --accept):\n{message}\n"
        ));
    }
    if let Some(found) = &difference.flows {
        text.push('\n');
        flows(&mut text, found);
    }
    text.truncate(text.trim_end().len());
    text
}

fn changes(text: &mut String, changes: &[Change]) {
    let alike = |one: &Change, other: &Change| {
        (one.sign, &one.section, one.key) == (other.sign, &other.section, other.key)
    };
    for run in changes.chunk_by(alike) {
        run.iter().take(LINES).for_each(|change| text.push_str(&format!("{change}\n")));
        if let Some(more) = run.len().checked_sub(LINES).filter(|more| *more > 0) {
            let sign = if run[0].sign == Sign::Out { '-' } else { '+' };
            let key = run[0].key.unwrap_or("");
            text.push_str(&format!(
                "{sign} {}: {} more {key}\n",
                run[0].section,
                number(more as u64)
            ));
        }
    }
}

fn flips(text: &mut String, difference: &Difference) {
    let subjects = &difference.flips.subjects;
    if subjects.is_empty() {
        text.push_str("no address has another verdict\n");
        return;
    }
    let mut rows =
        table(&["verdicts that flip", "services", "", "IPv4 addresses", "IPv6 /48s", "countries"]);
    let mut spans =
        table(&["largest spans", "", "country", "addresses", "rule before", "rule after"]);
    for one in subjects {
        for (direction, extent) in directions(one) {
            rows.add_row([
                name(&one.subject),
                services(&one.subject),
                direction.to_owned(),
                number(extent.ipv4),
                number(extent.ipv6_48s),
                countries(extent),
            ]);
            for example in &extent.examples {
                spans.add_row([
                    name(&one.subject),
                    direction.to_owned(),
                    moved(example.before.as_deref(), example.country.as_deref()),
                    format!("{} - {}", example.first, example.last),
                    example.rule_before.clone().unwrap_or_else(|| "no service".to_owned()),
                    example.rule.clone().unwrap_or_else(|| "no service".to_owned()),
                ]);
            }
        }
    }
    text.push_str(&format!("{}\n\n{}\n", fit(&right(rows, &[3, 4])), fit(&spans)));
}

fn directions(one: &SubjectFlips) -> impl Iterator<Item = (&'static str, &Extent)> {
    let both = [("allow -> drop", &one.allow_to_drop), ("drop -> allow", &one.drop_to_allow)];
    both.into_iter().filter(|(_, extent)| !extent.is_empty())
}

fn name(subject: &Subject) -> String {
    let name = match (&subject.before, &subject.after) {
        (Some(before), Some(after)) if before == after => before.clone(),
        (None, None) => "(egress)".to_owned(),
        (before, after) => {
            let name = |domain: &Option<String>| domain.clone().unwrap_or("(none)".to_owned());
            format!("{} -> {}", name(before), name(after))
        }
    };
    match subject.shadow {
        [true, true] => format!("{name} (shadow)"),
        [false, true] => format!("{name} (now shadow)"),
        [true, false] => format!("{name} (no longer shadow)"),
        [false, false] => name,
    }
}

/// The services, and where the domains differ the traffic that meets them.
fn services(subject: &Subject) -> String {
    let names = some(&subject.services);
    if subject.traffic.is_empty() { names } else { format!("{names}: {}", some(&subject.traffic)) }
}

/// The first few.
fn some(names: &[String]) -> String {
    match names {
        [first, second, third, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}

fn countries(extent: &Extent) -> String {
    let named = extent.countries.iter().take(COUNTRIES);
    let mut names: Vec<String> =
        named.map(|it| moved(it.before.as_deref(), it.country.as_deref())).collect();
    if let Some(more) = extent.countries.len().checked_sub(COUNTRIES).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// A country, or the way from one to another.
fn moved(before: Option<&str>, after: Option<&str>) -> String {
    let [before, after] = [before, after].map(|code| code.unwrap_or("unknown"));
    if before == after { after.to_owned() } else { format!("{before} -> {after}") }
}

fn flows(text: &mut String, found: &FlowFlips) {
    let FlowFlips { asked, unread, flipped } = found;
    text.push_str(&format!("flows: {} of {asked} get another verdict", flipped.len()));
    if *unread > 0 {
        text.push_str(&format!("; {unread} line(s) are no flow"));
    }
    text.push('\n');
    if flipped.is_empty() {
        return;
    }
    let mut rows = table(&["flow", "before", "after", "country"]);
    let verdict = |it: &Explanation| {
        let why = it.rule.as_deref().or(it.reason).unwrap_or("");
        format!("{} ({why})", it.verdict)
    };
    for flip in flipped.iter().take(FLOWS) {
        let country = flip.after.source.country.clone().unwrap_or_else(|| "unknown".to_owned());
        rows.add_row([flip.flow.to_string(), verdict(&flip.before), verdict(&flip.after), country]);
    }
    text.push_str(&format!("{}\n", fit(&rows)));
    if let Some(more) = flipped.len().checked_sub(FLOWS).filter(|more| *more > 0) {
        text.push_str(&format!("and {more} more; --json lists all\n"));
    }
}
