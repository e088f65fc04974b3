//! `palisade-bench poll`: what each poll mode costs a core, and how late its packets are.
//!
//! ```text
//!  a turn of a mode:  silence | frames far apart | a moderate load | as fast as can be
//!  measured:          cores   | latency          | cores, latency  | rate
//! ```
//! The modes take turns, each in a lab of its own. Latency goes from the time at which a frame should
//! have been sent to the sink on the far side. Frames far apart find a worker asleep that sleeps at all:
//! what they wait beyond those of `busy` is the wake-up. Core time is the kernel's own count
//! (`/proc/PID/task/TID/schedstat`), of the worker and of the whole process.

mod figures;
mod usage;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use self::figures::{Figures, Turn};
use self::usage::{Share, Usage};
use crate::Result;
use crate::compare::{Workload, draw};
use crate::lab::{Gateway, Lab, Setup};
use crate::load::{Delays, Generator, Order, Sink};
use crate::peers::{Fence, HugePages};
use crate::record::Record;
use crate::tables::finish;

/// The poll modes, the one to compare with first.
const MODES: [&str; 3] = ["busy", "adaptive", "interrupt"];
const CORE: u32 = 1;
const GENERATOR: usize = 0;
const PORT: u16 = 123;
const WIRE_BYTES: usize = 64;
/// Far apart: no worker stays awake for 5 ms.
const APART_PPS: u64 = 199;
/// After this, whatever was sent has arrived, and nobody is awake from it.
const SETTLE: Duration = Duration::from_millis(300);

/// Measure the poll modes: core time when idle and under some load, time to wake up, rate.
///
/// Needs root and two cores. Three rounds take some two minutes.
#[derive(Debug, clap::Args)]
pub struct Poll {
    /// Turns of each mode.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Moderate loads, frames a second.
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    pps: Vec<u64>,
    /// These modes.
    #[arg(long, value_delimiter = ',', default_values = MODES)]
    modes: Vec<String>,
    /// Where the record goes.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
}

impl Poll {
    /// Measures, prints a table and writes a record.
    ///
    /// # Errors
    /// When the lab or the gateway fails.
    pub fn run(&self) -> Result<()> {
        let _pages = HugePages::for_peers()?;
        let fence = Fence::new(None, &["DE", "FR", "US"], PORT)?;
        let mut figures = Figures::new(&self.pps);
        for round in 1..=self.rounds {
            for mode in MODES.into_iter().filter(|mode| self.modes.iter().any(|one| one == mode)) {
                let turn = self.turn(mode, &fence)?;
                println!("round {round}: {mode:<9} {turn}");
                figures.add(mode, turn);
            }
        }
        println!("\n{}\n", figures.table());
        let mut record = Record::begin("poll");
        record.notes = self.notes();
        record.rows = figures.rows();
        finish(&record, &self.records)
    }

    /// One turn of one mode, in a lab of its own.
    fn turn(&self, mode: &'static str, fence: &Fence) -> Result<Turn> {
        let lab = Lab::new(1)?;
        // Every packet through the worker: how it waits is the question.
        let leases = Some(0);
        let setup =
            Setup { cores: vec![CORE], poll: mode, leases, ..Setup::new(&lab, &fence.policy()) };
        let gateway = Gateway::start(&lab, &setup)?;
        let flows = draw(fence, 64, "allowed:1".parse()?)?;
        let mut generator = Generator::routed(&lab, &flows, WIRE_BYTES)?;
        let mut sink = Sink::at_servers(&lab, flows.len())?;
        let length = Duration::from_secs_f64(self.seconds.clamp(0.1, 60.0));
        // Flows are known and pages are there before anything is measured.
        generator.run(order(Duration::from_millis(200), Some(100_000)))?;
        thread::sleep(SETTLE);

        let before = Usage::read(gateway.pid(), CORE)?;
        thread::sleep(length);
        let idle = Usage::read(gateway.pid(), CORE)?.since(before);
        let mut offer = |rate_pps| -> Result<(Share, Delays, f64)> {
            thread::sleep(SETTLE);
            sink.reset()?;
            let before = Usage::read(gateway.pid(), CORE)?;
            let sent = generator.run(order(length, rate_pps))?;
            let usage = Usage::read(gateway.pid(), CORE)?.since(before);
            thread::sleep(SETTLE);
            let arrived = sink.total()?;
            let lost = sent.packets.saturating_sub(arrived.packets);
            if let Some(pps) = rate_pps.filter(|_| lost > 0) {
                println!("{mode}: {lost} of {} frames lost at {pps} frames a second", sent.packets);
            }
            Ok((usage, sink.delays()?, arrived.rate_pps()))
        };
        let (_, apart, _) = offer(Some(APART_PPS))?;
        let loads = self.pps.iter().map(|pps| {
            let (usage, delays, _) = offer(Some(*pps))?;
            Ok((usage, delays))
        });
        let loads = loads.collect::<Result<_>>()?;
        let (_, _, most_pps) = offer(None)?;
        Ok(Turn { idle, apart, loads, most_pps })
    }

    fn notes(&self) -> Vec<String> {
        vec![
            format!(
                "veth pairs between three network namespaces of one machine, copy mode; 64 flows, \
                 UDP over IPv4, {WIRE_BYTES} bytes on the wire; {:.1} s a measurement",
                self.seconds
            ),
            "core 0: generator and the softirq of the receiving veth, which spin all the time; \
             core 1: the worker. Without a load both are idle"
                .to_owned(),
            format!("far apart: {APART_PPS} frames a second; every worker that sleeps was asleep"),
            format!("workload of the rates: {:?}", Workload::Forward),
        ]
    }
}

fn order(length: Duration, rate_pps: Option<u64>) -> Order {
    Order { length, count: None, rate_pps, core: GENERATOR }
}
