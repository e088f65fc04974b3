//! What the control socket and the signals share: the publisher, and where the counters stand.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use filter::DropReason;
use lookup::{LoadError, Ruleset};

use crate::{
    GeoAge,
    board::Board,
    interface::Interface,
    logger::Legends,
    publish::Publisher,
    status::{Packets, RecordCounts, Status, WorkerStatus},
    worker::Snapshot,
};

/// The running gateway as seen from outside its workers.
#[derive(Debug)]
pub(crate) struct State {
    policy: PathBuf,
    publisher: Mutex<Publisher>,
    legends: Legends,
    workers: Vec<Board<Snapshot>>,
    /// Outside, then inside; none in a rehearsal.
    interfaces: Vec<Interface>,
    unwritten: Arc<AtomicU64>,
    started: Instant,
}

/// What a reload did.
#[derive(Debug)]
pub(crate) struct Reloaded {
    revision: u32,
    compiled_in: Duration,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, compiled_in } = self;
        write!(f, "revision {revision} is in force, compiled in {} ms", compiled_in.as_millis())
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
        unwritten: Arc<AtomicU64>,
        started: Instant,
    ) -> Self {
        let publisher = Mutex::new(publisher);
        Self { policy, publisher, legends, workers, interfaces, unwritten, started }
    }

    /// Compiles the policy again and publishes it; the last good one stays when it has a mistake.
    ///
    /// # Errors
    /// Everything that is wrong with the policy.
    pub(crate) fn reload(&self) -> Result<Reloaded, LoadError> {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let (ruleset, _) = Ruleset::load(&self.policy, publisher.next_revision())?;
        let revision = ruleset.revision();
        self.legends.add(revision, Arc::clone(ruleset.legend()));
        publisher.publish(ruleset);
        Ok(Reloaded { revision: revision.0, compiled_in: begun.elapsed() })
    }

    /// The interfaces, outside first.
    #[must_use]
    pub(crate) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The gateway now.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        let ruleset = {
            let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
            publisher.collect();
            publisher.current()
        };
        let snapshots: Vec<Snapshot> = self.workers.iter().map(Board::read).collect();
        let workers: Vec<WorkerStatus> = snapshots.iter().map(worker_status).collect();
        let mut status = Status {
            flows: workers.iter().map(|worker| worker.flows).sum(),
            revision: ruleset.revision().0,
            geo: GeoAge::of(&ruleset),
            unwritten: self.unwritten.load(Ordering::Relaxed),
            uptime_s: self.started.elapsed().as_secs(),
            ..Status::default()
        };
        for worker in &workers {
            status.packets.add(&worker.packets);
        }
        for (place, domain) in ruleset.legend().domains().iter().enumerate() {
            let entry = status.domains.entry(domain.name.clone()).or_default();
            for counters in snapshots.iter().filter_map(|snapshot| snapshot.domains.get(place)) {
                entry.allowed += counters.allowed;
                entry.dropped += counters.dropped;
                entry.shadowed += counters.shadowed;
            }
        }
        status.interfaces = self
            .interfaces
            .iter()
            .enumerate()
            .map(|(side, interface)| {
                interface.status(snapshots.iter().map(|worker| worker.kernel_dropped[side]).sum())
            })
            .collect();
        status.warnings = status.geo.warning(&ruleset).iter().map(ToString::to_string).collect();
        status.workers = workers;
        status
    }
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
