//! What the control socket and the signals share: where policies change, and where the counters stand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Instant,
};

use filter::{DropReason, Tally};

use crate::{
    Error, GeoAge,
    board::Board,
    change::Desk,
    interface::Interface,
    mail::Post,
    recent::Recent,
    roster,
    spent::Shown,
    standing,
    status::{Packets, RecordCounts, Status, WorkerState, WorkerStatus},
    tallies,
    thread::Event,
    view::View,
    worker::Snapshot,
};

/// The running gateway as seen from outside its workers.
#[derive(Debug)]
pub(crate) struct State {
    desk: Arc<Desk>,
    /// In the order of their queues.
    workers: Mutex<Vec<Board<Snapshot>>>,
    roster: roster::Book,
    interfaces: Mutex<Served>,
    view: View,
    started: Instant,
    /// The gateway's own thread; nobody's in a rehearsal.
    events: Option<mpsc::Sender<Event>>,
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

impl State {
    /// Puts the parts together.
    #[must_use]
    pub(crate) fn new(
        desk: Arc<Desk>,
        roster: roster::Book,
        interfaces: Vec<Interface>,
        (view, started): (View, Instant),
        events: Option<mpsc::Sender<Event>>,
    ) -> Self {
        let interfaces =
            Mutex::new(Served { interfaces, unserved: Default::default(), missing: None });
        let workers = Mutex::default();
        Self { desk, workers, roster, interfaces, view, started, events }
    }

    /// Shows another worker: the one of the next queue.
    pub(crate) fn join(&self, board: Board<Snapshot>, tally: Arc<Tally>, post: Post) {
        lock(&self.workers).push(board);
        self.view.tallies.add(tally);
        self.view.mail.add(post);
    }

    /// Who works where.
    pub(crate) fn roster(&self) -> &roster::Book {
        &self.roster
    }

    /// Tells the gateway's own thread; `false` when there is none any more.
    pub(crate) fn tell(&self, event: Event) -> bool {
        self.events.as_ref().is_some_and(|events| events.send(event).is_ok())
    }

    /// Queues that both interfaces have.
    pub(crate) fn queues(&self) -> u32 {
        lock(&self.interfaces).interfaces.iter().map(Interface::queues).min().unwrap_or(0)
    }

    /// Shows `body` the interfaces, which stay as they are meanwhile.
    pub(crate) fn served<T>(&self, body: impl FnOnce(&[Interface]) -> T) -> T {
        body(&lock(&self.interfaces).interfaces)
    }

    /// Where the policy in force is changed.
    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
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
        for (place, worker) in lock(&self.workers).iter().enumerate() {
            let (queue, dropped) = worker.look(|shown| (shown.queue, shown.kernel_dropped));
            for (side, (interface, dropped)) in served.interfaces.iter().zip(dropped).enumerate() {
                turn([place, side], interface, queue, dropped);
            }
        }
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        lock(&self.workers).len()
    }

    /// Takes the programs off both interfaces.
    pub(crate) fn detach(&self) {
        lock(&self.interfaces).interfaces.iter().for_each(Interface::detach);
    }

    /// The gateway now, in a line for the service's supervisor: cheaper than its status.
    pub(crate) fn line(&self) -> String {
        let served = lock(&self.interfaces);
        if let Some(missing) = &served.missing {
            return format!("nothing is forwarded: {missing}");
        }
        let names: Vec<&str> = served.interfaces.iter().map(Interface::name).collect();
        let (revision, waits) = self.desk.in_force();
        let trial = if waits { ", on trial" } else { "" };
        format!(
            "{}, {} worker(s), revision {revision}{trial}",
            names.join(" <-> "),
            self.roster.now().cores.len()
        )
    }

    /// What the threads let others see.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The gateway now.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        let standing = self.desk.standing();
        let roster = self.roster.now();
        let ruleset = &standing.ruleset;
        let mut snapshots: Vec<Snapshot> = lock(&self.workers).iter().map(Board::read).collect();
        snapshots.retain(|worker| worker.state != WorkerState::New);
        let workers: Vec<WorkerStatus> = snapshots.iter().map(worker_status).collect();
        let mut status = Status {
            flows: workers.iter().map(|worker| worker.flows).sum(),
            revision: ruleset.revision().0,
            geo: GeoAge::of(ruleset),
            policy: standing::status(&standing),
            unwritten: self.view.ledger.log.lost(),
            sinks: self.view.ledger.status(&self.view.log.to_string_lossy()),
            patterns: patterns(&self.view.recent),
            sandbox: self.view.sandbox.status(),
            poll: roster.poll.to_string(),
            burst: roster.burst.into(),
            uptime_s: self.started.elapsed().as_secs(),
            ..Status::default()
        };
        for worker in &workers {
            status.packets.add(&worker.packets);
        }
        let mut spent = Shown::default();
        snapshots.iter().for_each(|worker| spent.add(&worker.spent));
        status.time = spent.status();
        tallies::fill(&mut status, &self.view.tallies.all(), ruleset.legend());
        status.warnings = status.geo.warnings(ruleset).iter().map(ToString::to_string).collect();
        status.warnings.extend(standing::warnings(&standing));
        status.warnings.extend(self.view.ledger.troubles());
        status.warnings.extend(status.sandbox.warning());
        status.warnings.extend(self.roster.warning());
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

fn patterns(recent: &Recent) -> BTreeMap<String, u64> {
    recent.patterns().map(|(kind, count)| (kind.as_str().to_owned(), count)).collect()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
        state: snapshot.state,
        frames: snapshot.frames,
        flows: counters.flows,
        revision: snapshot.revision,
        longest_pause_ms: snapshot.longest_pause_ms,
        in_bulk: snapshot.in_bulk,
        burst_ns: snapshot.burst_ns,
        time: snapshot.spent.status(),
        packets: Packets {
            received: counters.received,
            forwarded: counters.forwarded,
            leased: counters.leased,
            passed: counters.passed,
            dropped,
            records: records(counters.records),
            shadowed: counters.shadowed,
            shadow_records: records(counters.shadow_records),
            exceptions: counters.exceptions,
            exception_records: records(counters.exception_records),
        },
    }
}

fn records(counters: filter::RecordCounters) -> RecordCounts {
    let filter::RecordCounters { recorded, suppressed, lost } = counters;
    RecordCounts { recorded, suppressed, lost }
}
