//! The facts, with what only the policy and a running gateway can tell.

use std::{os::unix::net::UnixStream, time::SystemTime};

use engine::{Config, GeoAge};
use lookup::{Revision, Ruleset};
use machine::{Facts, Plan, Policy, Tree};

/// Reads everything anew.
pub(super) fn facts(config: &Config, plan: &Plan) -> Facts {
    Facts {
        policy: policy(config),
        running: UnixStream::connect(&config.socket).is_ok(),
        ..Facts::read(&Tree::host(), plan)
    }
}

/// The policy, compiled as `palisade run` compiles it.
fn policy(config: &Config) -> Policy {
    let path = config.policy.display().to_string();
    match Ruleset::load(&config.policy, SystemTime::now().into(), Revision(1)) {
        Ok((ruleset, warnings)) => {
            let age = GeoAge::of(&ruleset);
            let old = age.warning(&ruleset).map(|warning| (warning.message, warning.help));
            let days = age.age_days.map(|days| format!(", {days} days old")).unwrap_or_default();
            let told = warnings.iter().map(lookup::Problem::finding);
            Policy {
                path,
                mistake: None,
                warnings: told.map(|warning| (warning.message, warning.help)).collect(),
                database: format!("{}{days}", age.source),
                old,
            }
        }
        Err(error) => {
            let first = error.problems().first().map(|problem| problem.finding().message);
            let mistake = Some(first.unwrap_or_else(|| error.to_string()));
            Policy { path, mistake, ..Policy::default() }
        }
    }
}
