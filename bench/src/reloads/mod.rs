//! Reloads under load: what they cost, counted at the sink.
//!
//! ```text
//!  slice:   with      without   with      without   ..     the same load in each
//!  reloads: ||||||||            ||||||||                   two policies in turn
//! ```
//! Slices with and without reloads come in turn, so that both meet the same machine. The rings of a
//! veth lose packets at full load with or without reloads; each packet is accounted for at each hop, so
//! that what a reload loses is a number: packets that nothing accounts for, and packets of countries
//! that both policies let in but a verdict dropped.

mod log;
mod policies;
mod slice;
mod storm;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use self::log::Verdicts;
use self::slice::{Reading, Slice};
use self::storm::{Reload, Storm, percentile};
use crate::error::system;
use crate::lab::{Gateway, Lab, Setup};
use crate::load::{Generator, Order, Sink};
use crate::record::{Machine, median};
use crate::reliability::{Area, Row};
use crate::{Error, Result};

/// The longest slice.
const SLICE: Duration = Duration::from_secs(30);
/// Slices of each kind at least.
const LEAST: u32 = 5;
/// Records a second: enough to see verdicts, few enough to read them all.
const RECORDS: u32 = 2_000;

/// Reload again and again under load, and count what that costs.
#[derive(Debug, clap::Args)]
pub struct Reloads {
    /// Seconds with reloads; as many go by without.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Milliseconds from one reload to the next.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    every: u64,
    /// Frames a second; as fast as a core can when absent.
    #[arg(long)]
    pps: Option<u64>,
    /// Where the record and the row for docs/reliability.md go.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    machine: Machine,
    pps: Option<u64>,
    every_ms: u64,
    reloads: usize,
    /// Packets lost to reloads: unexplained ones and wronged ones, all slices with reloads.
    lost: i64,
    /// The same without reloads.
    lost_without: i64,
    leaked: u64,
    verdicts: Verdicts,
    /// Median part of the packets that found a ring full: with reloads, without.
    ring_part: [f64; 2],
    /// From the command to the effect, milliseconds: p50, p99, p99.9, longest; by the gateway.
    effect_ms: [f64; 4],
    /// Compiling, likewise.
    compile_ms: [f64; 4],
    /// From the publication until every worker judged by it, likewise.
    swap_ms: [f64; 4],
    /// What did not hold.
    wrong: Vec<String>,
    slices: Vec<Slice>,
}

impl Reloads {
    /// Runs it, and writes what came of it.
    ///
    /// # Errors
    /// When the lab cannot be made, or a packet was lost to a reload.
    pub fn run(&self) -> Result<()> {
        let lab = Lab::new(1)?;
        let flows = policies::flows()?;
        let core = thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1);
        let setup = Setup {
            cores: vec![core],
            poll: "busy",
            rate: RECORDS,
            ..Setup::new(&lab, &policies::policies()[0])
        };
        let gateway = Gateway::start(&lab, &setup)?;
        let mut sink = Sink::at_servers(&lab, 0)?;
        let mut generator = Generator::outside(&lab, &flows, 64)?;
        // What happens once, such as neighbour discovery and first faults, is over before the count.
        generator.run(self.order(Duration::from_secs(1)))?;

        let (turns, length) = self.slices();
        let (mut slices, mut reloads, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..2 * turns {
            let with = turn % 2 == 0;
            let before = Reading::take(&lab, &gateway, &mut generator, &mut sink)?;
            let stop = AtomicBool::new(!with);
            let every = Duration::from_millis(self.every);
            let (sent, storm) = thread::scope(|scope| {
                let storm = scope.spawn(|| match with {
                    true => storm::storm(&gateway, every, &stop),
                    false => Ok(Storm::default()),
                });
                let sent = generator.run(self.order(length));
                stop.store(true, Ordering::Relaxed);
                let broken = || Err(Error::Usage("the reloading thread panicked".to_owned()));
                (sent, storm.join().unwrap_or_else(|_| broken()))
            });
            let (sent, storm) = (sent?, storm?);
            let after = Reading::take(&lab, &gateway, &mut generator, &mut sink)?;
            let slice = Slice::between(&before, &after, &storm, sent.length.as_secs_f64());
            println!("{}", line(&slice));
            slices.push(slice);
            reloads.extend(storm.reloads);
            refused.extend(storm.refused);
        }
        let drops = gateway.folder().join("drops.jsonl");
        let verdicts = log::read(&drops, &reloads)?;
        gateway.stop()?;
        self.write(&self.found(slices, &reloads, &refused, verdicts))
    }

    fn order(&self, length: Duration) -> Order {
        Order { length, count: None, rate_pps: self.pps, core: 0 }
    }

    /// How many of each kind, and how long each.
    fn slices(&self) -> (u32, Duration) {
        let whole = Duration::from_secs(self.seconds.max(1));
        let turns = (whole.as_secs_f64() / SLICE.as_secs_f64()).ceil() as u32;
        let turns = turns.max(LEAST);
        (turns, whole / turns)
    }

    fn found(
        &self,
        slices: Vec<Slice>,
        reloads: &[Reload],
        refused: &[String],
        verdicts: Verdicts,
    ) -> Found {
        let lost = |with: bool| -> i64 {
            let kind = slices.iter().filter(|slice| (slice.reloads > 0) == with);
            kind.map(|slice| slice.unexplained + slice.wronged.unwrap_or(0) as i64).sum()
        };
        let part = |with: bool| {
            let kind = slices.iter().filter(|slice| (slice.reloads > 0) == with);
            median(&kind.map(Slice::ring_part).collect::<Vec<_>>())
        };
        let times = |of: fn(&Reload) -> Option<f64>| {
            let mut times: Vec<f64> = reloads.iter().filter_map(of).collect();
            times.sort_by(f64::total_cmp);
            [500, 990, 999, 1000].map(|thousandths| percentile(&times, thousandths))
        };
        let mut found = Found {
            machine: Machine::here(),
            pps: self.pps,
            every_ms: self.every,
            reloads: reloads.len(),
            lost: lost(true),
            lost_without: lost(false),
            leaked: slices.iter().map(|slice| slice.leaked).sum(),
            verdicts,
            ring_part: [part(true), part(false)],
            effect_ms: times(|reload| reload.total_ms),
            compile_ms: times(|reload| reload.compile_ms),
            swap_ms: times(|reload| reload.swap_ms),
            wrong: refused.iter().map(|why| format!("a reload was refused: {why}")).collect(),
            slices,
        };
        for (what, count) in [
            ("packets lost to reloads", found.lost.unsigned_abs()),
            ("packets of denied countries at the sink", found.leaked),
            ("records of drops by a policy that allows", verdicts.guests_wronged),
            ("records of drops that no policy wants", verdicts.wronged),
        ] {
            if count > 0 {
                found.wrong.push(format!("{what}: {count}"));
            }
        }
        if found.reloads == 0 || verdicts.guests == 0 {
            found.wrong.push("nothing was reloaded, or nobody was dropped".to_owned());
        }
        found
    }

    fn write(&self, found: &Found) -> Result<()> {
        let put = |path: PathBuf, text: String| {
            std::fs::write(&path, text + "\n").map_err(system("write", &path.display().to_string()))
        };
        let name = if self.pps.is_some() { "reloads-paced.json" } else { "reloads.json" };
        put(self.records.join(name), serde_json::to_string_pretty(found).unwrap_or_default())?;
        let rows = serde_json::to_string_pretty(&[self.row(found)]).unwrap_or_default();
        put(self.records.join("reliability").join(name), rows)?;
        let [p50, p99, p999, most] = found.effect_ms;
        println!(
            "{} reloads, {} packets lost to them; command to effect p50 {p50:.1} ms, p99 {p99:.1} ms, \
             p99.9 {p999:.1} ms, at most {most:.1} ms",
            found.reloads, found.lost
        );
        if found.wrong.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!("did not hold:\n  {}", found.wrong.join("\n  "))))
    }

    fn row(&self, found: &Found) -> Row {
        let load = self.pps.map_or("full load".to_owned(), |pps| format!("{pps} frames a second"));
        let offered: u64 = found.slices.iter().map(|slice| slice.offered).sum();
        let [with, without] = found.ring_part.map(|part| part * 100.0);
        let pace = self.pps.map_or(String::new(), |pps| format!(" --pps {pps}"));
        Row {
            area: Area::Faults,
            tried: format!(
                "Under the generator's {load}, a reload every {} ms, two policies that differ in one \
                 country in turn; the same load without reloads beside it, in slices",
                self.every
            ),
            times: format!("{} s of each, {} reloads", self.seconds, found.reloads),
            result: format!(
                "{} packets lost to reloads, of {offered} offered and each accounted for; {} of denied \
                 countries arrived; {} records of drops, each by a revision that says so; rings full \
                 for {with:.2} % with reloads, {without:.2} % without; command to effect p50 \
                 {:.0} ms, p99 {:.0} ms",
                found.lost,
                found.leaked,
                found.verdicts.records,
                found.effect_ms[0],
                found.effect_ms[1]
            ),
            held: found.wrong.is_empty(),
            command: format!("scripts/reloads --seconds {}{pace}", self.seconds),
        }
    }
}

/// A slice in a line.
fn line(slice: &Slice) -> String {
    format!(
        "{:>4} reloads  {:>11} offered  {:>10} rings full ({:.2} %)  {:>11} received  {:>11} dropped  \
         {:>11} at the sink  {} unexplained  {} wronged  {} leaked",
        slice.reloads,
        slice.offered,
        slice.refused + slice.ring_full + slice.unsent,
        slice.ring_part() * 100.0,
        slice.received,
        slice.dropped,
        slice.sunk,
        slice.unexplained,
        slice.wronged.map_or("?".to_owned(), |count| count.to_string()),
        slice.leaked
    )
}
