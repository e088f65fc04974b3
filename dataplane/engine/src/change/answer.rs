//! What comes of a change: in words for people, as JSON for scripts.

use std::fmt;
use std::time::Duration;

use lookup::{Finding, LoadError, Problem};
use serde::Serialize;
use serde_json::{Value, json};

use super::pending::Wait;

/// A change that is in force.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Changed {
    /// The revision in force.
    pub(crate) revision: u32,
    /// From the text to the ruleset; nothing was compiled when it is absent.
    pub(crate) compile_ms: Option<f64>,
    /// From the publication until every worker judges by it; absent when one did not, in a second.
    pub(crate) swap_ms: Option<f64>,
    /// From the command to the effect.
    pub(crate) total_ms: f64,
    /// It goes back by itself after so many seconds, unless it is confirmed.
    pub(crate) confirm_s: Option<u64>,
    /// The revision whose policy it repeats.
    pub(crate) back_to: Option<u32>,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} is in force", self.revision)?;
        if let Some(back_to) = self.back_to {
            write!(f, ", with the policy of revision {back_to}")?;
        }
        let compiled =
            self.compile_ms.map(|time| format!("compiled in {time:.0} ms, ")).unwrap_or_default();
        match self.swap_ms {
            Some(swap_ms) => {
                let total_ms = self.total_ms;
                write!(
                    f,
                    ", {total_ms:.1} ms after the command ({compiled}taken by every worker "
                )?;
                write!(f, "{swap_ms:.1} ms later)")?;
            }
            None => write!(
                f,
                " ({compiled}but not every worker has taken it yet: see palisade status)"
            )?,
        }
        if let Some(within) = self.confirm_s {
            write!(f, "\nit goes back in {within} s unless you say: palisade confirm")?;
        }
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

/// A confirmation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Confirmed {
    /// The revision that stays.
    pub(crate) revision: u32,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} is confirmed, and stays", self.revision)?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The policy has mistakes.
    #[error(transparent)]
    Policy(#[from] LoadError),
    /// A database looks wrong, or would flip many verdicts.
    #[error("{0}")]
    Database(LoadError),
    /// Another change waits.
    #[error(
        "revision {} waits for its confirmation, {} s are left: keep it (palisade confirm) or take it \
         back (palisade rollback) first", .0.revision, .0.remaining_s
    )]
    Pending(Wait),
    /// Nothing waits.
    #[error(
        "no revision waits for a confirmation: palisade history shows what became of the last one"
    )]
    NothingWaits,
    /// The history has no such revision.
    #[error("revision {0} is not in the history: palisade history lists those that are")]
    Unknown(u32),
    /// The history has no other policy.
    #[error("the history has no policy but the one in force: name a file with palisade apply")]
    NothingBefore,
    /// It would cut somebody who must not be cut.
    #[error("{}; if that is meant, say it again with --force", .0.join("; "))]
    Cut(Vec<String>),
    /// A time that nobody waits.
    #[error("a confirmation is awaited for 1 s to {most} s, not {0} s", most = super::ask::CONFIRM_S)]
    Time(u64),
}

impl Refused {
    /// A word for scripts.
    fn kind(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy",
            Self::Database(_) => "database",
            Self::Pending(_) => "pending",
            Self::NothingWaits => "nothing_waits",
            Self::Unknown(_) => "unknown_revision",
            Self::NothingBefore => "nothing_before",
            Self::Cut(_) => "cut",
            Self::Time(_) => "time",
        }
    }

    /// As JSON: why, in a word and in a sentence, and what is wrong with the policy, by its places.
    pub(crate) fn json(&self) -> Value {
        let problems: Vec<Finding> = match self {
            Self::Policy(error) | Self::Database(error) => {
                error.problems().iter().map(Problem::finding).collect()
            }
            _ => Vec::new(),
        };
        json!({ "refused": self.kind(), "error": self.to_string(), "problems": problems })
    }
}

/// Milliseconds with three places.
pub(crate) fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
