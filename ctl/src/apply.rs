//! `palisade apply`: another policy is put in force, on trial where asked for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use engine::say;

use crate::change::{Wish, change};
use crate::cli::Apply;

/// The largest policy, as the gateway takes it.
const POLICY_BYTES: u64 = 64 << 20;

/// Sends the policy's text and prints what came of it.
pub(crate) fn apply(args: &Apply) -> ExitCode {
    let policy = match read(&args.policy) {
        Ok(text) => text,
        Err(error) => {
            say(format_args!("cannot read the policy {}: {error}", args.policy.display()));
            return ExitCode::FAILURE;
        }
    };
    let wish = Wish { policy: Some(policy), confirm_s: args.confirm, ..Wish::new(&args.terms) };
    change(&args.control, "/apply", args.terms.json, &wish)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn io::Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    input.take(POLICY_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > POLICY_BYTES {
        return Err(io::Error::other("it is larger than 64 MiB; long lists belong in `files`"));
    }
    Ok(text)
}
