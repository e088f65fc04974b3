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
    board::Board,
    clock::unix_ns,
    interface::Interface,
    logger::Legends,
    publish::Publisher,
    status::{GeoAge, Packets, RecordCounts, Status, WorkerStatus},
    worker::Snapshot,
};

/// The running gateway as seen from outside its workers.
#[derive(Debug)]
pub(crate) struct State {
    policy: PathBuf,
    publisher: Mutex<Publisher>,
    legends: Legends,
    workers: Vec<Board<Snapshot>>,
    interfaces: [Interface; 2],
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
        interfaces: [Interface; 2],
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
    pub(crate) fn interfaces(&self) -> &[Interface; 2] {
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
            geo: geo_age(&ruleset),
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
        status.warnings = age_warnings(&ruleset, &status.geo);
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

fn geo_age(ruleset: &Ruleset) -> GeoAge {
    let info = &ruleset.geo().country;
    let build = info.build_epoch_secs.and_then(|seconds| i64::try_from(seconds).ok());
    let now = i64::try_from(unix_ns() / 1_000_000_000).unwrap_or(i64::MAX);
    GeoAge {
        build: build
            .and_then(|build| jiff::Timestamp::from_second(build).ok())
            .map(|t| t.to_string()),
        age_days: build.map(|build| (now - build).max(0) / 86_400),
        source: info.source.clone(),
    }
}

/// What the operator should do about the country database.
fn age_warnings(ruleset: &Ruleset, geo: &GeoAge) -> Vec<String> {
    let facts = ruleset.geo();
    let limit = i64::from(facts.max_age_days);
    let mut warnings = Vec::new();
    if facts.country.embedded {
        let age = geo.age_days.unwrap_or(0);
        warnings.push(format!(
            "countries come from the embedded table, {age} days old: name a better one with [geo] \
             country = \"FILE.mmdb\" in the policy"
        ));
    } else if let Some(days) = geo.age_days.filter(|days| *days > limit) {
        warnings.push(format!(
            "the country database {} is {days} days old, more than max_age_days = {limit}: fetch a \
             new one and run palisade reload",
            geo.source
        ));
    }
    warnings
}
