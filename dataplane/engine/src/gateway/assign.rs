//! Another roster into force while packets flow: a worker more, one less, one elsewhere, another way to
//! wait.
//!
//! ```text
//!  check --> hire the new --> send the moved --> order all --> dismiss the surplus --> note, log
//!              |  a step is refused: what was done is undone in reverse, nothing is noted
//! ```
//! A dismissal cannot be refused, so it comes last, and no step before it takes anything from a queue
//! that has a worker. Everything runs on the gateway's own thread, so two changes never meet, nor a
//! change and an interface that goes.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{Gateway, join};
use crate::{
    Error, cores,
    history::Who,
    roster::{LONGEST, Roster, RosterChange, WantedRoster},
    say,
    thread::Assignment,
};

/// The longest that is said of a change, characters.
const LINE: usize = 400;

/// Why a roster was refused; the one before holds on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misfit {
    /// It makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// The machine does not let it.
    #[error("the workers are as they were: {0}")]
    Refused(#[from] Error),
    /// Not now.
    #[error(
        "nothing is forwarded just now, because an interface is missing: try again when it is back"
    )]
    Waiting,
}

/// What was asked, and where the answer goes.
pub(crate) type Answer = oneshot::Sender<Result<RosterChange, Misfit>>;

impl Gateway {
    /// Answers what came over the control socket.
    pub(super) fn assign(&mut self, assignment: Assignment) {
        let Assignment { wanted, who, answer } = assignment;
        let by = who.full();
        let result = self.put(&wanted, who);
        match &result {
            Ok(change) => told(&change.to_string()),
            Err(misfit) => told(&format!("workers by {by}: refused: {misfit}")),
        }
        // Whoever asked may have gone.
        let _ = answer.send(result);
    }

    /// A trial that nobody kept is over.
    pub(super) fn expire(&mut self) {
        if self.crew.waits() {
            return; // it goes back when there is something to go back over
        }
        let Some(back) = self.state.roster().over() else { return };
        let Roster { cores, poll, burst } = back;
        let wanted = WantedRoster {
            cores: Some(cores),
            poll: Some(poll),
            burst: Some(burst),
            ..WantedRoster::default()
        };
        match self.put(&wanted, Who::itself("trial over")) {
            Ok(change) => told(&change.to_string()),
            Err(misfit) => say(format_args!("the trial of workers is over, but {misfit}")),
        }
    }

    fn put(&mut self, wanted: &WantedRoster, who: Who) -> Result<RosterChange, Misfit> {
        let before = Roster::of(&self.config);
        let next = before.with(wanted);
        let trial = wanted.trial_s.map(Duration::from_secs);
        if trial.is_some_and(|time| time > LONGEST || time.is_zero()) {
            let most = LONGEST.as_secs();
            return Err(Misfit::Wrong(format!("a trial lasts 1 to {most} s")));
        }
        check(&next, self.state.queues())?;
        if self.crew.waits() {
            return Err(Misfit::Waiting);
        }
        if let Err(error) = self.change(&before, &next) {
            // What worked before works again: queues that had no worker, cores that were theirs.
            if let Err(error) = self.change(&next, &before) {
                say(format_args!("going back to the workers before: {error}"));
            }
            return Err(error.into());
        }
        Ok(self.state.roster().turn(next, who, wanted.why.clone(), trial))
    }

    /// Makes it so.
    fn change(&mut self, before: &Roster, next: &Roster) -> Result<(), Error> {
        Roster { cores: self.config.cores, poll: self.config.poll, burst: self.config.burst } =
            next.clone();
        while self.crew.len() < next.cores.len() {
            self.recruit(&next.cores)?;
        }
        let Self { crew, state, config, .. } = self;
        for (queue, &core) in next.cores.iter().enumerate() {
            if queue >= before.cores.len() {
                state.served(|interfaces| crew.hire((queue, core), config, interfaces))?;
            } else {
                crew.send(queue, core)?;
            }
        }
        crew.order(next);
        for queue in (next.cores.len()..before.cores.len()).rev() {
            state.served(|interfaces| crew.dismiss(queue, interfaces));
        }
        cores::keep_all_off(&next.cores);
        Ok(())
    }

    /// A mind for the next queue.
    fn recruit(&mut self, cores: &[usize]) -> Result<(), Error> {
        let core = cores.get(self.crew.len()).copied().unwrap_or(0);
        let rules = || self.state.desk().reader();
        let (board, tally, post) = join(&mut self.crew, &self.config, core, rules, &self.rings)?;
        self.state.join(board, tally, post);
        Ok(())
    }
}

/// Says it on one line: what somebody gives as a reason is not to look like a line of ours, nor to move a
/// terminal's cursor.
fn told(words: &str) {
    say(words.chars().filter(|one| !one.is_control()).take(LINE).collect::<String>());
}

/// Whether a roster is one, on this machine.
fn check(next: &Roster, queues: u32) -> Result<(), Misfit> {
    let wrong = |what: String| Err(Misfit::Wrong(what));
    let Roster { cores, burst, .. } = next;
    if cores.is_empty() {
        return wrong("no cores: list at least one, one worker runs on each".to_owned());
    }
    let twice = cores.iter().enumerate().find(|(place, core)| cores[..*place].contains(core));
    if let Some((_, core)) = twice {
        return wrong(format!("core {core} stands twice: each worker has a core of its own"));
    }
    let online = cores::online()?;
    if let Some(&core) = cores.iter().find(|core| !online.contains(core)) {
        return Err(Error::NoCore { core, online }.into());
    }
    if cores.len() > queues as usize {
        let workers = cores.len();
        return wrong(format!(
            "{workers} workers, but the interfaces were opened with {queues} queue(s) each: list fewer \
             cores, or give both more (ethtool -L NAME combined {workers}) and start the gateway anew"
        ));
    }
    if !(1..=filter::BURST).contains(&usize::from(*burst)) {
        return wrong(format!("a burst of {burst}: choose 1 to {}", filter::BURST));
    }
    Ok(())
}
