//! `palisade doctor`: facts, findings, and the commands between them.
//!
//! ```text
//!  gateway.toml --> Plan ---.
//!  the machine --> Facts --> judge --> findings --> tables, JSON
//!                    ^                     |
//!                    '---- --fix: commands <' noted in a book, which --undo reads
//! ```

mod look;
mod mend;
mod show;

use std::process::ExitCode;

use engine::{Config, Error, say};
use machine::{Finding, Grade, judge};

use crate::{check, cli::Doctor};

/// What `--fix` did.
#[derive(Debug, Default)]
struct Done {
    /// Commands that ran.
    changed: Vec<String>,
    /// Commands that failed, and why.
    failed: Vec<(String, String)>,
}

/// Looks, mends, shows; exit status 0 or 1.
pub(crate) fn doctor(args: &Doctor) -> ExitCode {
    let done = match (args.undo, &args.config) {
        (true, _) => mend::undo(args),
        (false, Some(path)) => match Config::load(path) {
            Ok(config) => examine(args, &config),
            Err(Error::Config(error)) => {
                check::show(error.problems());
                Ok(false)
            }
            Err(error) => Err(error.to_string()),
        },
        // The command line asks for one of the two.
        (false, None) => Ok(false),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(error);
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing fatal is left.
fn examine(args: &Doctor, config: &Config) -> Result<bool, String> {
    let plan = config.plan();
    let look = || {
        let facts = look::facts(config, &plan);
        let mut findings = judge(&facts, &plan);
        let wanted =
            |check: &str| args.only.is_empty() || args.only.iter().any(|only| only == check);
        findings.retain(|finding| wanted(finding.check));
        (facts, findings)
    };
    let (mut facts, mut findings) = look();
    let mut done = Done::default();
    if args.fix {
        // What a change makes possible is seen when it was made: queues, then where they interrupt.
        while mend::fix(args, &facts, &findings, &mut done)? {
            (facts, findings) = look();
        }
    }
    show::report(args, config, &facts, &findings, &done);
    Ok(worst(&findings) < Grade::Fatal && done.failed.is_empty())
}

fn worst(findings: &[Finding]) -> Grade {
    findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Ok)
}
