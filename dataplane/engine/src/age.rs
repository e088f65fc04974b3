//! How old the country database is, and what the operator should do about it.

use std::fmt;

use lookup::Ruleset;
use serde::{Deserialize, Serialize};

use crate::clock::unix_ns;

/// The age of the country database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoAge {
    /// When it was built, RFC 3339; `None` when it does not say.
    pub build: Option<String>,
    /// Whole days since then.
    pub age_days: Option<i64>,
    /// Where it comes from.
    pub source: String,
    /// Age in days from which the policy calls it old.
    pub max_age_days: u32,
}

/// Something that the operator should know, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is so.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl GeoAge {
    /// The age, now, of the database behind `ruleset`.
    #[must_use]
    pub fn of(ruleset: &Ruleset) -> Self {
        let info = &ruleset.geo().country;
        let build = info.build_epoch_secs.and_then(|seconds| i64::try_from(seconds).ok());
        let now = i64::try_from(unix_ns() / 1_000_000_000).unwrap_or(i64::MAX);
        let time = build.and_then(|build| jiff::Timestamp::from_second(build).ok());
        Self {
            build: time.map(|time| time.to_string()),
            age_days: build.map(|build| (now - build).max(0) / 86_400),
            source: info.source.clone(),
            max_age_days: ruleset.geo().max_age_days,
        }
    }

    /// What the operator should do about it, if anything.
    #[must_use]
    pub fn warning(&self, ruleset: &Ruleset) -> Option<Warning> {
        let facts = ruleset.geo();
        let limit = i64::from(facts.max_age_days);
        if facts.country.embedded {
            let days = self.age_days.unwrap_or(0);
            return Some(Warning {
                message: format!("countries come from the embedded table, {days} days old"),
                help: "name a better one with [geo] country = \"FILE.mmdb\" in the policy".into(),
            });
        }
        let days = self.age_days.filter(|days| *days > limit)?;
        let source = &self.source;
        Some(Warning {
            message: format!("{source} is {days} days old, more than max_age_days = {limit}"),
            help: "fetch a new one and run palisade reload".into(),
        })
    }
}
