//! The soak: everything at once for a long time, and the books looked at every few seconds.
//!
//! ```text
//!  generator, clients, transfers, fragments --> palisade run --> servers, sink
//!      a reload a second --^   ^-- the log rotated      `--> samples --> record, plot, row
//! ```
//! It holds when memory stays flat after the warm-up, both identities are exact in every sample and in
//! the log at the end, every allowed client was answered, and nothing forbidden arrived. The load comes
//! in bursts, so that two cores have room for the clients beside it.

mod log;
mod plot;
mod sample;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::log::Rotation;
use self::sample::Sample;
use self::traffic::{Tally, Traffic};
use crate::error::system;
use crate::lab::{Books, Gateway, Lab, Setup, check_identities};
use crate::reliability::{Area, Row};
use crate::{Error, Result};

/// Bytes that the resident memory may grow by after the warm-up.
const GROWTH_KIB: u64 = 16 << 10;
/// The share of the run that is warm-up: allocators, sixteen legends, flow tables.
const WARM_UP: f64 = 0.2;
const RELOAD: Duration = Duration::from_secs(1);
const SAMPLE: Duration = Duration::from_secs(5);

/// Run everything at once for a long time, and look at memory and books all along.
#[derive(Debug, clap::Args)]
pub struct Soak {
    /// For how long.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Frames a second in the generator's bursts, which take a third of the time.
    #[arg(long, default_value_t = 300_000)]
    pps: u64,
    /// Where the record and the row for docs/reliability.md go.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
    /// The picture of the run.
    #[arg(long, value_name = "FILE", default_value = "docs/soak.svg")]
    plot: PathBuf,
}

/// What was found, for the record.
#[derive(Debug, Serialize)]
struct Record {
    seconds: u64,
    reloads: u64,
    rotations: u64,
    log_lines: u64,
    recorded: u64,
    suppressed: u64,
    lost: u64,
    received: u64,
    forwarded: u64,
    dropped: u64,
    longest_pause_ms: u64,
    warm_kib: u64,
    end_kib: u64,
    tally: Tally,
    /// What did not hold.
    wrong: Vec<String>,
    columns: [&'static str; 8],
    samples: Vec<[u64; 8]>,
}

impl Soak {
    /// Runs it, and writes what came of it.
    ///
    /// # Errors
    /// When the lab cannot be made, or something did not hold.
    pub fn run(&self) -> Result<()> {
        let lab = Lab::new(1)?;
        let traffic = Traffic::new(&lab, self.pps)?;
        let core = thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1);
        let setup = Setup { cores: vec![core], ..Setup::new(&lab, traffic::POLICIES[0]) };
        let gateway = Gateway::start(&lab, &setup)?;
        let stop = AtomicBool::new(false);
        let (run, tally) = thread::scope(|scope| {
            let load = scope.spawn(|| traffic.run(&stop));
            let run = self.watch(&gateway);
            stop.store(true, Ordering::Relaxed);
            let tally = load.join().unwrap_or_else(|_| Err(broken("the traffic")));
            (run, tally)
        });
        let (tally, leaked) = (tally?, traffic.leaked()?);
        let record = run?.close(gateway, tally, leaked)?;
        self.write(&record)
    }

    /// Reloads, rotates and samples until the time is over.
    fn watch(&self, gateway: &Gateway) -> Result<Run> {
        let length = Duration::from_secs(self.minutes * 60);
        let mut run = Run::new(gateway);
        let begin = Instant::now();
        let mut sampled = Duration::ZERO;
        while begin.elapsed() < length {
            thread::sleep(RELOAD);
            run.reload(gateway)?;
            if begin.elapsed() >= sampled + SAMPLE {
                sampled = begin.elapsed();
                run.sample(gateway, sampled)?;
                run.log.turn(sampled)?;
            }
        }
        run.length = begin.elapsed();
        Ok(run)
    }

    fn write(&self, record: &Record) -> Result<()> {
        let put = |path: &Path, text: String| {
            std::fs::write(path, text).map_err(system("write", &path.display().to_string()))
        };
        let text = serde_json::to_string(record).unwrap_or_default();
        // One sample a line.
        let text = text.replace("],[", "],\n[").replace("\"samples\":[", "\"samples\":[\n");
        put(&self.records.join("soak.json"), text + "\n")?;
        put(&self.plot, plot::svg(record))?;
        let rows = serde_json::to_string_pretty(&[self.row(record)]).unwrap_or_default();
        put(&self.records.join("reliability/soak.json"), rows + "\n")?;
        if record.wrong.is_empty() {
            println!("All held for {} s.", record.seconds);
            return Ok(());
        }
        Err(Error::Usage(format!("did not hold:\n  {}", record.wrong.join("\n  "))))
    }

    fn row(&self, record: &Record) -> Row {
        let Record { seconds, reloads, rotations, tally, .. } = record;
        Row {
            area: Area::Soak,
            tried: "Bursts of allowed, denied and unknown flows of both families, fragments, TCP \
                    clients and transfers, reloads a second apart between two policies, the log \
                    rotated"
                .to_owned(),
            times: format!("{} min, {reloads} reloads, {rotations} rotations", seconds / 60),
            result: format!(
                "{} packets judged; memory {} MiB after the warm-up, {} MiB at the end; both \
                 identities exact in {} samples; {} of {} allowed exchanges answered; {} forbidden \
                 packets arrived",
                record.received,
                record.warm_kib >> 10,
                record.end_kib >> 10,
                record.samples.len(),
                tally.answered,
                tally.answered + tally.unanswered,
                tally.leaked + tally.strangers,
            ),
            held: record.wrong.is_empty(),
            command: format!("scripts/soak --minutes {}", self.minutes),
        }
    }
}

/// A run so far.
struct Run {
    samples: Vec<Sample>,
    log: Rotation,
    reloads: u64,
    length: Duration,
    wrong: Vec<String>,
}

impl Run {
    fn new(gateway: &Gateway) -> Self {
        let log = Rotation::new(gateway.folder().join("drops.jsonl"));
        Self { samples: Vec::new(), log, reloads: 0, length: Duration::ZERO, wrong: Vec::new() }
    }

    fn reload(&mut self, gateway: &Gateway) -> Result<()> {
        self.reloads += 1;
        gateway.write_policy(traffic::POLICIES[(self.reloads % 2) as usize])?;
        if let Err(error) = gateway.ask(&["reload"]) {
            self.wrong.push(format!("reload {}: {error}", self.reloads));
        }
        Ok(())
    }

    fn sample(&mut self, gateway: &Gateway, at: Duration) -> Result<()> {
        let (sample, books) = Sample::take(gateway, at)?;
        println!("{sample}");
        self.wrong
            .extend(books.into_iter().map(|line| format!("after {} s: {line}", at.as_secs())));
        self.samples.push(sample);
        Ok(())
    }

    /// Stops the gateway, and reckons up.
    fn close(mut self, gateway: Gateway, tally: Tally, leaked: u64) -> Result<Record> {
        let status = gateway.quiet_status()?;
        let pause_ms = Sample::take(&gateway, self.length)?.0.longest_pause_ms;
        self.wrong.extend(check_identities(&status));
        let last = gateway.drops()?.len() as u64;
        let suppressed = self.log.suppressed + sum(&gateway)?;
        gateway.stop()?;
        let tally = Tally { leaked, ..tally };
        let lines = self.log.lines + last;
        let mut equal = |what: &str, left: u64, right: u64| {
            if left != right {
                self.wrong.push(format!("{what}: {left} != {right}"));
            }
        };
        equal("lines of all logs == recorded", lines, status.records.recorded);
        equal("suppressed of all logs == suppressed", suppressed, status.records.suppressed);
        equal("forbidden frames at the sink", tally.leaked, 0);
        equal("forbidden clients at the servers", tally.strangers, 0);
        equal("allowed exchanges without an answer", tally.unanswered, 0);
        let [warm, end] = self.memory();
        if end > warm + GROWTH_KIB {
            self.wrong.push(format!("memory grew from {warm} to {end} KiB"));
        }
        Ok(Record {
            seconds: self.length.as_secs(),
            reloads: self.reloads,
            rotations: self.log.rotations,
            log_lines: lines,
            recorded: status.records.recorded,
            suppressed: status.records.suppressed,
            lost: status.records.lost,
            received: status.received,
            forwarded: status.forwarded,
            dropped: status.dropped_total(),
            longest_pause_ms: pause_ms,
            warm_kib: warm,
            end_kib: end,
            tally,
            wrong: self.wrong,
            columns: Sample::COLUMNS,
            samples: self.samples.iter().map(Sample::row).collect(),
        })
    }

    /// The most resident memory just after the warm-up and at the end, over a fifth of the run each.
    fn memory(&self) -> [u64; 2] {
        let fifth = ((self.samples.len() as f64 * WARM_UP) as usize).max(1);
        let most = |part: &[Sample]| part.iter().map(|sample| sample.resident_kib).max();
        let warm = self.samples.get(fifth..2 * fifth).and_then(most);
        let end = self.samples.rchunks(fifth).next().and_then(most);
        [warm, end].map(Option::unwrap_or_default)
    }
}

fn sum(gateway: &Gateway) -> Result<u64> {
    Ok(gateway.drops()?.iter().map(|record| record.palisade.suppressed).sum())
}

fn broken(what: &str) -> Error {
    system("run", what)(std::io::Error::other("the thread panicked"))
}

/// What is wrong with a status, if anything.
fn books(status: &crate::lab::Status) -> Books {
    check_identities(status)
}
