//! The building blocks beside those of others: tables, parser, ring, rebuilding.
//!
//! ```text
//!  round 1: ours, peer, peer, ...   round 2: ours, peer, peer, ...   -->  rows of a record
//! ```
//!
//! Ours and theirs take turns over the same routes, keys and frames, in one process where there is a
//! crate and in DPDK's own test program where there is none. Before anything is timed, all must
//! answer the same. Time is the thread's own, so that other work on the machine weighs little.

mod flows;
mod lookups;
mod parse;
mod rebuild;
mod ring;
pub(crate) mod spent;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub use self::rebuild::Load;
use crate::record::{Better, Record};
use crate::{Error, Result};

/// A cost.
pub(crate) const NS: (&str, Better) = ("ns", Better::Less);

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub struct Tables {
    /// Which parts; all when none is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Turns of each.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// A MaxMind country database for the whole world; the embedded table, and no maxminddb crate,
    /// without.
    #[arg(long, value_name = "FILE.mmdb")]
    database: Option<PathBuf>,
    /// Leave out the peers that are programs of DPDK.
    #[arg(long)]
    no_dpdk: bool,
    /// Where the records go, one a part.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
}

/// A building block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Address to class: rte_fib, poptrie, prefix-trie, ip_network_table, maxminddb.
    Lookups,
    /// The flow table: hashbrown with foldhash, rte_hash.
    Flows,
    /// Frame to flow key: etherparse.
    Parse,
    /// The drop ring: rtrb record by record, crossbeam.
    Ring,
    /// Policy text to ruleset in force: `nft -f`.
    Rebuild,
}

impl Tables {
    /// Measures, prints the rows and writes a record of each part.
    ///
    /// # Errors
    /// When a peer cannot be run, or does not answer as ours does.
    pub fn run(&self) -> Result<()> {
        let all = Part::value_variants();
        let parts = if self.parts.is_empty() { all } else { &self.parts };
        for part in parts {
            let record = match part {
                Part::Lookups => lookups::measure(self)?,
                Part::Flows => flows::measure(self)?,
                Part::Parse => parse::measure(self)?,
                Part::Ring => ring::measure(self)?,
                Part::Rebuild => rebuild::measure(self)?,
            };
            finish(&record, &self.records)?;
        }
        Ok(())
    }
}

/// Prints and writes a record.
pub(crate) fn finish(record: &Record, folder: &Path) -> Result<()> {
    println!("{}", crate::report::table(&record.rows));
    println!("record: {}", record.write(folder)?.display());
    Ok(())
}

/// Two that must answer the same, do not.
pub(crate) fn differ(what: &str, peer: &str, at: impl std::fmt::Debug) -> Error {
    Error::Usage(format!("{what}: {peer} does not answer as Palisade does, first for {at:?}"))
}
