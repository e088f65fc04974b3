//! `palisade check`: validates a policy with all the files that it names.

use std::process::ExitCode;
use std::time::SystemTime;

use engine::{GeoAge, Warning, say};
use lookup::{Finding, LoadError, Problem, Revision, Ruleset, Severity};
use serde::Serialize;

use crate::cli::{Check, Format};
use crate::words::{tell, warn};

/// What `--format json` prints.
#[derive(Serialize)]
struct Answer {
    valid: bool,
    problems: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

/// What a valid policy amounts to.
#[derive(Serialize)]
struct Summary {
    domains: usize,
    services: usize,
    classes: usize,
    memory_bytes: usize,
}

/// Validates and prints; exit status 0 or 1.
pub(crate) fn check(args: &Check) -> ExitCode {
    let loaded = Ruleset::load(&args.policy, SystemTime::now().into(), Revision(1));
    let code = if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match args.format {
        Format::Human if !args.json => human(args, loaded),
        _ => json(args, loaded),
    }
    code
}

fn json(args: &Check, loaded: Result<(Ruleset, Vec<Problem>), LoadError>) {
    let answer = match loaded {
        Ok((ruleset, warnings)) => {
            let problems = findings(&warnings).into_iter().chain(ages(args, &ruleset)).collect();
            Answer { valid: true, problems, summary: Some(summary(&ruleset)) }
        }
        Err(error) => Answer { valid: false, problems: findings(error.problems()), summary: None },
    };
    match serde_json::to_string_pretty(&answer) {
        Ok(text) => tell(text),
        Err(error) => say(format_args!("cannot write the answer: {error}")),
    }
}

fn human(args: &Check, loaded: Result<(Ruleset, Vec<Problem>), LoadError>) {
    match loaded {
        Ok((ruleset, warnings)) => {
            show(&warnings);
            for warning in GeoAge::of(&ruleset).warnings(&ruleset) {
                warn(format_args!("  ⚠ {warning}"));
            }
            let Summary { domains, services, classes, memory_bytes } = summary(&ruleset);
            tell(format_args!(
                "{} is valid: {domains} domain(s), {services} service(s), {classes} address \
                 classes, {:.1} MB compiled",
                args.policy.display(),
                memory_bytes as f64 / 1e6
            ));
        }
        Err(error) => {
            show(error.problems());
            warn(format_args!("{} is refused", args.policy.display()));
        }
    }
}

/// Prints each problem to standard error: the line, marked, and what to do.
pub(crate) fn show(problems: &[Problem]) {
    for problem in problems {
        warn(format_args!("{:?}", miette::Report::new(problem.clone())));
    }
}

/// The warnings about the databases' ages, as findings of the policy that chose them.
fn ages(args: &Check, ruleset: &Ruleset) -> impl Iterator<Item = Finding> {
    let file = Some(args.policy.display().to_string());
    let finding = move |Warning { message, help }| Finding {
        file: file.clone(),
        line: None,
        column: None,
        message,
        help,
        severity: Severity::Warning,
    };
    GeoAge::of(ruleset).warnings(ruleset).into_iter().map(finding)
}

fn findings(problems: &[Problem]) -> Vec<Finding> {
    problems.iter().map(Problem::finding).collect()
}

fn summary(ruleset: &Ruleset) -> Summary {
    Summary {
        domains: ruleset.legend().domains().len(),
        services: ruleset.legend().services().len(),
        classes: ruleset.class_count(),
        memory_bytes: ruleset.memory_bytes(),
    }
}
