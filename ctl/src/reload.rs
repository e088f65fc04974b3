//! `palisade reload`: the policy's file is compiled again and put in force.

use std::process::ExitCode;

use crate::change::{Wish, change};
use crate::cli::Reload;

/// Asks for a reload and prints what came of it.
pub(crate) fn reload(args: &Reload) -> ExitCode {
    change(&args.control, "/reload", args.terms.json, &Wish::new(&args.terms))
}
