//! `palisade confirm`: the policy on trial stays.

use std::process::ExitCode;

use crate::change::{Wish, change};
use crate::cli::Confirm;

/// Confirms and prints what came of it.
pub(crate) fn confirm(args: &Confirm) -> ExitCode {
    change(&args.control, "/confirm", args.json, &Wish::default())
}
