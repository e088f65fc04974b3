//! Commands that look at a running gateway.

use clap::Args;

use super::Control;

/// Show a running gateway's counters.
#[derive(Debug, Args)]
#[command(after_long_help = "Exit status: 0; 3 when no gateway answers.")]
pub(crate) struct Status {
    /// One JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}
