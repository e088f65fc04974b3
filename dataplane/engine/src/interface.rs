//! The two interfaces of a gateway: checked, opened queue by queue, and let go again.

mod queue;

use std::sync::{Mutex, MutexGuard, PoisonError};

use af_xdp_rs::{
    AttachMode, Attached, FailMode as Fail, Interface as Link, LanePlan, Mode, Program, Socket,
    Takes, UmemConfig,
};

pub(crate) use self::queue::{serve, unserve, wires};
use crate::{Config, Error, FailMode, say, status::InterfaceStatus, tags::Tags, worker::Wires};

/// An interface that a gateway serves.
#[derive(Debug)]
pub(crate) struct Interface {
    link: Link,
    side: &'static str,
    /// A program of ours was there before this one, and held the fail mode.
    inherited: bool,
    /// Locked by the threads that start, show and stop; never by a worker.
    program: Mutex<Program>,
    tags: Mutex<Tags<Link>>,
}

/// Outside and inside, on their way to being served.
#[derive(Debug)]
pub(crate) struct Pair {
    interfaces: [Interface; 2],
    umem: UmemConfig,
    mode: Mode,
}

impl Pair {
    /// Looks both interfaces up, loads their programs and keeps tags in frames; nothing is attached
    /// yet.
    ///
    /// # Errors
    /// A missing interface, too few queues, an MTU that no frame holds, a program refused, tags that
    /// the NIC takes out.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let links = [Link::find(&config.outside)?, Link::find(&config.inside)?];
        let workers = config.cores.len();
        for link in &links {
            if (link.rx_queues.min(link.tx_queues) as usize) < workers {
                let queues = link.rx_queues.min(link.tx_queues) as usize;
                return Err(Error::TooFewQueues { interface: link.name.clone(), queues, workers });
            }
        }
        let [outside, inside] = links;
        let umem = umem_for(config.frames, [&outside, &inside])?;
        let (to_outside, to_inside) = (outside.index, inside.index);
        Ok(Self {
            interfaces: [
                Interface::open(outside, "outside", config, to_inside)?,
                Interface::open(inside, "inside", config, to_outside)?,
            ],
            umem,
            mode: config.mode,
        })
    }

    /// A UMEM and the two sockets of `queue` on it.
    ///
    /// # Errors
    /// What the kernel refuses, with the way out.
    pub(crate) fn sockets(&self, queue: u32) -> Result<Wires, Error> {
        let [outside, inside] = &self.interfaces;
        queue::sockets([outside, inside], &self.umem, self.mode, queue)
    }

    /// Remembers what the interfaces that are still there were before they were first served.
    pub(crate) fn follow(&mut self, before: &[Interface]) {
        for (interface, before) in self.interfaces.iter_mut().zip(before) {
            if interface.link.index == before.link.index {
                interface.link.promiscuous = before.link.promiscuous;
                lock(&interface.tags).follow(&mut lock(&before.tags));
                // Known by itself: to ask for its name takes a capability that was given up.
                let mut program = lock(&interface.program);
                let there = program.follow(&lock(&before.program), &interface.link);
                interface.inherited |= there.unwrap_or(false);
            }
        }
    }

    /// Makes both interfaces promiscuous, attaches the programs and serves the workers' queues.
    ///
    /// # Errors
    /// A foreign XDP program, or what the kernel refuses. What was attached is detached again, but not
    /// where it took the place of another one of ours: there the fail mode holds on.
    pub(crate) fn attach(&self, wires: &[Wires]) -> Result<(), Error> {
        let attached = self.interfaces.iter().enumerate().try_for_each(|(side, interface)| {
            let sockets = wires.iter().map(|wires| &wires.sockets[side]);
            interface.attach(self.mode, sockets)
        });
        match attached {
            Ok(()) => {
                let takes = self.interfaces.each_ref().map(|one| Takes::of(&one.link));
                open_lanes(&self.interfaces, takes, |_| true);
            }
            Err(_) => self.interfaces.iter().for_each(Interface::retreat),
        }
        attached
    }

    /// The interfaces, outside first.
    #[must_use]
    pub(crate) fn into_interfaces(self) -> [Interface; 2] {
        self.interfaces
    }
}

impl Interface {
    fn open(link: Link, side: &'static str, config: &Config, peer: u32) -> Result<Self, Error> {
        let fail = match config.fail {
            FailMode::Closed => Fail::Closed,
            FailMode::Open => Fail::Open { to: peer },
        };
        let inherited = af_xdp_rs::attached(&link)?.is_some_and(|there| there.ours);
        let lanes = config.cores.len() as u32;
        let plan = LanePlan { to: peer, lanes, leases: config.leases };
        let plan = (config.leases > 0).then_some(plan);
        let program = Mutex::new(Program::load(fail, link.rx_queues, plan)?);
        let tags = Mutex::new(Tags::keep(link.clone())?);
        Ok(Self { link, side, inherited, program, tags })
    }

    fn attach<'a>(
        &self,
        mode: Mode,
        sockets: impl Iterator<Item = &'a Socket>,
    ) -> Result<(), Error> {
        let mut program = lock(&self.program);
        let mode = match mode {
            Mode::Auto => AttachMode::Auto,
            Mode::ZeroCopy | Mode::Copy => AttachMode::Native,
            Mode::Skb => AttachMode::Generic,
        };
        // Served before attached: the first frame already finds its worker.
        for (queue, socket) in (0..).zip(sockets) {
            program.serve(queue, socket)?;
        }
        if !self.link.promiscuous {
            self.link.set_promiscuous(true)?;
        }
        program.attach(&self.link, mode)?;
        lock(&self.tags).hold();
        Ok(())
    }

    /// After a start that failed halfway: the program goes, or the one before it comes back.
    fn retreat(&self) {
        if !self.inherited {
            self.detach();
        } else if let Err(error) = lock(&self.program).retreat() {
            say(&error);
        }
    }

    /// Queues that it had when it was opened: the program knows no more.
    #[must_use]
    pub(crate) fn queues(&self) -> u32 {
        self.link.rx_queues.min(self.link.tx_queues)
    }

    /// The kernel's number of the interface.
    #[must_use]
    pub(crate) fn index(&self) -> u32 {
        self.link.index
    }

    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.link.name
    }

    /// Takes the program off, if it is still ours, and what else was set with it: promiscuous mode,
    /// and tags that stay in their frames.
    pub(crate) fn detach(&self) {
        let mut program = lock(&self.program);
        if let Err(error) = program.detach() {
            say(&error);
        }
        if !self.link.promiscuous {
            // The interface may be gone: then there is nothing to set back.
            let _ = self.link.set_promiscuous(false);
        }
        lock(&self.tags).restore();
    }

    /// Limits the openers of TCP connections that a queue brings in a millisecond; 0: no limit.
    pub(crate) fn limit_openers(&self, queue: u32, per_ms: u32) {
        let mut program = lock(&self.program);
        if let Err(error) = program.limit_openers(queue, per_ms) {
            say(&error);
        }
    }

    /// Openers that were over the limit of a queue so far.
    pub(crate) fn shed(&self, queue: u32) -> u64 {
        let program = lock(&self.program);
        program.shed(queue).unwrap_or_default()
    }

    /// For `status`; `kernel_dropped` is the workers' sum.
    #[must_use]
    pub(crate) fn status(&self, kernel_dropped: u64) -> InterfaceStatus {
        let program = lock(&self.program);
        let unserved = program.unserved().unwrap_or_default();
        InterfaceStatus {
            name: self.link.name.clone(),
            side: self.side.to_owned(),
            driver: self.link.driver.clone(),
            queues: self.link.rx_queues,
            unserved_dropped: unserved.dropped,
            unserved_bridged: unserved.bridged,
            kernel_dropped,
            shed: (0..self.link.rx_queues).filter_map(|queue| program.shed(queue).ok()).sum(),
        }
    }
}

/// Lets leases of queues whose worker `heeds` changes count for the frames that outside and inside take now. A
/// driver drops the rest.
pub(crate) fn open_lanes(interfaces: &[Interface], takes: [Takes; 2], heeds: impl Fn(u32) -> bool) {
    let ([outside, inside], [to_outside, to_inside]) = (interfaces, takes) else { return };
    for (from, takes) in [(outside, to_inside), (inside, to_outside)] {
        let program = lock(&from.program);
        let native = program.attached_as() == Some(Attached::Native);
        program.open_lanes(|queue| if native && heeds(queue) { takes } else { Takes::NOTHING });
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The smallest frame that holds a packet of either interface's MTU.
fn umem_for(frames: u32, links: [&Link; 2]) -> Result<UmemConfig, Error> {
    let limit = machine::frame::largest_mtu();
    if let Some(link) = links.iter().find(|link| link.mtu_bytes > limit) {
        let (interface, mtu) = (link.name.clone(), link.mtu_bytes);
        return Err(Error::LargeMtu { interface, mtu, limit });
    }
    let frame_bytes = machine::frame::bytes_for(links.iter().map(|link| link.mtu_bytes));
    Ok(UmemConfig { frames, frame_bytes, ..UmemConfig::default() })
}
