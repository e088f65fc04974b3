//! A peer at its place between generator and sink, for one turn.

use std::thread;
use std::time::Duration;

use super::books::{Books, since};
use super::workload::Workload;
use crate::lab::{Hops, Lab};
use crate::load::{Count, Delays, Flow, Generator, Order, Sent, Sink};
use crate::peers::{Peer, Running};
use crate::pktgen::class;
use crate::{Error, Result};

/// The core of the generator, and of the receiving softirq.
const GENERATOR: usize = 0;
/// What is in rings when the generator ends has arrived after this.
const SETTLE: Duration = Duration::from_millis(60);

/// A running peer and its wires.
#[derive(Debug)]
pub struct Stand<'lab> {
    /// The wires.
    pub lab: &'lab Lab,
    /// Who stands there.
    pub peer: Peer,
    /// The same, running.
    pub running: Running<'lab>,
}

/// A load that is ready to be offered, and who counts it.
#[derive(Debug)]
pub struct Load<'lab> {
    generator: Generator<'lab>,
    sink: Sink,
}

/// What became of an offer.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was sent.
    pub sent: Sent,
    /// The part of it that may pass.
    pub allowed_part: f64,
    /// What arrived and may.
    pub arrived: Count,
    /// How long it took.
    pub delays: Delays,
    /// All counters.
    pub books: Books,
}

impl Outcome {
    /// The part of the offered frames that may pass and did not arrive.
    #[must_use]
    pub fn loss(&self) -> f64 {
        let may = self.sent.packets as f64 * self.allowed_part;
        if may > 0.0 { (1.0 - self.arrived.packets as f64 / may).max(0.0) } else { 0.0 }
    }

    /// Frames a second that arrived.
    #[must_use]
    pub fn rate_pps(&self) -> f64 {
        let seconds = self.sent.length.as_secs_f64();
        if seconds > 0.0 { self.arrived.packets as f64 / seconds } else { 0.0 }
    }

    /// Frames a second that were judged: what arrived stands for all that may pass, which is a known
    /// part of what was offered.
    #[must_use]
    pub fn judged_pps(&self) -> f64 {
        if self.allowed_part > 0.0 { self.rate_pps() / self.allowed_part } else { 0.0 }
    }

    /// What is wrong with the counters; nothing when every packet is accounted for.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let mut wrong = self.books.errors();
        if let Some(judged) = self.books.tally.judged {
            // What the sink saw against what the peer says, with room for what was not sent on.
            let by_sink = (self.books.sunk + self.books.hops.unsent) as f64 / self.allowed_part;
            if judged > 100_000 && (by_sink / judged as f64 - 1.0).abs() > 0.03 {
                wrong.push(format!("judged by the sink {by_sink:.0}, by the peer {judged}"));
            }
        }
        wrong
    }
}

impl<'lab> Stand<'lab> {
    /// Makes a load ready for this peer.
    ///
    /// # Errors
    /// When generator or sink cannot be loaded.
    pub fn load(&self, workload: Workload, flows: &[Flow], size: usize) -> Result<Load<'lab>> {
        let generator = Generator::routed(self.lab, flows, size)?.fresh(workload.fresh());
        let sink = Sink::at_servers(self.lab, flows.len())?;
        Ok(Load { generator, sink })
    }

    /// Offers a load, and counts at every hop.
    ///
    /// # Errors
    /// When a counter cannot be read, or a packet came through that the fence keeps out.
    pub fn offer(
        &self,
        load: &mut Load<'lab>,
        length: Duration,
        rate_pps: Option<u64>,
    ) -> Result<Outcome> {
        let Load { generator, sink } = load;
        let [may, may_not] = [true, false].map(|welcome| class(0, welcome));
        let before = (Hops::read(self.lab)?, self.running.tally()?, generator.offered(may)?);
        sink.reset()?;
        let order = Order { length, count: None, rate_pps, core: GENERATOR };
        let sent = generator.run(order)?;
        thread::sleep(SETTLE);
        let wrong = sink.class(may_not)?.packets;
        if wrong > 0 && self.peer.fences() {
            let text = format!("{} let {wrong} packets in that it must keep out", self.peer.name());
            return Err(Error::Void(text));
        }
        let allowed = generator.offered(may)? - before.2;
        Ok(Outcome {
            sent,
            allowed_part: allowed as f64 / (sent.packets.max(1)) as f64,
            arrived: sink.class(may)?,
            delays: sink.delays()?,
            books: Books {
                offered: sent.packets,
                hops: Hops::read(self.lab)?.since(before.0),
                tally: since(&self.running.tally()?, &before.1),
                sunk: sink.total()?.packets,
            },
        })
    }
}
