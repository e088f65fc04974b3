//! Filters over compiled policies, and a clock that the test turns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use filter::{
    Action, Actions, BURST, Counters, DropReason, DropRecord, Filter, FilterConfig, Now, Shared,
    Timeouts,
};
use lookup::{Moment, Revision, Ruleset, Side};

/// Workers that share what workers share, and one ruleset.
pub(crate) struct Lab {
    pub(crate) rules: Arc<Ruleset>,
    pub(crate) workers: Vec<Filter>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) records: Vec<DropRecord>,
    pub(crate) now_ms: u64,
}

thread_local! {
    /// Rulesets that were compiled before, by name and revision.
    static COMPILED: RefCell<HashMap<(String, u32), Arc<Ruleset>>> = RefCell::default();
}

/// The ruleset of `tests/data/{name}.toml`.
fn ruleset(name: &str, revision: u32) -> Arc<Ruleset> {
    COMPILED.with_borrow_mut(|compiled| {
        let entry = compiled.entry((name.to_owned(), revision));
        Arc::clone(entry.or_insert_with(|| Arc::new(compile(name, revision))))
    })
}

fn compile(name: &str, revision: u32) -> Ruleset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.toml"));
    Ruleset::load(&path, Moment::default(), Revision(revision)).expect("a test policy compiles").0
}

impl Lab {
    pub(crate) fn new(policy: &str) -> Self {
        Self::with(policy, 1, 4096, 1_000_000)
    }

    pub(crate) fn with(policy: &str, workers: u8, flows: usize, records_per_s: u32) -> Self {
        Self::timed(policy, workers, (flows, records_per_s), Timeouts::default())
    }

    pub(crate) fn timed(
        policy: &str,
        workers: u8,
        (flows, records_per_s): (usize, u32),
        timeouts: Timeouts,
    ) -> Self {
        let shared = Arc::new(Shared::new(flows, [7; 16]));
        let worker = |key| {
            let config = FilterConfig { flows, records_per_s, key: [key; 16], timeouts };
            Filter::new(config, Arc::clone(&shared))
        };
        Self {
            rules: ruleset(policy, 1),
            workers: (0..workers).map(worker).collect(),
            shared: Arc::clone(&shared),
            records: Vec::new(),
            now_ms: 1_000_000,
        }
    }

    /// Gives the workers flow tables of another size; what they share stays as big as it was.
    pub(crate) fn shrink(&mut self, flows: usize, timeouts: Timeouts) {
        for (key, worker) in (50..).zip(&mut self.workers) {
            let config = FilterConfig { flows, records_per_s: 1000, key: [key; 16], timeouts };
            *worker = Filter::new(config, Arc::clone(&self.shared));
        }
    }

    pub(crate) fn reload(&mut self, policy: &str) {
        self.rules = ruleset(policy, self.rules.revision().0 + 1);
    }

    pub(crate) fn now(&self) -> Now {
        Now { unix_ns: 1_700_000_000_000_000_000, mono_ms: self.now_ms }
    }

    /// Sends frames in bursts to one worker; the identities hold after each.
    pub(crate) fn burst(&mut self, worker: usize, side: Side, frames: &[Vec<u8>]) -> Vec<Action> {
        let mut all = Vec::new();
        let mut actions = Actions::new();
        for chunk in frames.chunks(BURST) {
            let chunk: Vec<&[u8]> = chunk.iter().map(Vec::as_slice).collect();
            let now = self.now();
            let filter = &mut self.workers[worker];
            filter.process(&self.rules, now, side, &chunk, &mut actions, &mut self.records);
            assert_eq!(actions.len(), chunk.len());
            assert!(filter.counters().balanced(), "{:#?}", filter.counters());
            all.extend(actions.iter().copied());
        }
        all
    }

    /// One frame to one worker.
    pub(crate) fn send_to(&mut self, worker: usize, side: Side, frame: &[u8]) -> Action {
        self.burst(worker, side, &[frame.to_vec()])[0]
    }

    /// One frame to the only worker.
    pub(crate) fn send(&mut self, side: Side, frame: &[u8]) -> Action {
        self.send_to(0, side, frame)
    }

    /// One frame that is dropped; why.
    pub(crate) fn refused(&mut self, side: Side, frame: &[u8]) -> DropReason {
        assert_eq!(self.send(side, frame), Action::Drop);
        self.records.last().and_then(DropRecord::reason).expect("a drop has a record")
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.workers[0].counters()
    }
}
