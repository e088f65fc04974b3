//! What the control socket and the signals share: the publisher, and where the counters stand.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use filter::{DomainTally, DropReason};
use lookup::{LoadError, Problem, Ruleset};

use crate::{
    Error, GeoAge,
    board::Board,
    interface::Interface,
    logger::Legends,
    publish::Publisher,
    status::{Packets, RecordCounts, Status, WorkerStatus},
    view::View,
    worker::Snapshot,
};

/// The running gateway as seen from outside its workers.
#[derive(Debug)]
pub(crate) struct State {
    policy: PathBuf,
    /// Held while a policy is compiled, so that reloads come one after the other.
    loading: Mutex<()>,
    /// Held for moments only: `status` needs it, also while a large policy is compiled.
    publisher: Mutex<Publisher>,
    legends: Legends,
    workers: Vec<Board<Snapshot>>,
    interfaces: Mutex<Served>,
    view: View,
    started: Instant,
}

/// The interfaces, outside first.
#[derive(Debug)]
struct Served {
    /// None in a rehearsal.
    interfaces: Vec<Interface>,
    /// Packets that programs of earlier interfaces dropped and bridged.
    unserved: [[u64; 2]; 2],
    /// Why nothing is forwarded, when an interface is missing.
    missing: Option<String>,
}

/// What a reload did.
#[derive(Debug)]
pub(crate) struct Reloaded {
    revision: u32,
    compiled_in: Duration,
    warnings: Vec<String>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, compiled_in, warnings } = self;
        write!(f, "revision {revision} is in force, compiled in {} ms", compiled_in.as_millis())?;
        warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl State {
    /// Puts the parts together.
    #[must_use]
    pub(crate) fn new(
        policy: PathBuf,
        publisher: Publisher,
        legends: Legends,
        workers: Vec<Board<Snapshot>>,
        interfaces: Vec<Interface>,
        view: View,
        started: Instant,
    ) -> Self {
        let publisher = Mutex::new(publisher);
        let loading = Mutex::new(());
        let interfaces =
            Mutex::new(Served { interfaces, unserved: Default::default(), missing: None });
        Self { policy, loading, publisher, legends, workers, interfaces, view, started }
    }

    /// Compiles the policy again and publishes it; the last good one stays when it has a mistake.
    ///
    /// # Errors
    /// Everything that is wrong with the policy.
    pub(crate) fn reload(&self) -> Result<Reloaded, LoadError> {
        let _one = lock(&self.loading);
        let begun = Instant::now();
        let (before, next) = {
            let publisher = lock(&self.publisher);
            (publisher.current(), publisher.next_revision())
        };
        let (ruleset, problems) = Ruleset::load(&self.policy, SystemTime::now().into(), next)?;
        let revision = ruleset.revision();
        let mut warnings: Vec<String> = problems.iter().map(say).collect();
        warnings.extend(unsafe_now(&before, &ruleset));
        // The publisher alone holds what is superseded, so that no table is freed here.
        drop(before);
        self.legends.add(revision, Arc::clone(ruleset.legend()));
        lock(&self.publisher).publish(ruleset);
        Ok(Reloaded { revision: revision.0, compiled_in: begun.elapsed(), warnings })
    }

    /// The kernel's numbers of the interfaces that are served, outside first.
    pub(crate) fn indices(&self) -> Vec<u32> {
        lock(&self.interfaces).interfaces.iter().map(Interface::index).collect()
    }

    /// Puts the interfaces that `open` finds in the place of those before.
    ///
    /// # Errors
    /// Those of `open`; the interfaces before stay.
    pub(crate) fn reopen(
        &self,
        open: impl FnOnce(&[Interface]) -> Result<[Interface; 2], Error>,
    ) -> Result<(), Error> {
        let mut served = lock(&self.interfaces);
        let next = open(&served.interfaces)?;
        let Served { interfaces, unserved, .. } = &mut *served;
        for (interface, sum) in interfaces.iter().zip(unserved) {
            let last = interface.status(0);
            sum[0] += last.unserved_dropped;
            sum[1] += last.unserved_bridged;
        }
        served.interfaces = next.into();
        Ok(())
    }

    /// Says why nothing is forwarded; answers whether that is news.
    pub(crate) fn miss(&self, missing: Option<String>) -> bool {
        let mut served = lock(&self.interfaces);
        let news = served.missing != missing;
        served.missing = missing;
        news
    }

    /// Shows `turn` each queue of each interface: the worker's place, the side, the queue, and what the
    /// kernel dropped there so far.
    pub(crate) fn each_queue(&self, mut turn: impl FnMut([usize; 2], &Interface, u32, u64)) {
        let served = lock(&self.interfaces);
        for (place, worker) in self.workers.iter().enumerate() {
            let (queue, dropped) = worker.look(|shown| (shown.queue, shown.kernel_dropped));
            for (side, (interface, dropped)) in served.interfaces.iter().zip(dropped).enumerate() {
                turn([place, side], interface, queue, dropped);
            }
        }
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Takes the programs off both interfaces.
    pub(crate) fn detach(&self) {
        lock(&self.interfaces).interfaces.iter().for_each(Interface::detach);
    }

    /// What the threads let others see.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The gateway now.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        let ruleset = {
            let mut publisher = lock(&self.publisher);
            publisher.collect();
            publisher.current()
        };
        let snapshots: Vec<Snapshot> = self.workers.iter().map(Board::read).collect();
        let workers: Vec<WorkerStatus> = snapshots.iter().map(worker_status).collect();
        let mut status = Status {
            flows: workers.iter().map(|worker| worker.flows).sum(),
            revision: ruleset.revision().0,
            geo: GeoAge::of(&ruleset),
            unwritten: self.view.ledger.log.lost(),
            sinks: self.view.ledger.status(&self.view.log.to_string_lossy()),
            uptime_s: self.started.elapsed().as_secs(),
            ..Status::default()
        };
        for worker in &workers {
            status.packets.add(&worker.packets);
        }
        for domain in ruleset.legend().domains() {
            let mut all = DomainTally::default();
            for tally in snapshots.iter().filter_map(|snapshot| snapshot.tally.as_ref()) {
                tally.add_to(&mut all, Some(&domain.name), 0);
            }
            let entry = status.domains.entry(domain.name.clone()).or_default();
            entry.allowed += all.packets.allowed;
            entry.dropped += all.packets.dropped;
            entry.shadowed += all.packets.shadowed;
        }
        status.warnings = status.geo.warning(&ruleset).iter().map(ToString::to_string).collect();
        status.warnings.extend(self.view.ledger.troubles());
        let served = lock(&self.interfaces);
        let places = served.interfaces.iter().zip(&served.unserved).enumerate();
        status.interfaces = places
            .map(|(side, (interface, [dropped, bridged]))| {
                let kernel_dropped = snapshots.iter().map(|worker| worker.kernel_dropped[side]);
                let mut status = interface.status(kernel_dropped.sum());
                status.unserved_dropped += dropped;
                status.unserved_bridged += bridged;
                status
            })
            .collect();
        let missing = served.missing.as_ref();
        status.warnings.extend(missing.map(|missing| format!("nothing is forwarded: {missing}")));
        status.workers = workers;
        status
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(problem: &Problem) -> String {
    format!("{problem}; {}", problem.help_text())
}

/// Failsafe networks of the ruleset before that the next one no longer has.
fn unsafe_now(before: &Ruleset, next: &Ruleset) -> impl Iterator<Item = String> {
    let gone = before
        .failsafe()
        .iter()
        .filter(|network| !next.failsafe().iter().any(|kept| kept.contains(*network)));
    gone.map(|network| {
        format!(
            "{network} is no longer failsafe; if that was not meant, add it to `failsafe` again"
        )
    })
}

fn worker_status(snapshot: &Snapshot) -> WorkerStatus {
    let counters = &snapshot.counters;
    let dropped = DropReason::ALL
        .iter()
        .zip(counters.dropped)
        .filter(|(_, packets)| *packets > 0)
        .map(|(reason, packets)| (reason.as_str().to_owned(), packets))
        .collect();
    WorkerStatus {
        core: snapshot.core,
        queue: snapshot.queue,
        mode: snapshot.mode.clone(),
        frames: snapshot.frames,
        flows: counters.flows,
        revision: snapshot.revision,
        longest_pause_ms: snapshot.longest_pause_ms,
        burst_ns: snapshot.burst_ns,
        packets: Packets {
            received: counters.received,
            forwarded: counters.forwarded,
            passed: counters.passed,
            dropped,
            records: records(counters.records),
            shadowed: counters.shadowed,
            shadow_records: records(counters.shadow_records),
        },
    }
}

fn records(counters: filter::RecordCounters) -> RecordCounts {
    let filter::RecordCounters { recorded, suppressed, lost } = counters;
    RecordCounts { recorded, suppressed, lost }
}
