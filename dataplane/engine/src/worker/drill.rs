//! A worker over the simulated kernel, turned by hand: for finding out what a packet costs, without a
//! NIC, a thread or root.
//!
//! ```text
//!  kernels[0].inject_all --> Drill::turn (a worker's own turn) --> kernels[1].drain
//!                                 `--drop ring--> Drill::drain_records
//! ```

use std::sync::Arc;
use std::time::Instant;

use af_xdp_rs::sim::Kernel;
use af_xdp_rs::{Socket, SocketConfig, Umem, UmemConfig};
use filter::{BURST, Counters, DropRecord, Filter, FilterConfig, Now, Shared};
use lookup::{Ruleset, Side};
use rtrb::Consumer;

use super::{Mind, Snapshot, Wires, Worker};
use crate::board::Board;
use crate::clock::Clock;
use crate::pace::Pace;
use crate::publish::Publisher;
use crate::pulse::Pulse;
use crate::spent::Spent;
use crate::{Error, mail, records};

/// Drop records that may wait.
const RECORDS: usize = 1 << 16;
/// Longer than any flow is remembered.
const FOREVER_MS: u64 = 1 << 30;

/// See the module.
#[derive(Debug)]
pub struct Drill {
    /// The kernel's side of outside and inside.
    pub kernels: [Kernel; 2],
    worker: Worker,
    records: Consumer<DropRecord>,
    publisher: Publisher,
    /// How far its clock is ahead.
    ahead_ms: u64,
}

impl Drill {
    /// A worker with `frames` frames, as the gateway would set it up.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(
        rules: Ruleset,
        filter: FilterConfig,
        shared: Arc<Shared>,
        frames: u32,
    ) -> Result<Self, Error> {
        let config = UmemConfig { frames, ..UmemConfig::default() };
        let (umem, free) = Umem::new(&config)?;
        let sizes = SocketConfig::for_frames(frames).rings;
        let (outside, outside_kernel) = Socket::simulated(&umem, &sizes)?;
        let (inside, inside_kernel) = Socket::simulated(&umem, &sizes)?;
        let (sender, records) = records::ring(RECORDS);
        // Nobody asks.
        let (inbox, _) = mail::pair();
        let mut publisher = Publisher::new(rules);
        let mind = Mind {
            filter: Filter::new(filter, shared),
            rules: publisher.reader(),
            records: sender,
            clock: Clock::new(Instant::now()),
            board: Board::new(Snapshot::default()),
            pulse: Pulse::default(),
            kernel_dropped: [0; 2],
            longest_pause_ms: 0,
            in_bulk: 0,
            pace: Pace::default(),
            spent: Spent::default(),
            inbox,
        };
        let mut worker = Worker::new(Wires::of_sockets(umem, free, [outside, inside]), mind);
        for side in [Side::Outside, Side::Inside] {
            // Nothing is there yet; the fill rings get their frames.
            worker.turn(side, worker.mind.clock.now(), BURST);
        }
        let kernels = [outside_kernel, inside_kernel];
        Ok(Self { kernels, worker, records, publisher, ahead_ms: 0 })
    }

    /// One turn of both sides; answers how many packets it took.
    pub fn turn(&mut self) -> usize {
        let at_ns = self.worker.mind.clock.elapsed_ns();
        self.worker.round(self.now_at(at_ns), at_ns, BURST)
    }

    /// What a worker does each millisecond beside its turns.
    pub fn housekeep(&mut self) {
        let now = self.now();
        self.worker.mind.filter.housekeep(now, &mut self.worker.mind.records);
        self.worker.mind.records.commit();
    }

    /// Lets so much time pass that every flow is forgotten.
    pub fn forget(&mut self) {
        self.ahead_ms += FOREVER_MS;
        while self.counters().flows > 0 {
            self.housekeep();
        }
    }

    /// Puts another ruleset in force, as a reload does.
    pub fn publish(&mut self, rules: Ruleset) {
        self.publisher.publish(rules);
    }

    /// Takes the drop records that wait, as the logger does; answers how many there were.
    pub fn drain_records(&mut self) -> usize {
        let waiting = self.records.slots();
        self.records.read_chunk(waiting).map_or(0, |chunk| chunk.into_iter().count())
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.worker.mind.filter.counters()
    }

    fn now(&self) -> Now {
        self.now_at(self.worker.mind.clock.elapsed_ns())
    }

    fn now_at(&self, at_ns: u64) -> Now {
        let now = self.worker.mind.clock.at(at_ns);
        Now { mono_ms: now.mono_ms + self.ahead_ms, ..now }
    }
}
