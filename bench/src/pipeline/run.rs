//! Frames through a forwarder, with the clock on its turns only.

use std::time::Instant;

use super::empty::Forwarder;
use super::frames::Flows;
use crate::tables::spent::spent_ns;
use crate::{Error, Result};

/// Frames that are shown to a forwarder at once.
pub(super) const BATCH: usize = 1024;

/// What came of a number of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// Of the forwarder's turns, on the core.
    pub(super) ns: f64,
    /// The same by the clock on the wall.
    pub(super) wall_ns: f64,
    /// Packets that it took.
    pub(super) taken: usize,
    /// Packets that left it.
    pub(super) left: usize,
}

impl Outcome {
    /// Nanoseconds a packet.
    pub(super) fn each_ns(&self) -> f64 {
        self.ns / self.taken.max(1) as f64
    }

    /// Millions of packets a second by the clock on the wall.
    pub(super) fn mpps(&self) -> f64 {
        self.taken as f64 * 1000.0 / self.wall_ns.max(1.0)
    }
}

/// Runs `packets` packets of `flows`, from flow `first` on.
pub(super) fn run(
    forwarder: &mut dyn Forwarder,
    flows: &Flows,
    first: usize,
    packets: usize,
) -> Result<Outcome> {
    let mut frames: Vec<_> = (0..BATCH).map(|_| Vec::with_capacity(128)).collect();
    let mut outcome = Outcome::default();
    let mut at = first;
    while at < first + packets {
        let count = BATCH.min(first + packets - at);
        let frames = &mut frames[..count];
        flows.write(at, frames);
        at += count;
        let shown = forwarder.kernels()[0].inject_all(frames.iter().map(Vec::as_slice));
        let begin = Instant::now();
        let (ns, taken) = spent_ns(|| {
            let mut taken = 0;
            while taken < shown {
                match forwarder.turn() {
                    0 => break,
                    more => taken += more,
                }
            }
            taken
        });
        outcome.wall_ns += begin.elapsed().as_nanos() as f64;
        outcome.ns += ns;
        outcome.taken += taken;
        outcome.left += forwarder.kernels()[1].drain(|_| {});
        forwarder.log();
        if taken != count {
            let what = format!("the forwarder took {taken} of {count} packets");
            return Err(Error::Usage(what));
        }
    }
    Ok(outcome)
}
