//! The logger: drop records in, lines of the drop log out, on a core of its own.
//!
//! ```text
//!  ring of each worker --read--> Event + Legend --> Sinks (files, syslog, journald)
//!                                         `------> Recent (the last ones, for readers)
//!  tallies of the workers --Watch, once an interval--> patterns, told like records
//! ```
//! It adds what the worker did not carry: names from the [`Legend`] of the revision that judged, and
//! country, operator and database network from the legend's origins. While the log takes nothing, the
//! records wait in the rings, and what then finds its ring full is counted `lost` by its worker: so
//! every record is a line, or is counted.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    thread,
    time::{Duration, Instant},
};

use filter::DropRecord;
use lookup::{Legend, Revision};
use rtrb::Consumer;

use crate::{event::Event, recent::Recent, sinks::Sinks, watch::Watch};

/// How many superseded revisions a record in flight may still be of.
const LEGENDS: usize = 16;
/// How long the logger rests when every ring is empty, or the log takes nothing.
const REST: Duration = Duration::from_millis(10);
/// Records taken from one ring before the next ring's turn.
const TURN: usize = 256;
/// At the end, how long a log that takes nothing may take to take the last records.
const GRACE: Duration = Duration::from_secs(1);

/// Names and origins of the recent revisions, newest last; shared with whoever publishes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legends(Arc<Mutex<VecDeque<Known>>>);

/// A revision with its names.
type Known = (Revision, Arc<Legend>);

impl Legends {
    /// Makes a revision known; call it before the first packet is judged by it.
    pub(crate) fn add(&self, revision: Revision, legend: Arc<Legend>) {
        let mut legends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if legends.len() == LEGENDS {
            legends.pop_front();
        }
        legends.push_back((revision, legend));
    }

    /// The names of the newest revision.
    pub(crate) fn newest(&self) -> Option<Arc<Legend>> {
        let legends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        legends.back().map(|(_, legend)| Arc::clone(legend))
    }

    /// The names of a revision, unless it is long gone.
    pub(crate) fn find(&self, revision: Revision) -> Option<Arc<Legend>> {
        let legends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        legends.iter().rev().find(|(known, _)| *known == revision).map(|(_, l)| Arc::clone(l))
    }
}

/// The drop log and what feeds it.
#[derive(Debug)]
pub(crate) struct Logger {
    rings: Vec<Consumer<DropRecord>>,
    /// Rings of workers that come later.
    more: Receiver<Consumer<DropRecord>>,
    legends: Legends,
    /// The legend of the last record: nearly always the next one's too.
    legend: Option<Known>,
    sinks: Sinks,
    recent: Arc<Recent>,
    watch: Option<Watch>,
    /// Events of one turn.
    batch: Vec<Event>,
}

impl Logger {
    /// What writes the records of the rings that come from `more` to `sinks`.
    pub(crate) fn new(
        more: Receiver<Consumer<DropRecord>>,
        legends: Legends,
        sinks: Sinks,
        recent: Arc<Recent>,
        watch: Option<Watch>,
    ) -> Self {
        let (rings, legend, batch) = (Vec::new(), None, Vec::with_capacity(TURN));
        Self { rings, more, legends, legend, sinks, recent, watch, batch }
    }

    /// Writes until `stop` is set and the rings are empty, or the log takes no more.
    pub(crate) fn run(mut self, stop: &AtomicBool) {
        let mut deadline = None;
        loop {
            // Read before draining: what was pushed before the stop is written before the end.
            let last = stop.load(Ordering::Acquire);
            let taken = self.drain();
            self.sum_up();
            if taken > 0 && self.sinks.room() {
                continue;
            }
            let written = self.sinks.flush();
            if last {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + GRACE);
                if written && taken == 0 && self.sinks.told() || Instant::now() > deadline {
                    break;
                }
            }
            if !written || taken == 0 {
                thread::sleep(REST);
            }
        }
        let in_rings: usize = self.rings.iter().map(Consumer::slots).sum();
        self.sinks.finish(in_rings as u64);
    }

    /// Takes what stands in the rings now, as far as the log has room; returns how many records.
    fn drain(&mut self) -> usize {
        let mut rings = std::mem::take(&mut self.rings);
        rings.extend(self.more.try_iter());
        let mut taken = 0;
        for ring in &mut rings {
            if !self.sinks.room() {
                break;
            }
            let Ok(chunk) = ring.read_chunk(ring.slots().min(TURN)) else { continue };
            for record in chunk {
                let legend = self.legend_of(record.revision);
                self.tell(Event::Record(record, legend));
                taken += 1;
            }
            self.recent.push(self.batch.drain(..));
        }
        self.rings = rings;
        taken
    }

    /// Tells the patterns of the interval, when it is over.
    fn sum_up(&mut self) {
        // While the log takes nothing, the interval goes on: patterns never pile up in front of it.
        let Some(watch) = self.watch.as_mut().filter(|_| self.sinks.room()) else { return };
        for pattern in watch.look(&self.legends, &self.recent) {
            self.tell(Event::Pattern(Arc::new(pattern)));
        }
        self.recent.push(self.batch.drain(..));
    }

    fn tell(&mut self, event: Event) {
        self.sinks.push(&event, self.recent.names());
        self.batch.push(event);
    }

    fn legend_of(&mut self, revision: Revision) -> Option<Arc<Legend>> {
        if self.legend.as_ref().is_none_or(|(known, _)| *known != revision) {
            self.legend = self.legends.find(revision).map(|legend| (revision, legend));
        }
        self.legend.as_ref().map(|(_, legend)| Arc::clone(legend))
    }
}
