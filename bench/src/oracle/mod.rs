//! A judge that nobody here wrote: kernel nftables, fed with `palisade export nft`.
//!
//! ```text
//!  random policy --+--> Ruleset --> Filter::process ----.
//!                  |                   ^                 >--> the same verdict?
//!                  |    random frame --+                 |
//!                  |                   v                 |
//!                  `--> export::nft --> nft, the kernel -'
//! ```
//!
//! The export is written from the policy's meaning, so the two sides share the parsed policy and the
//! geo data, and nothing of what is compiled. A disagreement is made as small as it gets, and shown
//! with both verdicts and with what `explain` says.

mod compare;
mod converse;
mod draft;
mod judge;
mod packet;
mod probe;
mod record;
mod small;
mod wire;

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

pub use compare::{Compared, Question, Tally, Trial, stateless};
pub use draft::{Draft, draw};
pub use judge::{Judge, Said};
pub use packet::{Extra, Packet, flag, proto};
pub use probe::Probes;
pub use small::Disagreement;
pub use wire::{INSIDE, Join, OUTSIDE, Wire};

use crate::Result;

/// Compare the verdicts of Palisade with those of kernel nftables, under the exported policy.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Random policies and random packets, biased to the boundaries of what the policy names. Each policy is
exported, loaded into a namespace of its own, and both sides are asked about the same frames. Every
other one is loaded as a bridge's ruleset and as netdev's; a part also as a router's, with connections
that the inside opens, their replies, and the errors about them.

Exit status: 0 when all verdicts agree; 1 with the first disagreement, made small.")]
pub struct Oracle {
    /// Policies; each has a seed of its own, counted from --seed.
    #[arg(long, default_value_t = 100)]
    policies: u64,
    /// Packets for each policy.
    #[arg(long, default_value_t = 2_000)]
    packets: usize,
    /// The first seed; from the clock when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Write the row of docs/reliability.md to this file.
    #[arg(long, value_name = "FILE")]
    row: Option<PathBuf>,
}

/// Every so many policies one is also asked about as a router's.
const ROUTED: u64 = 2;

impl Oracle {
    /// Compares, prints the counts, and writes them where asked.
    ///
    /// # Errors
    /// The first disagreement, or what kept the question from being asked.
    pub fn run(&self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(clock);
        println!("policies {} from seed {seed}, {} packets each", self.policies, self.packets);
        let begin = Instant::now();
        let bar = ProgressBar::new(self.policies).with_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} policies")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let trial = Trial::new()?;
        let mut tally = Tally::default();
        for seed in (0..self.policies).map(|index| seed.wrapping_add(index)) {
            tally.add(&trial.bridged(seed, self.packets)?);
            if seed.is_multiple_of(ROUTED) {
                tally.add(&trial.routed(seed, self.packets / 4)?);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        print!("{}", record::report(&tally, seed, begin.elapsed()));
        match &self.row {
            Some(path) => record::write(path, &tally),
            None => Ok(()),
        }
    }
}

/// A seed that was not tried before.
#[must_use]
pub fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs() * 1000 + u64::from(now.subsec_millis()))
}
