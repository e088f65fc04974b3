//! Who works where, and how: what `palisade tune` changes while packets flow.
//!
//! ```text
//!  POST /workers --> Event --> the gateway's own thread: checks, then hire, send, dismiss, order
//!                                 |-- what is refused is undone: the roster before holds on
//!                                 `-- on trial: goes back by itself unless it is kept
//! ```

use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{Config, Poll, clock::unix_ns, history::Who, line::timestamp};

/// Changes that are remembered.
const CHANGES: usize = 64;
/// The longest trial.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// Who works where, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// The worker of queue `i` of both interfaces runs on `cores[i]`.
    pub cores: Vec<usize>,
    /// How workers wait.
    pub poll: Poll,
    /// Packets that are received and judged at a time, at most.
    pub burst: u8,
}

/// What somebody wants otherwise; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedRoster {
    /// See [`Roster::cores`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Vec<usize>>,
    /// See [`Roster::poll`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// See [`Roster::burst`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u8>,
    /// Goes back by itself after so many seconds, unless another one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_s: Option<u64>,
    /// Why, for those who read the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterChange {
    /// When, RFC 3339.
    pub at: String,
    /// Who asked for it.
    pub who: Who,
    /// Why.
    pub why: Option<String>,
    /// What was.
    pub from: Roster,
    /// What is.
    pub to: Roster,
    /// It goes back after so many seconds unless another change comes.
    pub trial_s: Option<u64>,
}

/// The answer to `GET /workers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// In force.
    pub now: Roster,
    /// What gateway.toml said at the start.
    pub configured: Roster,
    /// Queues that both interfaces have: the most workers.
    pub queues: u32,
    /// Where gateway.toml stands.
    pub file: Option<PathBuf>,
    /// Seconds until a trial goes back.
    pub trial_s: Option<u64>,
    /// The changes of late, newest last.
    pub changes: Vec<RosterChange>,
}

/// The roster as everybody sees it; the gateway's own thread alone changes it.
#[derive(Debug)]
pub(crate) struct Book {
    /// gateway.toml.
    file: Option<PathBuf>,
    page: Mutex<Page>,
}

#[derive(Debug)]
struct Page {
    now: Roster,
    configured: Roster,
    trial: Option<Trial>,
    changes: VecDeque<RosterChange>,
}

/// What comes back, and when.
#[derive(Clone, Debug)]
struct Trial {
    back: Roster,
    until: Instant,
}

impl Roster {
    /// The configured one.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { cores: config.cores.clone(), poll: config.poll, burst: config.burst }
    }

    /// The same with what is wanted otherwise.
    pub(crate) fn with(&self, wanted: &WantedRoster) -> Self {
        Self {
            cores: wanted.cores.clone().unwrap_or_else(|| self.cores.clone()),
            poll: wanted.poll.unwrap_or(self.poll),
            burst: wanted.burst.unwrap_or(self.burst),
        }
    }
}

/// As lines of `[workers]` say it.
impl fmt::Display for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, poll, burst } = self;
        write!(f, "cores = {cores:?}, poll = \"{poll}\", burst = {burst}")
    }
}

impl fmt::Display for RosterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, why, from, to, trial_s, .. } = self;
        write!(f, "workers by {}: {to}; before: {from}", who.full())?;
        if let Some(seconds) = trial_s {
            write!(f, "; for {seconds} s unless another change comes")?;
        }
        why.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
    }
}

impl Book {
    /// As configured.
    pub(crate) fn new(configured: Roster, file: Option<PathBuf>) -> Self {
        let now = configured.clone();
        let page = Page { now, configured, trial: None, changes: VecDeque::new() };
        Self { file, page: Mutex::new(page) }
    }

    /// In force.
    pub(crate) fn now(&self) -> Roster {
        self.page().now.clone()
    }

    /// Notes a change; a trial's end is the roster before the first change of the trial.
    pub(crate) fn turn(
        &self,
        to: Roster,
        who: Who,
        why: Option<String>,
        trial: Option<Duration>,
    ) -> RosterChange {
        let mut page = self.page();
        let from = std::mem::replace(&mut page.now, to.clone());
        let back = page.trial.take().map_or_else(|| from.clone(), |trial| trial.back);
        page.trial = trial.map(|time| Trial { back, until: Instant::now() + time });
        let at = timestamp(unix_ns());
        let trial_s = trial.map(|time| time.as_secs());
        let change = RosterChange { at, who, why, from, to, trial_s };
        if page.changes.len() == CHANGES {
            page.changes.pop_front();
        }
        page.changes.push_back(change.clone());
        change
    }

    /// The roster that comes back, once its trial is over; the trial is asked for once.
    pub(crate) fn over(&self) -> Option<Roster> {
        let mut page = self.page();
        page.trial.take_if(|trial| trial.until <= Instant::now()).map(|trial| trial.back)
    }

    /// What warns of a roster that a restart would not bring back.
    pub(crate) fn warning(&self) -> Option<String> {
        let page = self.page();
        if let Some(trial) = &page.trial {
            let left = trial.until.saturating_duration_since(Instant::now()).as_secs();
            return Some(format!(
                "workers are on trial, and go back in {left} s to {}",
                trial.back
            ));
        }
        let Page { now, configured, .. } = &*page;
        (now != configured).then(|| {
            format!(
                "workers are not as gateway.toml said at the start, and would be so again after one: \
                 palisade tune --write keeps {now}"
            )
        })
    }

    /// What `GET /workers` answers.
    pub(crate) fn show(&self, queues: u32) -> Workers {
        let page = self.page();
        let left = |trial: &Trial| trial.until.saturating_duration_since(Instant::now()).as_secs();
        Workers {
            now: page.now.clone(),
            configured: page.configured.clone(),
            queues,
            file: self.file.clone(),
            trial_s: page.trial.as_ref().map(left),
            changes: page.changes.iter().cloned().collect(),
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(cores: &[usize]) -> Roster {
        Roster { cores: cores.to_vec(), poll: Poll::Busy, burst: 64 }
    }

    #[test]
    fn a_trial_goes_back_to_what_was_before_its_first_change() {
        let book = Book::new(roster(&[1]), None);
        let turn = |cores: &[usize], trial: Option<u64>| {
            let who = Who::itself("test");
            book.turn(roster(cores), who, None, trial.map(Duration::from_secs))
        };
        assert_eq!((book.over(), book.warning()), (None, None));
        turn(&[1, 2], Some(60));
        assert!(book.warning().unwrap().contains("go back in"), "{:?}", book.warning());
        turn(&[1, 3], Some(0));
        assert_eq!(book.over(), Some(roster(&[1])));
        assert_eq!(book.over(), None, "once");
        turn(&[1], None);
        assert_eq!(book.warning(), None);
        // Another change keeps what it says.
        turn(&[2], Some(0));
        turn(&[2], None);
        assert_eq!((book.over(), book.now()), (None, roster(&[2])));
        assert!(book.warning().unwrap().contains("palisade tune --write keeps cores = [2]"));
        let shown = book.show(4);
        assert_eq!((shown.changes.len(), shown.trial_s), (5, None));
        assert_eq!(shown.configured, roster(&[1]));
    }

    #[test]
    fn what_is_not_wanted_otherwise_stays() {
        let now = roster(&[1, 2]);
        let wanted = WantedRoster { poll: Some(Poll::Adaptive), ..WantedRoster::default() };
        assert_eq!(now.with(&wanted), Roster { poll: Poll::Adaptive, ..now.clone() });
        assert_eq!(now.with(&WantedRoster::default()), now);
        assert_eq!(now.to_string(), "cores = [1, 2], poll = \"busy\", burst = 64");
    }
}
