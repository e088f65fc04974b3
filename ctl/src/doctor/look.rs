//! The facts, with what only the policy and a running gateway can tell.

use std::{iter, os::unix::net::UnixStream, time::SystemTime};

use engine::{Config, DatabaseAge, GeoAge};
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
            let old = age.warnings(&ruleset).into_iter();
            let databases: Vec<_> = iter::once(&age.country).chain(&age.asn).map(aged).collect();
            let told = warnings.iter().map(lookup::Problem::finding);
            Policy {
                path,
                mistake: None,
                warnings: told.map(|warning| (warning.message, warning.help)).collect(),
                database: databases.join(", "),
                old: old.map(|warning| (warning.message, warning.help)).collect(),
            }
        }
        Err(error) => {
            let first = error.problems().first().map(|problem| problem.finding().message);
            let mistake = Some(first.unwrap_or_else(|| error.to_string()));
            Policy { path, mistake, ..Policy::default() }
        }
    }
}

fn aged(database: &DatabaseAge) -> String {
    let days = database.age_days.map(|days| format!(", {days} days old")).unwrap_or_default();
    format!("{}{days}", database.source)
}
