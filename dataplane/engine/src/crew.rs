//! The workers' threads, and the interfaces that they work over, which may go and come back.
//!
//! ```text
//!  served --an interface is gone, or is another one--> waiting (minds kept, frames home)
//!     ^                                                   |
//!     '------ both are there and up: sockets, programs <--'
//! ```
//! A gateway with one interface forwards nothing, so both sides stop together. What workers know
//! (flows, counters, held records) is kept; UMEM and sockets are made anew. The program of the
//! interface that stayed is left on, and with it the fail mode, until the new one takes its place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Instant,
};

use af_xdp_rs::Interface as Link;
use filter::{Filter, FilterConfig, Shared};

use crate::{
    Config, Error,
    board::Board,
    clock::Clock,
    cores,
    interface::{Interface, Pair},
    mail::Inbox,
    pace::Pace,
    publish::Publisher,
    pulse::{Pulse, Pulses},
    records::Sender,
    sandbox::{Kind, Sandbox},
    say,
    spent::Spent,
    thread::{Event, spawn},
    worker::{Mind, Snapshot, Worker},
};

/// The workers of a gateway: at work, or waiting for an interface.
#[derive(Debug)]
pub(crate) struct Crew {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Mind>>,
    /// Those that wait for interfaces.
    minds: Vec<Mind>,
    /// Those that are at work.
    pulses: Pulses,
    sandbox: Sandbox,
    events: mpsc::Sender<Event>,
}

impl Crew {
    /// Nobody at work yet.
    pub(crate) fn new(minds: Vec<Mind>, sandbox: Sandbox, events: mpsc::Sender<Event>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { stop, threads: Vec::new(), minds, pulses: Pulses::default(), sandbox, events }
    }

    /// Whether each worker has made a turn since the last time that this said so; who waits for interfaces
    /// hangs nowhere.
    pub(crate) fn moved(&mut self) -> bool {
        self.pulses.moved()
    }

    /// Whether it waits for interfaces.
    pub(crate) fn waits(&self) -> bool {
        self.threads.is_empty()
    }

    /// Opens both interfaces and puts all minds to work; `before` are those, if any, that they worked over.
    ///
    /// # Errors
    /// What the interfaces refuse; the minds wait on.
    pub(crate) fn start(
        &mut self,
        config: &Config,
        before: &[Interface],
    ) -> Result<[Interface; 2], Error> {
        let mut pair = Pair::open(config)?;
        pair.follow(before);
        let queues = 0..self.minds.len() as u32;
        let wires = queues.map(|queue| pair.sockets(queue)).collect::<Result<Vec<_>, _>>()?;
        let minds = std::mem::take(&mut self.minds);
        let pulses = minds.iter().map(|mind| mind.pulse.clone()).collect();
        let workers: Vec<_> =
            wires.into_iter().zip(minds).map(|(wires, mind)| Worker::new(wires, mind)).collect();
        if let Err(error) = pair.attach(&workers) {
            self.minds = workers.into_iter().map(Worker::leave).collect();
            return Err(error);
        }
        self.stop = Arc::new(AtomicBool::new(false));
        self.pulses = pulses;
        for (worker, &core) in workers.into_iter().zip(&config.cores) {
            let stop = Arc::clone(&self.stop);
            let asked = Arc::clone(&stop);
            let sandbox = self.sandbox.clone();
            let body = move || {
                if !cores::pin(core) {
                    say(format_args!("core {core} refuses to be pinned to; running anyway"));
                }
                sandbox.confine(Kind::Worker);
                worker.run(&stop)
            };
            self.threads.push(spawn(format!("worker-{core}"), asked, self.events.clone(), body)?);
        }
        Ok(pair.into_interfaces())
    }

    /// Ends all threads, their last records out and every frame home; the minds wait.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.pulses = Pulses::default();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so on standard error.
            if let Ok(mind) = thread.join() {
                self.minds.push(mind);
            }
        }
    }
}

/// Whether an interface of this name is there and up, and which; what it lacks otherwise.
pub(crate) fn present(name: &str) -> Result<u32, String> {
    match Link::find(name) {
        Ok(link) if link.up => Ok(link.index),
        Ok(_) => Err(format!("interface {name} is down")),
        Err(_) => Err(format!("interface {name} is gone")),
    }
}

/// What each worker is to know, one for each core.
///
/// # Errors
/// When the kernel has no random numbers.
pub(crate) fn minds(
    config: &Config,
    ends: Vec<(Sender, Inbox)>,
    publisher: &mut Publisher,
    started: Instant,
) -> Result<Vec<Mind>, Error> {
    let shared = Arc::new(Shared::new(config.flows * config.cores.len(), random_key()?));
    (0..)
        .zip(&config.cores)
        .zip(ends)
        .map(|((queue, &core), (records, inbox))| {
            let filter = Filter::new(
                FilterConfig {
                    flows: config.flows,
                    records_per_s: config.drops.records_per_s,
                    key: random_key()?,
                    timeouts: config.timeouts,
                },
                Arc::clone(&shared),
            );
            Ok(Mind {
                filter,
                rules: publisher.reader(),
                records,
                inbox,
                clock: Clock::new(started),
                poll: config.poll,
                board: Board::new(Snapshot { core, queue, ..Snapshot::default() }),
                pulse: Pulse::default(),
                kernel_dropped: [0; 2],
                longest_pause_ms: 0,
                pace: Pace::default(),
                spent: Spent::default(),
            })
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
