//! A lab whose workers give leases, with the drivers before them.

use filter::{Action, Action::Forward, Counters, Lane};
use lookup::Side;

use crate::driver::Driver;
use crate::lab::Lab;

/// When the worker's clock began, of the driver's.
pub(crate) const ORIGIN_NS: u64 = 5_000_000_000_123;
/// Milliseconds of the worker's round of all its leases that it makes up for at once.
const TURN_MS: u64 = 20;
/// Packets until a flow is worth a lease.
pub(crate) const WORTH: usize = 4;

/// Bytes of the longest frame that the other interface takes.
pub(crate) const LONGEST: u32 = 1518;

/// A lab whose workers may give leases, and the drivers, by worker and side.
pub(crate) struct Leasing {
    pub(crate) lab: Lab,
    pub(crate) drivers: Vec<[Driver; 2]>,
}

impl Leasing {
    pub(crate) fn new(policy: &str, leases: usize) -> Self {
        Self::over(Lab::new(policy), leases)
    }

    pub(crate) fn over(mut lab: Lab, leases: usize) -> Self {
        let drivers: Vec<_> =
            lab.workers.iter().map(|_| [Driver::new(leases), Driver::new(leases)]).collect();
        let now = lab.now();
        for (worker, drivers) in lab.workers.iter_mut().zip(&drivers) {
            drivers.iter().for_each(|driver| driver.open(LONGEST));
            let lanes = drivers.clone().map(|driver| Some(Box::new(driver) as Box<dyn Lane>));
            worker.lease_over(lanes, (&lab.rules, now), ORIGIN_NS);
        }
        Self { lab, drivers }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        ORIGIN_NS + self.lab.now_ms * 1_000_000
    }

    pub(crate) fn driver(&self, worker: usize, side: Side) -> &Driver {
        &self.drivers[worker][side as usize]
    }

    pub(crate) fn passes(&self, side: Side, frame: &[u8]) -> bool {
        self.driver(0, side).passes(frame, self.now_ns())
    }

    /// As a packet goes: by the driver, or to the worker, which may give leases when it is sent.
    pub(crate) fn send_to(&mut self, worker: usize, side: Side, frame: &[u8]) -> Action {
        if self.driver(worker, side).passes(frame, self.now_ns()) {
            return Forward;
        }
        let action = self.lab.send_to(worker, side, frame);
        let now = self.lab.now();
        self.lab.workers[worker].lease(&self.lab.rules, now, side);
        action
    }

    pub(crate) fn send(&mut self, side: Side, frame: &[u8]) -> Action {
        self.send_to(0, side, frame)
    }

    /// Packets enough for a lease; whether the next one passes the driver.
    pub(crate) fn leased(&mut self, side: Side, frame: &[u8]) -> bool {
        for _ in 0..WORTH {
            self.send(side, frame);
        }
        self.passes(side, frame)
    }

    /// Time passes, and the workers do what is due. Nothing is sent meanwhile, so only the first round of
    /// their leases finds any in use: that one turn by turn, what follows by seconds.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let begin_ms = self.lab.now_ms;
        while self.lab.now_ms < begin_ms + ms {
            let step_ms = if self.lab.now_ms < begin_ms + 1000 { TURN_MS } else { 1000 };
            self.lab.now_ms = (begin_ms + ms).min(self.lab.now_ms + step_ms);
            self.tend();
        }
    }

    pub(crate) fn tend(&mut self) {
        let now = self.lab.now();
        for worker in &mut self.lab.workers {
            worker.housekeep(now, &mut self.lab.records);
            worker.tend(&self.lab.rules, now);
            assert!(worker.counters().balanced());
        }
    }

    pub(crate) fn reload(&mut self, policy: &str) {
        self.lab.reload(policy);
        self.lab.workers.iter_mut().for_each(|worker| worker.revise(&self.lab.rules));
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.lab.counters()
    }

    /// Packets of a domain that were allowed.
    pub(crate) fn allowed(&self, domain: Option<&str>) -> u64 {
        let mut tally = filter::DomainTally::default();
        assert!(self.lab.workers[0].tally().add_to(&mut tally, domain, 0));
        tally.packets.allowed
    }

    /// The packets of each flow that is remembered.
    pub(crate) fn flows(&self) -> Vec<u32> {
        let (mut packets, mut cursor) = (Vec::new(), Some(0));
        while let Some(from) = cursor {
            let show = |flow: filter::Flow| packets.push(flow.packets);
            cursor = self.lab.workers[0].flows(from, self.lab.now(), show);
        }
        packets
    }
}
