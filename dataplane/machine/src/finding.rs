//! What a check found: what is, what should be, why, and the way from one to the other.

use std::fmt;

use serde::Serialize;

use crate::setting::Change;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works; it could be faster or quieter.
    Advice,
    /// It works, but loses packets or speed under load, or surprises.
    Warning,
    /// The gateway does not start, or part of the traffic is not judged.
    Fatal,
}

impl Grade {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Fatal => "fatal",
        }
    }
}

/// A way to mend something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A setting that can be changed, and put back.
    Change(Change),
    /// A command, or an edit, for a person.
    Hand(String),
}

impl From<Change> for Way {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => change.fmt(f),
            Self::Hand(words) => words.fmt(f),
        }
    }
}

/// The result of one check on one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check, by its name in docs/doctor.md.
    pub check: &'static str,
    /// What was looked at: an interface, a core, the machine.
    pub of: String,
    /// How much it matters.
    pub grade: Grade,
    /// What is.
    pub is: String,
    /// What should be.
    pub should: String,
    /// Why.
    pub why: String,
    /// What mends it, in this order; nothing where all is well.
    pub ways: Vec<Way>,
}

impl Finding {
    /// A check that has nothing to complain of yet.
    pub(crate) fn new(
        check: &'static str,
        of: impl Into<String>,
        is: impl Into<String>,
        should: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        let (of, is, should, why) = (of.into(), is.into(), should.into(), why.into());
        Self { check, of, grade: Grade::Ok, is, should, why, ways: Vec::new() }
    }

    /// Unless all is `well`, it is of this grade, and this mends it.
    #[must_use]
    pub(crate) fn unless(
        mut self,
        well: bool,
        grade: Grade,
        ways: impl IntoIterator<Item = Way>,
    ) -> Self {
        if !well {
            self.grade = grade;
            self.ways = ways.into_iter().collect();
        }
        self
    }

    /// The changes that mend it; the other ways are a person's.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.ways.iter().filter_map(|way| match way {
            Way::Change(change) => Some(change),
            Way::Hand(_) => None,
        })
    }
}

/// A command for a person.
pub(crate) fn hand(words: impl Into<String>) -> Way {
    Way::Hand(words.into())
}
