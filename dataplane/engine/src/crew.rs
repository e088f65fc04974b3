//! The workers' threads, and the interfaces that they work over, which may go and come back.
//!
//! ```text
//!  served --an interface is gone, or is another one--> waiting (minds kept, frames home)
//!     ^                                                   |
//!     '------ both are there and up: sockets, programs <--'
//!
//!  a seat for each queue:  at work --dismiss--> rests (mind kept) --hire--> at work
//! ```
//! A gateway with one interface forwards nothing, so both sides stop together. What workers know
//! (flows, counters, held records) is kept; UMEM and sockets are made anew. The program of the
//! interface that stayed is left on, and with it the fail mode, until the new one takes its place.
//!
//! A queue alone gets a worker, loses it, or has it moved, while the others go on ([`hire`](Crew::hire)):
//! they share no UMEM, no ring and no lock with it.

mod work;

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use af_xdp_rs::Interface as Link;
use filter::{Filter, FilterConfig, Shared};

use self::work::Work;
use crate::{
    Config, Error,
    board::Board,
    clock::Clock,
    interface::{Interface, Pair, serve, unserve, wires},
    mail::Inbox,
    pace::Pace,
    publish::Reader,
    pulse::{Pulse, Pulses},
    records::Sender,
    roster::Roster,
    sandbox::Sandbox,
    spent::Spent,
    status::WorkerState,
    thread::Event,
    worker::{Mind, Snapshot},
};

/// How long a worker may take to go to another core: many times its longest sleep.
const GOES: Duration = Duration::from_secs(1);

/// The workers of a gateway, by queue: at work, resting, or waiting for an interface.
#[derive(Debug)]
pub(crate) struct Crew {
    seats: Vec<Seat>,
    shared: Arc<Shared>,
    started: Instant,
    /// Those that are at work.
    pulses: Pulses,
    sandbox: Sandbox,
    events: mpsc::Sender<Event>,
}

/// The place of a queue's worker: its thread when it is at work, its mind otherwise.
#[derive(Debug)]
struct Seat {
    work: Option<Work>,
    mind: Option<Mind>,
    board: Board<Snapshot>,
    pulse: Pulse,
}

impl Crew {
    /// Nobody at all yet.
    ///
    /// # Errors
    /// When the kernel has no random numbers.
    pub(crate) fn new(
        config: &Config,
        started: Instant,
        sandbox: Sandbox,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(config.flows * config.cores.len(), random_key()?));
        let (seats, pulses) = (Vec::new(), Pulses::default());
        Ok(Self { seats, shared, started, pulses, sandbox, events })
    }

    /// Whether each worker has made a turn since the last time that this said so; who waits for interfaces,
    /// or rests, hangs nowhere.
    pub(crate) fn moved(&mut self) -> bool {
        self.pulses.moved()
    }

    /// Watches the pulses of those that are at work now.
    fn watch(&mut self) {
        let at_work = self.seats.iter().filter(|seat| seat.work.is_some());
        self.pulses = at_work.map(|seat| seat.pulse.clone()).collect();
    }

    /// A mind for the next queue, which rests. It judges by `rules`, made when nothing can fail any more:
    /// changes wait for each reader.
    ///
    /// # Errors
    /// When the kernel has no random numbers.
    pub(crate) fn join(
        &mut self,
        config: &Config,
        core: usize,
        (records, inbox): (Sender, Inbox),
        rules: impl FnOnce() -> Reader,
    ) -> Result<&Mind, Error> {
        let filter = FilterConfig {
            flows: config.flows,
            records_per_s: config.drops.records_per_s,
            key: random_key()?,
            timeouts: config.timeouts,
        };
        let queue = self.seats.len() as u32;
        let mind = Mind {
            filter: Filter::new(filter, Arc::clone(&self.shared)),
            rules: rules(),
            records,
            inbox,
            clock: Clock::new(self.started),
            board: Board::new(Snapshot { core, queue, ..Snapshot::default() }),
            pulse: Pulse::default(),
            kernel_dropped: [0; 2],
            longest_pause_ms: 0,
            in_bulk: 0,
            pace: Pace::default(),
            spent: Spent::default(),
        };
        let (board, pulse) = (mind.board.clone(), mind.pulse.clone());
        self.seats.push(Seat { work: None, mind: None, board, pulse });
        let place = self.seats.len() - 1;
        Ok(self.seats[place].mind.insert(mind))
    }

    /// How many queues have had a worker.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether it waits for interfaces.
    pub(crate) fn waits(&self) -> bool {
        self.seats.iter().all(|seat| seat.work.is_none())
    }

    /// Whether a mind is not at work.
    pub(crate) fn rests(&self) -> bool {
        self.seats.iter().any(|seat| seat.mind.is_some())
    }

    /// What minds do that are not at work.
    pub(crate) fn rest(&mut self) {
        self.seats.iter_mut().filter_map(|seat| seat.mind.as_mut()).for_each(Mind::rest);
    }

    /// Opens both interfaces and puts the minds of the configured queues to work; `before` are those,
    /// if any, that they worked over.
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
        let queues = 0..config.cores.len() as u32;
        let all: Vec<_> = queues.map(|queue| pair.sockets(queue)).collect::<Result<_, _>>()?;
        let roster = Roster::of(config);
        let prepare =
            |core: &usize| Work::prepare(*core, &roster, self.sandbox.clone(), self.events.clone());
        let works: Vec<_> = config.cores.iter().map(prepare).collect::<Result<_, _>>()?;
        pair.attach(&all)?;
        for ((seat, wires), (work, hand)) in self.seats.iter_mut().zip(all).zip(works) {
            // Without a mind its thread panicked, and the gateway is about to end.
            if let Some(mind) = seat.mind.take() {
                hand.over(wires, mind);
                seat.work = Some(work);
            }
        }
        self.watch();
        Ok(pair.into_interfaces())
    }

    /// Ends all threads, their last records out and every frame home; the minds wait.
    pub(crate) fn stop(&mut self) {
        self.pulses = Pulses::default();
        self.seats.iter().filter_map(|seat| seat.work.as_ref()).for_each(Work::stop);
        for seat in &mut self.seats {
            if let Some(work) = seat.work.take() {
                seat.mind = work.end();
                seat.mind.iter().for_each(|mind| mind.leave(WorkerState::Waiting));
            }
        }
    }

    /// Puts the mind of a queue to work, whose frames fell to the fail mode until now.
    ///
    /// # Errors
    /// What the interfaces or the system refuse; the queue is as it was.
    pub(crate) fn hire(
        &mut self,
        (queue, core): (usize, usize),
        config: &Config,
        interfaces: &[Interface],
    ) -> Result<(), Error> {
        let Some(seat) = self.seats.get_mut(queue).filter(|seat| seat.work.is_none()) else {
            return Ok(());
        };
        let wires = wires(interfaces, config, queue as u32)?;
        let roster = Roster::of(config);
        let (work, hand) = Work::prepare(core, &roster, self.sandbox.clone(), self.events.clone())?;
        // The frames that come before the worker's first turn wait in its rings.
        serve(interfaces, queue as u32, &wires)?;
        if let Some(mind) = seat.mind.take() {
            hand.over(wires, mind);
            seat.work = Some(work);
        }
        self.watch();
        let arrived = self.arrived(queue, core);
        if arrived.is_err() {
            self.dismiss(queue, interfaces);
        }
        arrived
    }

    /// Takes the worker from a queue: what comes from now on falls to the fail mode, what came is
    /// judged, and its mind rests.
    pub(crate) fn dismiss(&mut self, queue: usize, interfaces: &[Interface]) {
        let Some(seat) = self.seats.get_mut(queue) else { return };
        if let Some(work) = seat.work.take() {
            unserve(interfaces, queue as u32);
            work.drain();
            seat.mind = work.end();
            seat.mind.iter().for_each(|mind| mind.leave(WorkerState::Resting));
            self.watch();
        }
    }

    /// Sends the worker of a queue to another core.
    ///
    /// # Errors
    /// When the kernel refuses; it stays where it was.
    pub(crate) fn send(&mut self, queue: usize, core: usize) -> Result<(), Error> {
        let Some(work) = self.seats.get(queue).and_then(|seat| seat.work.as_ref()) else {
            return Ok(());
        };
        work.orders.set_core(core);
        self.arrived(queue, core)
    }

    /// How all workers wait, and how large their bursts are.
    pub(crate) fn order(&self, roster: &Roster) {
        for work in self.seats.iter().filter_map(|seat| seat.work.as_ref()) {
            work.orders.set_poll(roster.poll);
            work.orders.set_burst(roster.burst);
        }
    }

    /// Waits until the worker of a queue runs on its core.
    fn arrived(&self, queue: usize, core: usize) -> Result<(), Error> {
        let Some(Seat { work: Some(work), board, .. }) = self.seats.get(queue) else {
            return Ok(());
        };
        let begin = Instant::now();
        while work.orders.stands() != Some(core) {
            if work.orders.refused() || begin.elapsed() > GOES {
                return Err(Error::Pinned { core });
            }
            thread::sleep(Duration::from_millis(1));
        }
        board.put(|slot| slot.core = core);
        Ok(())
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

/// A key that nobody outside knows: the kernel's random numbers (getrandom(2)).
fn random_key() -> Result<[u8; 16], Error> {
    let mut key = [0; 16];
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::io("read", "random numbers")(errno.into()))?;
    Ok(key)
}
