//! Bursts of frames through one or two filters, with time and reloads as the input says.
//!
//! ```text
//!  input: | setup | step | step | ...        step: op byte, then what it takes
//!                                            op & 7: raw frame, built frame, wait, reload,
//!                                                    housekeep, no room to send, new burst
//!                                            op & 8: arrived inside   op & 16: second worker
//! ```
//! Raw frames let the fuzzer write any bytes; built ones ([`build`]) are sound packets of a small
//! world, so that packets meet the flows of others. [`Witness`] judges what came of each.

mod build;
mod reading;
mod seeds;
mod witness;

use std::sync::{Arc, OnceLock};

use filter::{
    Action, Actions, BURST, DropRecord, Filter, FilterConfig, Full, Now, Records, Shared, Timeouts,
};
use lookup::{Moment, Revision, Ruleset, Side};

pub(crate) use seeds::seeds;
use witness::Witness;

use crate::data;
use crate::input::Input;

const RAW: u8 = 0;
const BUILT: u8 = 1;
const WAIT: u8 = 2;
const RELOAD: u8 = 3;
const HOUSEKEEP: u8 = 4;
const NO_ROOM: u8 = 5;
const INSIDE: u8 = 8;
const SECOND: u8 = 16;
/// A raw frame's IPv4 header checksum stays as it is; otherwise it is made right.
const UNMENDED: u8 = 32;

/// Everything is forgotten within seconds.
const SHORT: Timeouts = Timeouts {
    tcp_opening_s: 1,
    tcp_open_s: 8,
    tcp_closing_s: 2,
    udp_opening_s: 1,
    udp_open_s: 4,
    icmp_s: 1,
    other_opening_s: 1,
    other_open_s: 2,
    fragment_s: 1,
};

/// The rulesets in the order of their reloads: the rich policy and the other one in turn.
fn rulesets() -> &'static [Ruleset] {
    static RULES: OnceLock<Vec<Ruleset>> = OnceLock::new();
    RULES.get_or_init(|| {
        let load = |(number, name)| {
            Ruleset::load(&data(name), Moment::default(), Revision(number)).expect(name).0
        };
        (1..).zip(["rich.toml", "other.toml", "rich.toml", "other.toml"]).map(load).collect()
    })
}

/// Where drop records go: has room for so many.
#[derive(Default)]
pub(crate) struct Log {
    room: usize,
    records: Vec<DropRecord>,
}

impl Records for Log {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        if self.records.len() == self.room {
            return Err(Full);
        }
        self.records.push(record);
        Ok(())
    }
}

/// One worker's filter and what it wrote.
struct Worker {
    filter: Filter,
    log: Log,
    /// Every drop has its record: no rate, no lack of room.
    complete: bool,
}

/// Frames that wait for the end of their burst.
struct Burst {
    side: Side,
    worker: usize,
    frames: Vec<(Vec<u8>, bool)>,
    no_room: bool,
}

struct Run {
    workers: Vec<Worker>,
    rules: &'static Ruleset,
    mono_ms: u64,
    burst: Burst,
    witness: Witness,
}

/// See the module.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut run = Run::new(input.byte());
    while !input.is_empty() {
        let op = input.byte();
        run.step(op, &mut input);
    }
    run.finish();
}

impl Run {
    fn new(setup: u8) -> Self {
        let flows = [16, 64, 256, 1024][usize::from(setup & 3)];
        let records_per_s = [1_000_000, 1_000_000, 3, 0][usize::from(setup >> 2 & 3)];
        let room = if setup & 16 == 0 { usize::MAX } else { 2 };
        let workers = 1 + usize::from(setup >> 5 & 1);
        let timeouts = if setup & 64 == 0 { Timeouts::default() } else { SHORT };
        let shared = Arc::new(Shared::new(flows, [7; 16]));
        let worker = |key| {
            let config = FilterConfig { flows, records_per_s, key: [key; 16], timeouts };
            Worker {
                filter: Filter::new(config, Arc::clone(&shared)),
                log: Log { room, records: Vec::new() },
                complete: records_per_s > 3 && room > 2,
            }
        };
        Self {
            workers: (0..workers as u8).map(worker).collect(),
            rules: &rulesets()[0],
            mono_ms: 1_000_000,
            burst: Burst { side: Side::Outside, worker: 0, frames: Vec::new(), no_room: false },
            witness: Witness::default(),
        }
    }

    fn step(&mut self, op: u8, input: &mut Input<'_>) {
        let side = if op & INSIDE == 0 { Side::Outside } else { Side::Inside };
        let worker = usize::from(op & SECOND != 0) % self.workers.len();
        match op & 7 {
            RAW => {
                let mut frame = input.counted().to_vec();
                if op & UNMENDED == 0 {
                    build::mend(&mut frame);
                }
                self.add(side, worker, (frame, false));
            }
            BUILT => {
                let choice = input.bytes(4);
                let frame = build::frame(side, choice);
                self.add(side, worker, (frame, true));
            }
            WAIT => {
                self.end_burst();
                self.mono_ms += 1 << (input.byte() % 24);
            }
            RELOAD => {
                self.end_burst();
                let next = self.rules.revision().0 as usize;
                self.rules = rulesets().get(next).unwrap_or(self.rules);
            }
            HOUSEKEEP => {
                self.end_burst();
                let now = self.now();
                let Worker { filter, log, .. } = &mut self.workers[worker];
                filter.housekeep(now, log);
                assert!(filter.counters().balanced(), "{:?}", filter.counters());
            }
            NO_ROOM => self.burst.no_room = true,
            _ => self.end_burst(),
        }
    }

    fn now(&self) -> Now {
        Now { unix_ns: self.mono_ms * 1_000_000, mono_ms: self.mono_ms }
    }

    fn add(&mut self, side: Side, worker: usize, frame: (Vec<u8>, bool)) {
        let Burst { side: there, worker: other, frames, .. } = &self.burst;
        if (*there, *other) != (side, worker) || frames.len() == BURST {
            self.end_burst();
        }
        (self.burst.side, self.burst.worker) = (side, worker);
        self.burst.frames.push(frame);
    }

    fn end_burst(&mut self) {
        let Burst { side, worker, .. } = self.burst;
        let frames = std::mem::take(&mut self.burst.frames);
        let no_room = std::mem::take(&mut self.burst.no_room);
        let now = self.now();
        let Worker { filter, log, complete } = &mut self.workers[worker];
        let bytes: Vec<&[u8]> = frames.iter().map(|(frame, _)| frame.as_slice()).collect();
        let (mut actions, written) = (Actions::new(), log.records.len());
        filter.process(self.rules, now, side, &bytes, &mut actions, log);
        assert_eq!(actions.len(), frames.len());
        assert!(filter.counters().balanced(), "{:?}", filter.counters());

        let mut records = log.records[written..].iter();
        for ((frame, built), action) in frames.iter().zip(&actions) {
            let reading = self.witness.saw(self.rules, side, frame, *action);
            let recorded = *action == Action::Drop || reading.shadow;
            if *complete && recorded {
                let record = records.next().expect("each drop has a record");
                self.witness.recorded(self.rules, record, &reading, *built);
            }
        }
        if *complete {
            assert_eq!(records.next(), None, "a record without a drop");
        }
        if no_room {
            for (frame, &action) in bytes.iter().zip(&actions) {
                filter.undeliverable((self.rules, now, side), (frame, action), log);
                assert!(filter.counters().balanced(), "{:?}", filter.counters());
            }
        }
    }

    /// At the end every promised record is out: what counts as recorded is what was written.
    fn finish(mut self) {
        self.end_burst();
        for Worker { mut filter, mut log, .. } in self.workers {
            filter.finish(&mut log);
            let counters = filter.counters();
            assert!(counters.balanced(), "{counters:?}");
            let both = [counters.records, counters.shadow_records];
            let sum = |field: fn(&filter::RecordCounters) -> u64| both.iter().map(field).sum();
            let recorded: u64 = sum(|records| records.recorded);
            let suppressed: u64 = sum(|records| records.suppressed);
            assert_eq!(recorded, log.records.len() as u64, "{counters:?}");
            let told: u64 = log.records.iter().map(|record| u64::from(record.suppressed)).sum();
            assert!(told <= suppressed, "{counters:?}");
            if log.room > 2 {
                assert_eq!(told, suppressed, "{counters:?}");
            }
        }
    }
}
