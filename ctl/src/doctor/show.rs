//! Findings as tables with what to do below them, or as JSON.

use std::{
    env,
    io::{self, IsTerminal},
};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};
use engine::Config;
use machine::{Facts, Finding, Grade, Way};
use serde_json::{Value, json};

use super::{Done, mend, worst};
use crate::cli::Doctor;
use crate::table::table;
use crate::words::tell;

/// Columns that reasons are broken at.
const WIDTH: usize = 96;

/// Prints what was found and what was done.
pub(super) fn report(
    args: &Doctor,
    config: &Config,
    facts: &Facts,
    findings: &[Finding],
    done: &Done,
) {
    if args.json {
        tell(object(facts, findings, done));
        return;
    }
    let Config { outside, inside, cores, .. } = config;
    let mut cores: Vec<_> = cores.clone();
    cores.sort_unstable();
    tell(format_args!(
        "{outside} (outside) <-> {inside} (inside), {} worker(s) on core(s) {}\n",
        cores.len(),
        machine::ranges(&cores)
    ));
    // The worst at the end, where the eye is.
    let mut sorted: Vec<_> =
        findings.iter().filter(|finding| !args.quiet || finding.grade > Grade::Ok).collect();
    sorted.sort_by_key(|finding| finding.grade);
    if !sorted.is_empty() {
        tell(rows(&sorted));
    }
    sorted.retain(|finding| finding.grade > Grade::Ok);
    for alike in groups(&sorted) {
        tell(advice(facts, &alike));
    }
    for command in &done.changed {
        tell(format_args!("changed: {command}"));
    }
    for (command, why) in &done.failed {
        tell(format_args!("failed:  {command}: {why}"));
    }
    tell(sum(args, facts, findings));
}

/// One line a check.
fn rows(findings: &[&Finding]) -> String {
    let mut rows = table(&["grade", "check", "of", "is", "should be"]);
    let terminal = io::stdout().is_terminal();
    if terminal {
        // Lines between so many rows would fill a second screen.
        rows.load_style(presets::NOTHING);
        rows.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let colours = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    for finding in findings {
        let grade = Cell::new(finding.grade.word());
        let grade = if colours { paint(grade, finding.grade) } else { grade };
        let texts = [finding.check, &finding.of, &finding.is, &finding.should];
        rows.add_row(std::iter::once(grade).chain(texts.map(Cell::new)));
    }
    format!("{rows}\n")
}

fn paint(cell: Cell, grade: Grade) -> Cell {
    match grade {
        Grade::Ok => cell.fg(Color::Green),
        Grade::Advice => cell.fg(Color::Cyan),
        Grade::Warning => cell.fg(Color::Yellow),
        Grade::Fatal => cell.fg(Color::Red).add_attribute(Attribute::Bold),
    }
}

/// What was found of several things for one reason is told once.
fn groups<'a>(findings: &[&'a Finding]) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for &finding in findings {
        let key = |other: &Finding| (other.check, other.grade, other.why.clone());
        let known = groups.iter_mut().find(|group| key(group[0]) == key(finding));
        match known {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Why, and what to do.
fn advice(facts: &Facts, alike: &[&Finding]) -> String {
    let Some(first) = alike.first() else { return String::new() };
    let of: Vec<_> = alike.iter().map(|finding| finding.of.as_str()).collect();
    let head = format!("{}: {} ({})", first.grade.word(), first.check, of.join("; "));
    let mut text = format!("{head}\n{}", wrapped(&first.why));
    let mut ways: Vec<&Way> = Vec::new();
    for way in alike.iter().flat_map(|finding| &finding.ways) {
        if ways.contains(&way) {
            continue;
        }
        ways.push(way);
        let mark = if fixed(facts, way) { "   # --fix" } else { "" };
        text.push_str(&format!("    {way}{mark}\n"));
    }
    text
}

/// Whether `--fix` does it.
fn fixed(facts: &Facts, way: &Way) -> bool {
    matches!(way, Way::Change(change) if mend::free(facts, &change.setting))
}

fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{lines}{line}\n")
}

fn sum(args: &Doctor, facts: &Facts, findings: &[Finding]) -> String {
    let count = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
    let text = format!(
        "{} fatal, {} warning(s), {} piece(s) of advice, {} ok",
        count(Grade::Fatal),
        count(Grade::Warning),
        count(Grade::Advice),
        count(Grade::Ok)
    );
    match mend::changes(facts, findings).len() {
        0 => text,
        _ if args.fix => text,
        changes => format!("{text}; --fix would run {changes} command(s)"),
    }
}

fn object(facts: &Facts, findings: &[Finding], done: &Done) -> Value {
    let one = |finding: &Finding| {
        let ways = finding.ways.iter();
        let ways: Vec<_> = ways
            .map(|way| json!({ "command": way.to_string(), "fix": fixed(facts, way) }))
            .collect();
        let Finding { check, of, grade, is, should, why, .. } = finding;
        json!({
            "check": check, "of": of, "grade": grade, "is": is, "should": should, "why": why,
            "ways": ways,
        })
    };
    let failed =
        done.failed.iter().map(|(command, why)| json!({ "command": command, "error": why }));
    json!({
        "grade": worst(findings),
        "findings": findings.iter().map(one).collect::<Vec<_>>(),
        "changed": done.changed,
        "failed": failed.collect::<Vec<_>>(),
    })
}
