//! Commands that change a running gateway.

use clap::Args;

use super::Control;

/// Compile the policy again and put it in force.
///
/// A policy with a mistake changes nothing: the last good one stays in force.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0; 1 when the policy is refused; 3 when no gateway answers."
)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) control: Control,
}
