//! How old the geo databases are, and what the operator should do about it.
//!
//! A MaxMind database says when it was built. A CSV file does not: it is as old as the last write to
//! it at least, and that is its age here, so that updates that stopped to come are noticed too.

use std::fmt;

use lookup::{GeoInfo, Ruleset};
use serde::{Deserialize, Serialize};

use crate::clock::unix_ns;

/// The age of the country database, and beside it that of the ASN database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoAge {
    /// The country database.
    #[serde(flatten)]
    pub country: DatabaseAge,
    /// Age in days from which the policy calls a database old.
    pub max_age_days: u32,
    /// The ASN database, if there is one.
    #[serde(default)]
    pub asn: Option<DatabaseAge>,
}

/// The age of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseAge {
    /// When it was built, RFC 3339; `None` when it does not say.
    pub build: Option<String>,
    /// Whole days since then, or since its file was written where it does not say.
    pub age_days: Option<i64>,
    /// Where it comes from.
    pub source: String,
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
    /// The age, now, of the databases behind `ruleset`.
    #[must_use]
    pub fn of(ruleset: &Ruleset) -> Self {
        let facts = ruleset.geo();
        let now = i64::try_from(unix_ns() / 1_000_000_000).unwrap_or(i64::MAX);
        Self {
            country: DatabaseAge::of(&facts.country, now),
            max_age_days: facts.max_age_days,
            asn: facts.asn.as_ref().map(|info| DatabaseAge::of(info, now)),
        }
    }

    /// What the operator should do about it: nothing, or a warning for each database.
    #[must_use]
    pub fn warnings(&self, ruleset: &Ruleset) -> Vec<Warning> {
        let country = if ruleset.geo().country.embedded {
            let days = self.country.age_days.unwrap_or(0);
            Some(Warning {
                message: format!("countries come from the embedded table, {days} days old"),
                help: "name a better one with [geo] country = \"FILE.mmdb\" in the policy".into(),
            })
        } else {
            self.country.old(self.max_age_days)
        };
        let asn = self.asn.as_ref().and_then(|asn| asn.old(self.max_age_days));
        country.into_iter().chain(asn).collect()
    }
}

impl DatabaseAge {
    fn of(info: &GeoInfo, now: i64) -> Self {
        let build = info.build_epoch_secs.and_then(|seconds| i64::try_from(seconds).ok());
        let time = build.and_then(|build| jiff::Timestamp::from_second(build).ok());
        let since = build.or(info.written_secs());
        Self {
            build: time.map(|time| time.to_string()),
            age_days: since.map(|since| now.saturating_sub(since).max(0) / 86_400),
            source: info.source.clone(),
        }
    }

    /// A warning when it is older than the policy wants it.
    fn old(&self, max_age_days: u32) -> Option<Warning> {
        let days = self.age_days.filter(|days| *days > i64::from(max_age_days))?;
        let source = &self.source;
        Some(Warning {
            message: format!(
                "{source} is {days} days old, more than max_age_days = {max_age_days}"
            ),
            help: "fetch a new one and run palisade reload".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use lookup::{Moment, Revision};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn ruleset(folder: &Path, days: [u64; 2]) -> Ruleset {
        for ((name, line), days) in [("country.csv", "DE"), ("asn.csv", "64500")].iter().zip(days) {
            let path = folder.join(name);
            fs::write(&path, format!("192.0.2.0/24,{line}\n")).unwrap();
            let written = SystemTime::now() - DAY * days as u32;
            File::open(&path).unwrap().set_modified(written).unwrap();
        }
        let policy = folder.join("policy.toml");
        let text = "[geo]\ncountry = \"country.csv\"\nasn = \"asn.csv\"\nmax_age_days = 30\n";
        fs::write(&policy, text).unwrap();
        Ruleset::load(&policy, Moment(0), Revision(1)).unwrap().0
    }

    #[test]
    fn each_database_has_an_age_and_a_warning_past_the_policys_limit() {
        let folder = tempfile::tempdir().unwrap();
        for (days, warned) in [
            ([30, 30], &[][..]),
            ([31, 30], &["country.csv is 31 days old"]),
            ([30, 31], &["asn.csv is 31 days old"]),
            ([40, 90], &["country.csv is 40 days old", "asn.csv is 90 days old"]),
        ] {
            let ruleset = ruleset(folder.path(), days);
            let age = GeoAge::of(&ruleset);
            let found = [Some(&age.country), age.asn.as_ref()].map(|age| age.unwrap().age_days);
            assert_eq!(found, days.map(|days| Some(days as i64)));
            assert_eq!((&age.country.build, age.max_age_days), (&None, 30), "a CSV does not say");
            let warnings = age.warnings(&ruleset);
            assert_eq!(warnings.len(), warned.len(), "{warnings:?}");
            for (warning, words) in warnings.iter().zip(warned) {
                assert!(warning.message.contains(words), "{warning}");
            }
        }
    }

    #[test]
    fn the_embedded_table_is_always_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, "").unwrap();
        let ruleset = Ruleset::load(&policy, Moment(0), Revision(1)).unwrap().0;
        let age = GeoAge::of(&ruleset);
        assert_eq!((age.warnings(&ruleset).len(), &age.asn), (1, &None));
        assert!(age.country.build.is_some() && age.country.age_days.is_some());
    }
}
