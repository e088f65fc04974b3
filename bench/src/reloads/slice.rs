//! One slice of the run: a load, with reloads or without, and where each of its packets went.
//!
//! ```text
//!  offered == refused + ring_full + dropped + unsent + sunk + unexplained
//!             c0's ring  AF_XDP     verdict   s0's ring  sink
//! ```
//! `unexplained` is what nothing accounts for: packets lost to a reload would be in it, or among the
//! drops of a country that both policies let in.

use serde::Serialize;

use super::policies::{ALWAYS, CLASSES, NEVER, SOMETIMES};
use super::storm::Storm;
use crate::Result;
use crate::lab::{Gateway, Hops, Lab, Status};
use crate::load::{Class, Generator, Sink};

/// All counters at a moment when no packet is under way.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    offered: [u64; CLASSES as usize],
    sunk: [u64; CLASSES as usize],
    hops: Hops,
    status: Status,
}

/// Where the packets of a slice went.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Slice {
    /// With reloads.
    pub(super) reloads: usize,
    /// Reloads that the gateway refused.
    pub(super) reloads_refused: usize,
    pub(super) seconds: f64,
    pub(super) offered: u64,
    /// No room in the ring of the wire before the gateway.
    pub(super) refused: u64,
    /// No room in the AF_XDP ring.
    pub(super) ring_full: u64,
    pub(super) received: u64,
    pub(super) forwarded: u64,
    pub(super) dropped: u64,
    /// No room in the ring of the wire behind the gateway.
    pub(super) unsent: u64,
    pub(super) sunk: u64,
    /// Offered, and in none of these places.
    pub(super) unexplained: i64,
    /// Of countries that both policies let in: dropped by a verdict. Nothing when the gateway does
    /// not count by country.
    pub(super) wronged: Option<u64>,
    /// Of countries that neither lets in: at the sink.
    pub(super) leaked: u64,
    /// Of the country that one of them lets in: at the sink.
    pub(super) guests_sunk: u64,
}

impl Reading {
    pub(super) fn take(
        lab: &Lab,
        gateway: &Gateway,
        generator: &mut Generator<'_>,
        sink: &mut Sink,
    ) -> Result<Self> {
        let status = gateway.quiet_status()?;
        let mut reading = Self { offered: [0; 5], sunk: [0; 5], hops: Hops::read(lab)?, status };
        for class in 0..CLASSES {
            let place = usize::from(class);
            reading.offered[place] = generator.offered(Class(class))?;
            reading.sunk[place] = sink.class(Class(class))?.packets;
        }
        Ok(reading)
    }

    fn ring_full(&self) -> u64 {
        self.status.interfaces.iter().map(|wire| wire.kernel_dropped + wire.shed).sum()
    }

    /// Drops by a verdict of the countries that both policies let in.
    fn wronged(&self) -> Option<u64> {
        let countries = self.status.domains.get("public")?.countries.as_ref()?;
        let dropped = |(_, code): (u8, &str)| countries.get(code).map_or(0, |count| count.dropped);
        Some(ALWAYS.into_iter().map(dropped).sum())
    }
}

impl Slice {
    /// What happened between two readings.
    pub(super) fn between(before: &Reading, after: &Reading, storm: &Storm, seconds: f64) -> Self {
        let offered = sum(after.offered) - sum(before.offered);
        let sunk = sum(after.sunk) - sum(before.sunk);
        let hops = after.hops.since(before.hops);
        let ring_full = after.ring_full() - before.ring_full();
        let dropped = after.status.dropped_total() - before.status.dropped_total();
        let places = hops.refused + ring_full + dropped + hops.unsent + sunk;
        let class = |class: u8| after.sunk[usize::from(class)] - before.sunk[usize::from(class)];
        Self {
            reloads: storm.reloads.len(),
            reloads_refused: storm.refused.len(),
            seconds,
            offered,
            refused: hops.refused,
            ring_full,
            received: after.status.received - before.status.received,
            forwarded: after.status.forwarded - before.status.forwarded,
            dropped,
            unsent: hops.unsent,
            sunk,
            unexplained: offered as i64 - places as i64,
            wronged: after.wronged().zip(before.wronged()).map(|(now, then)| now - then),
            leaked: NEVER.into_iter().map(|(place, _)| class(place)).sum(),
            guests_sunk: class(SOMETIMES.0),
        }
    }

    /// Of the packets offered, the part that found a ring full.
    pub(super) fn ring_part(&self) -> f64 {
        let full = self.refused + self.ring_full + self.unsent;
        full as f64 / self.offered.max(1) as f64
    }
}

fn sum(counts: [u64; CLASSES as usize]) -> u64 {
    counts.into_iter().sum()
}
