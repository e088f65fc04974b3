//! One revision in the history: when, who, why, how, and the policy's text.

use serde::{Deserialize, Serialize};

use super::Who;

/// The longest reason, and line of a change, that is kept, characters.
const WHY: usize = 1_000;
/// Lines of changes that are kept; the texts have the rest.
const CHANGES: usize = 200;

/// How a revision came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The gateway started with it.
    Start,
    /// The policy's file was read again.
    Reload,
    /// `palisade apply`.
    Apply,
    /// `palisade rollback`.
    Rollback,
    /// What was not confirmed, or taken back, gave way to what was before it.
    Back,
    /// An exception ended.
    Exception,
}

impl How {
    /// The name in the history.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Back => "back",
            Self::Exception => "exception",
        }
    }
}

/// A database behind a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// `country` or `asn`.
    pub kind: String,
    /// Where it is from.
    pub source: String,
    /// When it was built, RFC 3339, if it says.
    pub build: Option<String>,
}

/// The confirmation that a revision was to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Within so many seconds.
    pub within_s: u64,
    /// Who gave it; nobody, yet or in time.
    pub by: Option<Who>,
}

/// A revision, without its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// Its number.
    pub revision: u32,
    /// Since when it was in force, RFC 3339.
    pub time: String,
    /// How it came into force.
    pub how: How,
    /// Who put it there.
    pub who: Who,
    /// Why, in their words.
    pub why: Option<String>,
    /// The revision whose policy it repeats.
    pub back_to: Option<u32>,
    /// When it was applied to be confirmed.
    pub confirm: Option<Confirmation>,
    /// The databases behind it.
    pub databases: Vec<Database>,
}

/// A revision with its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// All but the text.
    #[serde(flatten)]
    pub facts: EntryFacts,
    /// What the policy says otherwise than the one before it, in its own terms.
    #[serde(default)]
    pub changes: Vec<String>,
    /// The policy's text.
    pub policy: String,
}

impl EntryFacts {
    /// That it waited for a confirmation when its gateway ended, if it did.
    pub(crate) fn unconfirmed(&self) -> Option<String> {
        let waited = self.confirm.as_ref().is_some_and(|confirm| confirm.by.is_none());
        waited.then(|| format!("revision {} was not confirmed", self.revision))
    }
}

impl Entry {
    /// The entry with nothing in it that moves a terminal's cursor, and no reason without end: it
    /// may come from a file that somebody else wrote.
    pub(crate) fn plain(mut self) -> Self {
        let facts = &mut self.facts;
        facts.why = facts.why.take().map(|why| plain(&why));
        facts.time = plain(&facts.time);
        let confirmed = facts.confirm.as_mut().and_then(|confirm| confirm.by.as_mut());
        for who in std::iter::once(&mut facts.who).chain(confirmed) {
            who.name = plain(&who.name);
            who.login = who.login.take().map(|login| plain(&login));
        }
        let more = self.changes.len().saturating_sub(CHANGES);
        self.changes.truncate(CHANGES);
        self.changes.iter_mut().for_each(|change| *change = plain(change));
        self.changes.extend((more > 0).then(|| format!("… and {more} more")));
        for database in &mut facts.databases {
            database.kind = plain(&database.kind);
            database.source = plain(&database.source);
            database.build = database.build.take().map(|build| plain(&build));
        }
        self
    }
}

fn plain(text: &str) -> String {
    text.chars().take(WHY).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
