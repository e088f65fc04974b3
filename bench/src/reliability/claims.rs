//! Claims: sentences about Palisade, each with the tests that show it.

use std::path::Path;
use std::process::Command;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::{Area, Row};
use crate::error::system;
use crate::{Error, Result};

/// The file of claims.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    claim: Vec<Claim>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    area: Area,
    /// What is tried, and what holds.
    tried: String,
    /// A filter of cargo-nextest.
    tests: String,
}

pub(super) fn read(path: &Path) -> Result<Claims> {
    let object = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(system("read", &object))?;
    toml::from_str(&text).map_err(|error| Error::Usage(format!("{object}: {error}")))
}

impl Claims {
    /// Runs the tests of each claim that is wanted so many times.
    pub(super) fn run(&self, times: u32, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
        let wanted: Vec<_> = self.claim.iter().filter(|claim| wanted(&claim.tried)).collect();
        let bar = ProgressBar::new(wanted.len() as u64 * u64::from(times));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let rows = wanted.into_iter().map(|claim| claim.run(times, &bar)).collect();
        bar.finish_and_clear();
        rows
    }

    /// The rows of all claims in their order, fresh ones before those that were there; a row whose claim
    /// is gone goes too.
    pub(super) fn order(&self, before: Vec<Row>, fresh: Vec<Row>) -> Vec<Row> {
        let all: Vec<Row> = fresh.into_iter().chain(before).collect();
        let row = |claim: &Claim| all.iter().find(|row| row.tried == claim.tried).cloned();
        self.claim.iter().filter_map(row).collect()
    }
}

/// What one run of a claim's tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    run: u32,
    passed: u32,
}

impl Claim {
    fn run(&self, times: u32, bar: &ProgressBar) -> Result<Row> {
        bar.set_message(self.tried.clone());
        let mut sum = Tally::default();
        for _ in 0..times {
            let Tally { run, passed } = self.once()?;
            sum = Tally { run: sum.run + run, passed: sum.passed + passed };
            bar.inc(1);
        }
        let tests = sum.run / times.max(1);
        let noun = if tests == 1 { "test" } else { "tests" };
        let held = sum.passed == sum.run;
        let result = if held {
            "all passed".to_owned()
        } else {
            format!("{} of {} failed", sum.run - sum.passed, sum.run)
        };
        Ok(Row {
            area: self.area,
            tried: self.tried.clone(),
            times: match times {
                1 => format!("{tests} {noun}, once"),
                _ => format!("{tests} {noun}, {times} times"),
            },
            result,
            held,
            command: "scripts/reliability".to_owned(),
        })
    }

    fn once(&self) -> Result<Tally> {
        let mut cargo = Command::new("cargo");
        cargo.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
        cargo.args(["--cargo-quiet", "--color", "never", "-E", &self.tests]);
        let command = format!("cargo nextest run -E '{}'", self.tests);
        let output =
            cargo.output().map_err(|source| Error::Start { command: command.clone(), source })?;
        let text = String::from_utf8_lossy(&output.stderr);
        let tally = tally(&text).filter(|tally| tally.run > 0);
        tally.ok_or_else(|| Error::Command { command, message: text.into_owned() })
    }
}

/// Reads `Summary [   1.2s] 7 tests run: 6 passed, 1 failed, 80 skipped`.
fn tally(text: &str) -> Option<Tally> {
    let line = text.lines().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (before, after) = line.rsplit_once("run:")?;
    let before = before.rsplit_once(']')?.1;
    let number =
        |text: &str| text.split_whitespace().next()?.split('/').next()?.parse::<u32>().ok();
    let passed = after.split(',').find(|part| part.contains("passed")).and_then(number);
    Some(Tally { run: number(before)?, passed: passed.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_row_takes_the_place_of_the_one_before() {
        let claim = |tried: &str| {
            format!("[[claim]]\narea = \"Flows\"\ntried = \"{tried}\"\ntests = \"x\"\n")
        };
        let claims: Claims = toml::from_str(&["a", "b", "c"].map(claim).concat()).unwrap();
        let row = |tried: &str, times: &str| Row {
            area: Area::Flows,
            tried: tried.to_owned(),
            times: times.to_owned(),
            result: String::new(),
            held: true,
            command: String::new(),
        };
        let rows = claims.order(
            vec![row("c", "old"), row("gone", "old"), row("a", "old")],
            vec![row("b", "new"), row("a", "new")],
        );
        assert_eq!(rows, [row("a", "new"), row("b", "new"), row("c", "old")]);
    }

    #[test]
    fn a_summary_is_read() {
        let cases = [
            ("  Summary [   1.2s] 7 tests run: 6 passed, 1 failed, 80 skipped", Some((7, 6))),
            ("  Summary [   1.2s] 1 test run: 1 passed (1 slow), 80 skipped", Some((1, 1))),
            ("  Summary [   9s] 2 tests run: 0 passed, 2 timed out, 0 skipped", Some((2, 0))),
            ("  Summary [   9s] 3/4 tests run: 3 passed, 0 skipped", Some((3, 3))),
            ("error: no tests to run", None),
        ];
        for (line, expected) in cases {
            let found = tally(line).map(|tally| (tally.run, tally.passed));
            assert_eq!(found, expected, "{line}");
        }
    }
}
