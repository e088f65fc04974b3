//! The drop ring: rtrb in chunks, as the engine has it, beside rtrb record by record and crossbeam.
//!
//! One thread writes a burst of 64 and then reads it, so that what is measured is the work, not the
//! way between two cores, which on a shared machine says more of the neighbours.

use std::hint::black_box;

use arrayvec::ArrayVec;
use crossbeam_queue::ArrayQueue;
use filter::DropRecord;
use rtrb::RingBuffer;

use super::spent::spent_ns;
use super::{NS, Tables, differ};
use crate::Result;
use crate::record::{Record, Row};

const BURST: usize = 64;
const ROOM: usize = 1 << 14;
/// Bursts of a round.
const BURSTS: usize = 1 << 14;
const WORDS: usize = size_of::<DropRecord>() / 8;

/// As large as a drop record.
type Filled = [u64; WORDS];

fn record(n: usize) -> Filled {
    [n as u64; WORDS]
}

/// A ring under measurement: a burst in, a burst out.
trait Ring {
    /// Writes records `first..first + BURST`; reads them, and answers the sum of their numbers.
    fn burst(&mut self, first: usize) -> u64;
}

struct Chunks {
    producer: rtrb::Producer<Filled>,
    consumer: rtrb::Consumer<Filled>,
    staged: ArrayVec<Filled, BURST>,
}

impl Ring for Chunks {
    #[inline]
    fn burst(&mut self, first: usize) -> u64 {
        for n in first..first + BURST {
            self.staged.push(record(n));
        }
        if let Ok(chunk) = self.producer.write_chunk_uninit(BURST) {
            chunk.fill_from_iter(self.staged.drain(..));
        }
        let Ok(chunk) = self.consumer.read_chunk(BURST) else { return 0 };
        chunk.into_iter().map(|record| record[0]).sum()
    }
}

struct Singles {
    producer: rtrb::Producer<Filled>,
    consumer: rtrb::Consumer<Filled>,
}

impl Ring for Singles {
    #[inline]
    fn burst(&mut self, first: usize) -> u64 {
        for n in first..first + BURST {
            // A full ring shows as a sum that is wrong.
            let _ = self.producer.push(record(n));
        }
        (0..BURST).filter_map(|_| self.consumer.pop().ok()).map(|record| record[0]).sum()
    }
}

struct Cross(ArrayQueue<Filled>);

impl Ring for Cross {
    #[inline]
    fn burst(&mut self, first: usize) -> u64 {
        for n in first..first + BURST {
            let _ = self.0.push(record(n));
        }
        (0..BURST).filter_map(|_| self.0.pop()).map(|record| record[0]).sum()
    }
}

/// Nanoseconds a record; an error when one was lost or changed.
fn round(name: &str, ring: &mut impl Ring) -> Result<f64> {
    let (ns, sum) = spent_ns(|| {
        let bursts = (0..BURSTS).map(|burst| black_box(ring.burst(burst * BURST)));
        bursts.sum::<u64>()
    });
    let records = (BURSTS * BURST) as u64;
    if sum != records * (records - 1) / 2 {
        return Err(differ("ring", name, sum));
    }
    Ok(ns / records as f64)
}

pub(super) fn measure(terms: &Tables) -> Result<Record> {
    let mut result = Record::begin("ring");
    result.notes.push(format!(
        "Records of {} bytes, bursts of {BURST}: written, then read, by one thread.",
        size_of::<Filled>()
    ));
    let (producer, consumer) = RingBuffer::new(ROOM);
    let mut ours = Chunks { producer, consumer, staged: ArrayVec::new() };
    let (producer, consumer) = RingBuffer::new(ROOM);
    let mut singles = Singles { producer, consumer };
    let mut cross = Cross(ArrayQueue::new(ROOM));
    let names = ["rtrb, one by one", "crossbeam ArrayQueue"];
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..terms.rounds.max(1) * 2 {
        times[0].push(round("ours", &mut ours)?);
        times[1].push(round(names[0], &mut singles)?);
        times[2].push(round(names[1], &mut cross)?);
    }
    let [ours, singles, cross] = times;
    for (name, theirs) in names.into_iter().zip([singles, cross]) {
        result.rows.push(Row::beside(
            "a drop record through the ring",
            name,
            NS,
            ours.clone(),
            theirs,
        ));
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_record_is_noticed() {
        let (producer, consumer) = RingBuffer::new(ROOM);
        assert!(round("whole", &mut Singles { producer, consumer }).is_ok());
        let (producer, consumer) = RingBuffer::new(BURST - 1);
        assert!(round("small", &mut Singles { producer, consumer }).is_err());
    }
}
