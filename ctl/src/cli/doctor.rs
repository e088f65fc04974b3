//! The command that looks at the machine.

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};

/// Check the machine before it carries traffic, and mend what can be mended.
///
/// Looks at the kernel, this process's rights, the cores, memory, both interfaces, their queues,
/// offloads and interrupts, and at the policy with its databases. Each check says what is, what should
/// be, why, and the command that mends it. Nothing is changed without --fix; --fix runs exactly the
/// commands that are marked with it, and remembers what was before, so that --undo puts it back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Grades:
  fatal     palisade run does not start, or part of the traffic is not judged
  warning   it works, but loses packets or speed under load, or surprises
  advice    it works; it could be faster or quieter
  ok

Examples:
  palisade doctor --config gateway.toml             look
  palisade doctor --config gateway.toml --fix       mend what can be mended
  palisade doctor --undo                            put it back as it was
  palisade doctor --config gateway.toml --json | jq '.findings[] | select(.grade == \"fatal\")'

--fix leaves an interface alone while a gateway serves it, and --undo asks for the gateway to be stopped
first. What was changed stands in /run/palisade-doctor.json: a restart of the machine takes the changes
and the file away together. --undo leaves what somebody else has changed since, and interfaces that are
other ones than before.

docs/doctor.md lists every check with its reason.

Exit status: 0; 1 when something fatal is left, a change failed, or the configuration is wrong.")]
pub(crate) struct Doctor {
    /// The gateway that the machine is for.
    #[arg(long, short, value_name = "FILE", required_unless_present = "undo")]
    pub(crate) config: Option<PathBuf>,
    /// Run the commands that are marked with --fix.
    #[arg(long, conflicts_with = "undo")]
    pub(crate) fix: bool,
    /// Put back what --fix changed.
    #[arg(long)]
    pub(crate) undo: bool,
    /// Show only what is not ok.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Look at this check alone, such as queues; may be given more than once.
    #[arg(long, value_name = "CHECK", value_parser = PossibleValuesParser::new(machine::CHECKS),
          hide_possible_values = true)]
    pub(crate) only: Vec<String>,
    /// One JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where --fix writes what it changed.
    #[arg(long, value_name = "FILE", default_value = machine::BOOK)]
    pub(crate) state: PathBuf,
}
