//! `palisade diff`: what differs between two policies or two databases, and whose verdicts flip.

mod side;
mod text;

use std::path::Path;
use std::process::ExitCode;

use engine::say;
use lookup::diff::{Change, Flips, flips, written};
use lookup::{Explanation, Finding, Moment, Revision, Ruleset};
use serde::Serialize;

use crate::check;
use crate::cli::Diff;
use crate::flows::{self, Flow};
use crate::words::tell;
use side::{Pair, Side};

/// Exit status when one of the two cannot be read, as that of diff(1).
const TROUBLE: u8 = 2;

/// All that differs; `--json` prints it.
#[derive(Serialize)]
struct Difference {
    old: String,
    new: String,
    /// Nothing differs.
    same: bool,
    /// What differs in the policies' own terms.
    changes: Vec<Change>,
    /// Whose verdicts flip.
    flips: Flips,
    /// Why a gateway would refuse the new databases in the place of the old ones.
    refused: Vec<Finding>,
    /// What becomes of the flows that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<FlowFlips>,
}

/// What becomes of recorded flows.
#[derive(Serialize)]
struct FlowFlips {
    /// Flows that were read.
    asked: usize,
    /// Lines that are no flow.
    unread: usize,
    /// Those with another verdict.
    flipped: Vec<FlowFlip>,
}

/// One flow with another verdict.
#[derive(Serialize)]
struct FlowFlip {
    flow: Flow,
    before: Explanation,
    after: Explanation,
}

/// Compares and prints; exit status 0, 1 when something differs, 2 or 3 in trouble.
pub(crate) fn diff(args: &Diff) -> ExitCode {
    let now = Moment::from(std::time::SystemTime::now());
    let pair = match side::pair(args, now) {
        Ok(pair) => pair,
        Err(trouble) => return trouble.say(),
    };
    match compare(args, &pair, now) {
        Ok(difference) => {
            if args.json {
                match serde_json::to_string_pretty(&difference) {
                    Ok(json) => tell(json),
                    Err(error) => say(format_args!("cannot write the difference: {error}")),
                }
            } else {
                tell(text::text(&difference));
            }
            if difference.same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            say(error);
            ExitCode::from(TROUBLE)
        }
    }
}

fn compare(args: &Diff, pair: &Pair, now: Moment) -> Result<Difference, String> {
    let Pair { old, new } = pair;
    let changes = written(&old.policy, &new.policy);
    let flips = flips((&old.policy, &old.geo), (&new.policy, &new.geo), now)
        .map_err(|error| error.to_string())?;
    let before = old.geo.under(&new.policy.overrides);
    let refused = match lookup::verify(&new.policy, &before, &new.geo, now) {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().iter().map(lookup::Problem::finding).collect(),
    };
    let flows = args.flows.as_deref().map(|file| ask(file, pair, now)).transpose()?;
    let flipped = flows.as_ref().is_some_and(|flows| !flows.flipped.is_empty());
    Ok(Difference {
        old: old.name.clone(),
        new: new.name.clone(),
        same: changes.is_empty() && flips.is_empty() && refused.is_empty() && !flipped,
        changes,
        flips,
        refused,
        flows,
    })
}

/// Judges recorded flows by both.
fn ask(file: &Path, pair: &Pair, now: Moment) -> Result<FlowFlips, String> {
    let compile = |side: &Side, revision| {
        Ruleset::compile(&side.policy, &side.geo, now, Revision(revision))
            .map_err(|error| error.to_string())
    };
    let (old, new) = (compile(&pair.old, 1)?, compile(&pair.new, 2)?);
    let mut found = FlowFlips { asked: 0, unread: 0, flipped: Vec::new() };
    for flow in flows::read(file).map_err(|error| error.to_string())? {
        let Some(flow) = flow else {
            found.unread += 1;
            continue;
        };
        found.asked += 1;
        let [before, after] = [&old, &new].map(|rules| rules.explain(&flow.ask()));
        let goes_on = |it: &Explanation| it.verdict == "allow" || it.shadow;
        if goes_on(&before) != goes_on(&after) {
            found.flipped.push(FlowFlip { flow, before, after });
        }
    }
    Ok(found)
}

/// Shows what is wrong with a policy.
fn refuse(error: &lookup::LoadError) {
    check::show(error.problems());
}
