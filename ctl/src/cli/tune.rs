//! The command that fits a running gateway to its machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::Poll;

use super::Control;

/// Propose cores, queues, burst and poll mode; measure them; change a running gateway.
///
/// The proposal comes from the machine: which cores are near the interfaces, isolated, or two threads
/// of one core, and how many queues there are. With --measure each choice is tried for some seconds on
/// the running gateway, under the traffic that it has, and the better one is taken. Nothing stays
/// changed without --apply, and a choice on trial goes back by itself when this command is cut off.
///
/// A change stops no worker that stays: one more, one less, one on another core, another poll mode. A
/// queue that loses its worker falls to the fail mode; what its worker had received is judged first.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade tune                             what is, what should be, and why
  palisade tune --measure 3                 the same, tried under the traffic of now
  palisade tune --measure 3 --apply         and put in force
  palisade tune --poll adaptive --apply     your own choice, at once
  palisade tune --cores 2,3 --apply --write and in gateway.toml, for the next start
  palisade tune --config gateway.toml       before the gateway runs

Exit status: 0; 1 when it is refused, and nothing changed; 3 when no gateway answers.")]
pub(crate) struct Tune {
    /// Try each choice for so many seconds on the running gateway.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = false,
        default_missing_value = "3",
        value_parser = clap::value_parser!(u64).range(1..=60)
    )]
    pub(crate) measure: Option<u64>,
    /// Change the running gateway.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Write the choice to gateway.toml, for the next start; what else stands there stays.
    #[arg(long)]
    pub(crate) write: bool,
    /// These cores, one a queue, instead of the proposed ones.
    #[arg(long, value_name = "CORE", value_delimiter = ',')]
    pub(crate) cores: Option<Vec<usize>>,
    /// This poll mode instead of the proposed one: busy, adaptive or interrupt.
    #[arg(long, value_name = "MODE", value_parser = poll)]
    pub(crate) poll: Option<Poll>,
    /// Packets judged at a time, at most, instead of the proposed number.
    #[arg(long, visible_alias = "batch", value_name = "PACKETS", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) burst: Option<u8>,
    /// What a measured poll mode is chosen by.
    #[arg(long, value_enum, default_value_t = Prefer::Cores)]
    pub(crate) prefer: Prefer,
    /// Why, for those who read the changes.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// One JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// gateway.toml, where no gateway runs to ask, or for --write.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// What a poll mode is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Prefer {
    /// The least core time of the modes that lose nothing.
    Cores,
    /// No packet waits for a wake-up: busy, unless it loses more than another mode.
    Latency,
}

fn poll(word: &str) -> Result<Poll, String> {
    let known = Poll::ALL.into_iter().find(|(name, _)| *name == word);
    known.map(|(_, poll)| poll).ok_or_else(|| "write busy, adaptive or interrupt".to_owned())
}
