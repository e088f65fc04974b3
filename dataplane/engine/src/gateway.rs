//! A gateway from start to stop: what is opened in which order, and taken down in the reverse one.
//!
//! ```text
//!  start   policy -> control socket, drop log -> interfaces -> sockets -> programs -> threads
//!  stop    workers (frames home) -> programs off -> logger (rings empty) -> control socket
//! ```
//! What can be refused is asked for before an interface is touched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use filter::{DropRecord, Filter, FilterConfig, Shared};
use lookup::{Problem, Revision, Ruleset};
use rtrb::Consumer;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::sync::oneshot;

use crate::{
    Config, Error, Status,
    board::Board,
    clock::Clock,
    control::Control,
    cores,
    interface::Pair,
    logger::{Legends, Logger},
    privilege,
    publish::Publisher,
    records,
    state::State,
    worker::{Snapshot, Worker},
};

/// Drop records that may wait for the logger, per worker: a second of them at the default rate.
const RING_RECORDS: usize = 16_384;

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<State>,
    warnings: Vec<Problem>,
    stop: Arc<AtomicBool>,
    stop_logger: Arc<AtomicBool>,
    stop_control: oneshot::Sender<()>,
    workers: Vec<JoinHandle<()>>,
    logger: JoinHandle<()>,
    control: JoinHandle<Result<(), Error>>,
    events: mpsc::Receiver<Event>,
}

/// What ends a gateway, or changes it.
#[derive(Debug)]
enum Event {
    Stop,
    Reload,
    WorkerEnded(usize),
}

/// Tells the gateway that a worker's thread is over, however it ended.
struct Last {
    core: usize,
    events: mpsc::Sender<Event>,
}

impl Drop for Last {
    fn drop(&mut self) {
        // Nobody listens any more when the gateway itself is stopping.
        let _ = self.events.send(Event::WorkerEnded(self.core));
    }
}

impl Gateway {
    /// Opens everything and starts the threads; packets are judged from the moment this returns.
    ///
    /// # Errors
    /// The first thing that is missing, wrong or taken; nothing stays behind.
    pub fn start(config: &Config) -> Result<Self, Error> {
        privilege::check()?;
        check_cores(config)?;
        let (ruleset, warnings) = Ruleset::load(&config.policy, Revision(1)).map_err(Box::new)?;
        let control = Control::open(&config.socket, config.metrics)?;
        let (senders, rings) = config.cores.iter().map(|_| records::ring(RING_RECORDS)).unzip();
        let legends = Legends::default();
        legends.add(ruleset.revision(), Arc::clone(ruleset.legend()));
        let unwritten = Arc::new(AtomicU64::new(0));
        let logger = open_logger(config, rings, &legends, &unwritten)?;

        let started = Instant::now();
        let publisher = Publisher::new(ruleset);
        let pair = Pair::open(config)?;
        let workers = workers(config, &pair, senders, &publisher, started)?;
        let boards = workers.iter().map(|worker| worker.board.clone()).collect();
        pair.attach(&workers)?;

        let state = Arc::new(State::new(
            config.policy.clone(),
            publisher,
            legends,
            boards,
            pair.into_interfaces().into(),
            unwritten,
            started,
        ));
        Self::spawn(config, state, warnings, workers, logger, control)
    }

    fn spawn(
        config: &Config,
        state: Arc<State>,
        warnings: Vec<Problem>,
        workers: Vec<Worker>,
        logger: Logger,
        control: Control,
    ) -> Result<Self, Error> {
        let (sender, events) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stop_logger = Arc::new(AtomicBool::new(false));
        let (stop_control, control_stopped) = oneshot::channel();
        signals(sender.clone())?;
        let workers = workers
            .into_iter()
            .zip(&config.cores)
            .map(|(worker, &core)| {
                let last = Last { core, events: sender.clone() };
                let stop = Arc::clone(&stop);
                spawn(format!("worker-{core}"), move || {
                    let _last = last;
                    if !cores::pin(core) {
                        eprintln!("palisade: core {core} refuses to be pinned to; running anyway");
                    }
                    worker.run(&stop);
                })
            })
            .collect::<Result<_, _>>()?;
        let (busy, stopped) = (config.cores.clone(), Arc::clone(&stop_logger));
        let logger = spawn("logger".into(), move || {
            cores::keep_off(&busy);
            logger.run(&stopped);
        })?;
        let (busy, served) = (config.cores.clone(), Arc::clone(&state));
        let control = spawn("control".into(), move || {
            cores::keep_off(&busy);
            control.serve(served, control_stopped)
        })?;
        cores::keep_off(&config.cores);
        Ok(Self {
            state,
            warnings,
            stop,
            stop_logger,
            stop_control,
            workers,
            logger,
            control,
            events,
        })
    }

    /// What the operator should know about the policy.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The gateway now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// Runs until SIGINT or SIGTERM, reloads at SIGHUP; returns the last status.
    ///
    /// # Errors
    /// [`Error::WorkerEnded`] when a worker's thread is over before it was asked to.
    pub fn run(self) -> Result<Status, Error> {
        let ended = loop {
            match self.events.recv() {
                Ok(Event::Reload) => match self.state.reload() {
                    Ok(reloaded) => eprintln!("palisade: {reloaded}"),
                    Err(error) => {
                        eprintln!("palisade: the last good policy stays in force: {error}");
                    }
                },
                Ok(Event::WorkerEnded(core)) => break Some(core),
                Ok(Event::Stop) | Err(_) => break None,
            }
        };
        let status = self.stop();
        match ended {
            None => Ok(status),
            Some(core) => Err(Error::WorkerEnded { core }),
        }
    }

    /// Takes everything down; the last records are written and every frame is home.
    fn stop(self) -> Status {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            // A worker that panicked has said so on standard error.
            let _ = worker.join();
        }
        for interface in self.state.interfaces() {
            interface.detach();
        }
        self.stop_logger.store(true, Ordering::Release);
        let _ = self.logger.join();
        let status = self.state.status();
        let _ = self.stop_control.send(());
        if let Ok(Err(error)) = self.control.join() {
            eprintln!("palisade: {error}");
        }
        status
    }
}

fn check_cores(config: &Config) -> Result<(), Error> {
    let online = cores::online()?;
    match config.cores.iter().find(|core| !online.contains(core)) {
        Some(&core) => Err(Error::NoCore { core, online }),
        None => Ok(()),
    }
}

fn open_logger(
    config: &Config,
    rings: Vec<Consumer<DropRecord>>,
    legends: &Legends,
    unwritten: &Arc<AtomicU64>,
) -> Result<Logger, Error> {
    let interfaces = [config.outside.clone(), config.inside.clone()];
    Logger::open(&config.drops, interfaces, rings, legends.clone(), Arc::clone(unwritten))
}

/// One worker for each core, with its queue's sockets on one UMEM.
fn workers(
    config: &Config,
    pair: &Pair,
    senders: Vec<records::Sender>,
    publisher: &Publisher,
    started: Instant,
) -> Result<Vec<Worker>, Error> {
    let shared = Arc::new(Shared::new(config.flows * config.cores.len(), random_key()?));
    (0..)
        .zip(&config.cores)
        .zip(senders)
        .map(|((queue, &core), records)| {
            let (umem, free, sockets) = pair.sockets(queue)?;
            let filter = Filter::new(
                FilterConfig {
                    flows: config.flows,
                    records_per_s: config.records_per_s,
                    key: random_key()?,
                    timeouts: config.timeouts,
                },
                Arc::clone(&shared),
            );
            let board = Board::new(Snapshot {
                core,
                queue,
                mode: sockets[0].granted().name().to_owned(),
                ..Snapshot::default()
            });
            let (rules, clock) = (publisher.reader(), Clock::new(started));
            let poll = config.poll;
            Ok(Worker { sockets, umem, free, filter, rules, records, clock, poll, board })
        })
        .collect()
}

/// A key that nobody outside knows: the kernel's random numbers (getrandom(2)).
fn random_key() -> Result<[u8; 16], Error> {
    let mut key = [0; 16];
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::io("read", "random numbers")(errno.into()))?;
    Ok(key)
}

fn signals(events: mpsc::Sender<Event>) -> Result<(), Error> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::io("wait for", "signals"))?;
    spawn("signals".into(), move || {
        for signal in signals.forever() {
            let event = if signal == SIGHUP { Event::Reload } else { Event::Stop };
            if events.send(event).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn spawn<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    thread::Builder::new().name(name.clone()).spawn(body).map_err(Error::io("start thread", name))
}
