//! `palisade rollback`: an earlier policy is put in force again.

use std::process::ExitCode;

use crate::change::{Wish, change};
use crate::cli::Rollback;

/// Asks for it and prints what came of it.
pub(crate) fn rollback(args: &Rollback) -> ExitCode {
    let wish = Wish { revision: args.revision, confirm_s: args.confirm, ..Wish::new(&args.terms) };
    change(&args.control, "/rollback", args.terms.json, &wish)
}
