//! What a change asks for.

use std::time::Duration;

use serde::Deserialize;

use super::Refused;
use crate::history::{How, Who};

/// Where the next policy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The configured file, read again.
    File,
    /// A text that was sent.
    Text(String),
    /// A revision of the history; the one before the policy in force when none is named.
    Revision(Option<u32>),
}

impl Origin {
    /// How the history calls it.
    pub(crate) fn how(&self) -> How {
        match self {
            Self::File => How::Reload,
            Self::Text(_) => How::Apply,
            Self::Revision(_) => How::Rollback,
        }
    }
}

/// A change, and who wants it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) origin: Origin,
    pub(crate) who: Who,
    pub(crate) terms: Terms,
}

/// The body of a request: what the change is, where its path does not say it all, and its terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wish {
    /// The text to apply.
    pub(crate) policy: Option<String>,
    /// The revision to go back to.
    pub(crate) revision: Option<u32>,
    why: Option<String>,
    confirm_s: Option<u64>,
    force: bool,
    accept: bool,
    session: Option<String>,
}

impl Wish {
    /// The terms alone.
    pub(crate) fn terms(self) -> Terms {
        let Self { why, confirm_s, force, accept, session, .. } = self;
        Terms { why, confirm_s, force, accept, session }
    }
}

/// The terms of a change, all optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Why, in the operator's words.
    pub(crate) why: Option<String>,
    /// Goes back by itself after so many seconds unless confirmed.
    pub(crate) confirm_s: Option<u64>,
    /// Also when it cuts a failsafe network, or the session that asks.
    pub(crate) force: bool,
    /// Also when a database looks wrong, or flips many verdicts.
    pub(crate) accept: bool,
    /// `SSH_CONNECTION` of the session that asks.
    pub(crate) session: Option<String>,
}

/// The longest time that a change may wait for its confirmation: a day.
pub(crate) const CONFIRM_S: u64 = 86_400;

impl Terms {
    /// How long it waits for its confirmation.
    pub(crate) fn confirm(&self) -> Result<Option<Duration>, Refused> {
        match self.confirm_s {
            Some(seconds) if !(1..=CONFIRM_S).contains(&seconds) => Err(Refused::Time(seconds)),
            seconds => Ok(seconds.map(Duration::from_secs)),
        }
    }
}
