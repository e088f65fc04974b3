//! `palisade-bench`: the demo, the packet generator and the comparisons with peers.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use palisade_bench::agree::Agree;
use palisade_bench::compare::Compare;
use palisade_bench::day::Day;
use palisade_bench::floor::{self, Terms};
use palisade_bench::oracle::Oracle;
use palisade_bench::peers::Peer;
use palisade_bench::pipeline::Pipeline;
use palisade_bench::pktgen::Pktgen;
use palisade_bench::poll::Poll;
use palisade_bench::reliability::Reliability;
use palisade_bench::reloads::Reloads;
use palisade_bench::report::Report;
use palisade_bench::soak::Soak;
use palisade_bench::sources::Draw;
use palisade_bench::tables::{Load, Tables};
use palisade_bench::{Error, Result, demo};

/// As in the gateway, for all that is measured in this process.
#[global_allocator]
static ALLOCATOR: af_xdp_rs::LargePages = af_xdp_rs::LargePages;

/// The lab of Palisade: real traffic and offered load between network namespaces. Needs root.
#[derive(Debug, Parser)]
#[command(name = "palisade-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a gateway at work: who gets in, what is logged, what it carries, and its books.
    Demo {
        /// Leave the lab up until Ctrl-C, and say how to play with it.
        #[arg(long)]
        keep: bool,
    },
    /// Compare what `palisade explain` says of many addresses with the database itself.
    Agree(Agree),
    Compare(Compare),
    /// Play a day of an operator, hold every step to what it shows, and write docs/a-day.md.
    Day(Day),
    /// Compare the verdicts with those of kernel nftables, under the exported policy.
    Oracle(Oracle),
    /// Offer a load to a peer in a lab, and count what comes through.
    Pktgen(Pktgen),
    Poll(Poll),
    /// Run the tests behind each claim, and write docs/reliability.md from all records.
    Reliability(Reliability),
    /// Write docs/benchmarks.md and its pictures from the newest records, and the README's figures.
    Report(Report),
    /// Reload again and again under load, and count what that costs.
    Reloads(Reloads),
    /// Run everything at once for a long time, and look at memory and books all along.
    Soak(Soak),
    Sources(Draw),
    /// Measure the building blocks beside those of others: lookups, flows, parsing, ring, rebuilding.
    Tables(Tables),
    /// What a packet costs a worker, over the simulated kernel, beside an empty forwarder.
    Pipeline(Pipeline),
    /// Load a policy twice and print what it cost in time and memory; `tables rebuild` calls it.
    #[command(hide = true)]
    Load(Load),
    /// Compare Palisade's forwarding rate with that of DPDK's testpmd, which filters nothing.
    Floor {
        /// Turns of each peer.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds of one measurement.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Bytes of a frame on the wire, FCS included.
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Where the record goes.
        #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
        records: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("palisade-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo { keep } => demo::run(keep),
        Command::Agree(agree) => agree.run(),
        Command::Compare(compare) => compare.run(),
        Command::Day(day) => day.run(),
        Command::Oracle(oracle) => oracle.run(),
        Command::Pktgen(pktgen) => pktgen.run(),
        Command::Poll(poll) => poll.run(),
        Command::Reliability(reliability) => reliability.run(),
        Command::Report(report) => report.run(),
        Command::Reloads(reloads) => reloads.run(),
        Command::Soak(soak) => soak.run(),
        Command::Sources(draw) => draw.run(),
        Command::Tables(tables) => tables.run(),
        Command::Load(load) => load.run(),
        Command::Pipeline(pipeline) => pipeline.run(),
        Command::Floor { rounds, seconds, size, records } => {
            let terms = Terms { rounds, length: Duration::from_secs(seconds), wire_bytes: size };
            let part = floor::run(&[Peer::Palisade, Peer::Testpmd], terms, &records)?;
            println!("palisade / testpmd = {part:.2}; the goal is {:.1}", floor::GOAL);
            if part < floor::GOAL {
                return Err(Error::Usage("below the floor".to_owned()));
            }
            Ok(())
        }
    }
}
