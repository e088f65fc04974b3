//! A gateway from start to stop: what is opened in which order, and taken down in the reverse one.
//!
//! ```text
//!  start   control socket -> policy -> drop log -> interfaces -> sockets -> programs -> threads
//!  stop    workers (frames home) -> programs off -> logger (rings empty) -> control socket
//! ```
//! What can be refused is asked for before an interface is touched. A thread that ends unasked stops
//! the gateway too, but the programs stay on: the fail mode holds until the next start.

mod assign;

use std::{
    mem,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use af_xdp_rs::Takes;
use filter::{DropRecord, Tally};
use lookup::{Loaded, Problem, Revision};
use rtrb::Consumer;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};
use tokio::sync::oneshot;

pub(crate) use self::assign::{Answer, Misfit};
use crate::{
    Config, Error, Status,
    board::Board,
    change::{self, Ask, Desk, Origin},
    control::Control,
    cores,
    crew::{self, Crew},
    history::{Past, Who},
    interface::open_lanes,
    logger::{Legends, Logger},
    mail::{self, Post},
    publish::{Publisher, Reader},
    recent::Recent,
    records,
    roster::{Book, Roster},
    sandbox::{Files, Kind, Sandbox},
    say,
    sinks::{self, Sinks},
    state::State,
    supervisor::Supervisor,
    tallies::Tallies,
    thread::{Event, Thread, spawn},
    valve,
    view::View,
    watch::Watch,
    worker::Snapshot,
};

/// Drop records that may wait for the logger, per worker: a second of them at the default rate.
const RING_RECORDS: usize = 16_384;
/// How often the gateway looks whether its interfaces are still the ones it serves.
const LOOK: Duration = Duration::from_millis(100);
/// How long the first turn of all workers may take before the gateway looks for its interfaces again.
const FIRST: Duration = Duration::from_secs(1);
/// How often minds that are not at work do what is due: as often as a worker that sleeps.
const REST: Duration = Duration::from_millis(10);
/// At the end, how long a thread may take: longer only if the drop log's file system hangs.
const GRACE: Duration = Duration::from_secs(10);

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    state: Arc<State>,
    warnings: Vec<Problem>,
    crew: Crew,
    sandbox: Sandbox,
    /// Takes the drop rings of workers to the logger.
    rings: mpsc::Sender<Consumer<DropRecord>>,
    looked: Instant,
    /// What was in force then.
    revision: Revision,
    logger: Thread<()>,
    control: Thread<Result<(), Error>>,
    valve: Thread<()>,
    timer: Thread<()>,
    stop_control: oneshot::Sender<()>,
    reload: Reload,
    supervisor: Supervisor,
    events: mpsc::Receiver<Event>,
}

/// What shows a worker: its board, its tally, the other end of its mail.
type Shows = (Board<Snapshot>, Arc<Tally>, Post);

/// The reload that a signal asked for, off the thread that waits for signals.
#[derive(Debug, Default)]
struct Reload {
    running: Option<JoinHandle<()>>,
    /// Another signal came meanwhile.
    again: bool,
}

impl Gateway {
    /// Opens everything and starts the threads; packets are judged from the moment this returns.
    ///
    /// # Errors
    /// The first thing that is missing, wrong or taken; nothing stays behind.
    pub fn start(config: &Config) -> Result<Self, Error> {
        check_rights()?;
        let supervisor = Supervisor::open();
        check_cores(config)?;
        // First, so that two gateways never share a history.
        let control = Control::open(config)?;
        let past = Past::open(&config.history);
        let loaded =
            Loaded::read(&config.policy, change::moment(), past.first).map_err(Box::new)?;
        let Loaded { policy, ruleset, warnings, .. } = loaded;
        let files = Files::of(config, &policy);
        let policy = policy.source().text.clone();
        let legends = Legends::default();
        legends.add(ruleset.revision(), Arc::clone(ruleset.legend()));
        let ledger = Arc::new(sinks::ledger(&config.drops));
        let sinks = Sinks::open(&config.drops, Arc::clone(&ledger))?;
        let sandbox = Sandbox::new(config.sandbox.mode)?;
        sandbox.close(&files)?;

        let started = Instant::now();
        let mut publisher = Publisher::new(ruleset);
        let tallies = Tallies::default();
        let names = [config.outside.clone(), config.inside.clone()];
        let recent = Arc::new(Recent::new(names));
        let watch = config.drops.patterns.map(|every| Watch::new(tallies.clone(), every));
        let (rings, more) = mpsc::channel();
        let logger = Logger::new(more, legends.clone(), sinks, Arc::clone(&recent), watch);
        let view = View {
            ledger,
            log: config.drops.path.clone(),
            tallies,
            recent,
            legends: legends.clone(),
            mail: mail::Posts::default(),
            sandbox: sandbox.clone(),
        };
        let (sender, events) = mpsc::channel();
        signals(sender.clone(), sandbox.clone())?;
        let mut crew = Crew::new(config, started, sandbox.clone(), sender.clone())?;
        let mut posts = Vec::new();
        for &core in &config.cores {
            posts.push(join(&mut crew, config, core, || publisher.reader(), &rings)?);
        }
        let interfaces = crew.start(config, &[])?.into();
        let desk = Arc::new(Desk::new(config.policy.clone(), policy, publisher, legends, past));
        let roster = Book::new(Roster::of(config), config.file.clone());
        let own = Some(sender.clone());
        let state = State::new(desk, roster, interfaces, (view, started), own);
        for (board, tally, post) in posts {
            state.join(board, tally, post);
        }
        let crew = (crew, rings);
        let threads = (logger, control, supervisor);
        let means = (config, &sandbox);
        Self::beside(means, Arc::new(state), warnings, crew, threads, sender, events)
    }

    /// Starts the threads beside the workers.
    fn beside(
        means: (&Config, &Sandbox),
        state: Arc<State>,
        warnings: Vec<Problem>,
        (crew, rings): (Crew, mpsc::Sender<Consumer<DropRecord>>),
        (logger, control, supervisor): (Logger, Control, Supervisor),
        sender: mpsc::Sender<Event>,
        events: mpsc::Receiver<Event>,
    ) -> Result<Self, Error> {
        let (stop_control, control_stopped) = oneshot::channel();
        let beside = |name| (name, Kind::Beside);
        let logger = Thread::spawn(beside("logger"), means, sender.clone(), |asked| {
            move || logger.run(&asked)
        })?;
        let watched = Arc::clone(&state);
        let valve = Thread::spawn(beside("valve"), means, sender.clone(), |asked| {
            move || valve::run(&watched, &asked)
        })?;
        let desk = Arc::clone(state.desk());
        let timer = Thread::spawn(beside("timer"), means, sender.clone(), |asked| {
            move || change::timer(&desk, &asked)
        })?;
        let served = Arc::clone(&state);
        let control = Thread::spawn(("control", Kind::Control), means, sender, |_| {
            move || control.serve(served, control_stopped)
        })?;
        let (config, sandbox) = means;
        cores::keep_off(&config.cores);
        sandbox.settle()?;
        let (config, sandbox) = (config.clone(), sandbox.clone());
        let reload = Reload::default();
        let revision = Revision(state.desk().in_force().0);
        Ok(Self {
            config,
            state,
            warnings,
            crew,
            sandbox,
            rings,
            looked: Instant::now(),
            revision,
            logger,
            control,
            valve,
            timer,
            stop_control,
            reload,
            supervisor,
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

    /// Runs until SIGINT or SIGTERM, reloads at SIGHUP, begins the log anew at SIGUSR1; returns the last
    /// status.
    ///
    /// # Errors
    /// [`Error::Ended`] when a thread is over before it was asked to.
    pub fn run(mut self) -> Result<Status, Error> {
        self.serve();
        let ended = loop {
            match self.events.recv_timeout(if self.crew.rests() { REST } else { LOOK }) {
                Ok(Event::Assign(assignment)) => self.assign(*assignment),
                Ok(Event::Reload) => self.reload.again = true,
                Ok(Event::Turn) => self.state.view().ledger.turn(),
                Ok(Event::Ended(thread)) => break Some(thread),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.reload.turn(&self.state, &self.sandbox, &mut self.supervisor);
            self.crew.rest();
            self.expire();
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                self.look();
            }
            self.supervisor.turn(|| self.crew.moved(), || self.state.line());
        };
        self.supervisor.stopping();
        let status = self.stop(ended.is_none());
        match ended {
            None => Ok(status),
            Some(thread) => Err(Error::Ended { thread }),
        }
    }

    /// Waits until every worker has made a turn, and tells the supervisor that the service serves.
    fn serve(&mut self) {
        let deadline = Instant::now() + FIRST;
        while self.supervisor.listens() && !self.crew.moved() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.supervisor.ready(self.state.line());
    }

    /// Stops the workers when an interface is no longer the one they serve, and starts them over the
    /// one that takes its place.
    fn look(&mut self) {
        let names = [&self.config.outside, &self.config.inside];
        if !self.crew.waits() {
            let served = self.state.indices();
            let links = names.map(|name| af_xdp_rs::Interface::find(name));
            let gone =
                names.into_iter().zip(&links).zip(served).find_map(|((name, link), served)| {
                    match link {
                        Ok(link) if link.index == served => None,
                        Ok(_) => Some(format!("interface {name} is another one than before")),
                        Err(_) => Some(format!("interface {name} is gone")),
                    }
                });
            let Some(gone) = gone else {
                let takes = links.map(|link| link.map_or(Takes::NOTHING, |link| Takes::of(&link)));
                // A worker that hangs does not end its leases when a change asks it to. One that sleeps wakes
                // up between two looks.
                let desk = self.state.desk();
                let (taken, revision) = (desk.taken(), Revision(desk.in_force().0));
                let before = mem::replace(&mut self.revision, revision);
                let heeds = |queue| taken.by(queue as usize, before);
                return self.state.served(|interfaces| open_lanes(interfaces, takes, heeds));
            };
            say(format_args!("{gone}: nothing is forwarded until both are there again"));
            self.crew.stop();
            self.state.miss(Some(gone));
        }
        if let Some(lack) = names.into_iter().find_map(|name| crew::present(name).err()) {
            self.state.miss(Some(lack));
            return;
        }
        match self.state.reopen(|before| self.crew.start(&self.config, before)) {
            Ok(()) => {
                self.state.miss(None);
                say(format_args!("both interfaces are there: traffic is judged again"));
            }
            Err(error) => {
                if self.state.miss(Some(error.to_string())) {
                    say(format_args!("{error}; trying again"));
                }
            }
        }
    }

    /// Takes everything down; the last records are written and every frame is home. Only a `clean`
    /// stop takes the programs off.
    fn stop(mut self, clean: bool) -> Status {
        self.crew.stop();
        let _ = self.valve.end(GRACE);
        let _ = self.timer.end(GRACE);
        if clean {
            self.state.detach();
        }
        let gone = self.logger.end(GRACE);
        if gone.is_none() {
            say(format_args!(
                "the logger hangs: {} takes nothing",
                self.config.drops.path.display()
            ));
        }
        let status = self.state.status();
        self.control.ask();
        let _ = self.stop_control.send(());
        if let Some(Err(error)) = self.control.end(GRACE) {
            say(&error);
        }
        status
    }
}

impl Reload {
    /// Starts a reload that was asked for, once the one before is over.
    fn turn(&mut self, state: &Arc<State>, sandbox: &Sandbox, supervisor: &mut Supervisor) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        if self.running.take().is_some() {
            supervisor.ready(state.line());
        }
        if !self.again {
            return;
        }
        self.again = false;
        supervisor.reloading();
        let state = Arc::clone(state);
        let ask =
            Ask { origin: Origin::File, who: Who::itself("SIGHUP"), terms: Default::default() };
        let sandbox = sandbox.clone();
        let body = move || {
            sandbox.confine(Kind::Beside);
            match state.desk().change(ask) {
                Ok(changed) => say(&changed),
                Err(error) => say(format_args!("the last good policy stays in force: {error}")),
            }
        };
        self.running = thread::Builder::new().name("reload".to_owned()).spawn(body).ok();
        // No thread to be had just now: try again at the next turn.
        self.again = self.running.is_none();
    }
}

fn check_rights() -> Result<(), Error> {
    let missing = machine::capabilities::missing()
        .map_err(Error::io("read", "the process's capabilities"))?;
    if missing.is_empty() { Ok(()) } else { Err(Error::Capabilities { missing }) }
}

/// A mind for the next queue: its records to the logger; what shows it is to be told of it.
fn join(
    crew: &mut Crew,
    config: &Config,
    core: usize,
    rules: impl FnOnce() -> Reader,
    rings: &mpsc::Sender<Consumer<DropRecord>>,
) -> Result<Shows, Error> {
    let (records, ring) = records::ring(RING_RECORDS);
    let (inbox, post) = mail::pair();
    let mind = crew.join(config, core, (records, inbox), rules)?;
    // A logger that has ended ends the gateway.
    let _ = rings.send(ring);
    Ok((mind.board.clone(), Arc::clone(mind.filter.tally()), post))
}

fn check_cores(config: &Config) -> Result<(), Error> {
    let online = cores::online()?;
    match config.cores.iter().find(|core| !online.contains(core)) {
        Some(&core) => Err(Error::NoCore { core, online }),
        None => Ok(()),
    }
}

fn signals(events: mpsc::Sender<Event>, sandbox: Sandbox) -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])
        .map_err(Error::io("wait for", "signals"))?;
    let never = Arc::new(AtomicBool::new(false));
    spawn("signals".into(), never, events.clone(), move || {
        sandbox.confine(Kind::Beside);
        for signal in signals.forever() {
            let event = match signal {
                SIGHUP => Event::Reload,
                SIGUSR1 => Event::Turn,
                _ => Event::Stop,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
