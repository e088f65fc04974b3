//! `palisade export`: the policy in another filter's words.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use engine::say;
use lookup::Policy;
use lookup::export::{Family, Target, nft};

use crate::check;
use crate::cli::{Export, ExportNft, NftFamily};
use crate::words::warn;

/// Writes the ruleset to standard output; exit status 0, or 1 when the policy is refused.
pub(crate) fn export(export: &Export) -> ExitCode {
    let Export::Nft(args) = export;
    let (policy, geo, warnings) = match Policy::load(&args.policy, SystemTime::now().into()) {
        Ok(loaded) => loaded,
        Err(error) => {
            check::show(error.problems());
            warn(format_args!("{} is refused", args.policy.display()));
            return ExitCode::FAILURE;
        }
    };
    check::show(&warnings);
    let text = nft(&policy, &geo, &target(args));
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("cannot write the ruleset: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn target(args: &ExportNft) -> Target {
    Target {
        family: match args.family {
            NftFamily::Inet => Family::Inet,
            NftFamily::Bridge => Family::Bridge,
            NftFamily::Netdev => Family::Netdev,
        },
        outside: args.outside.clone(),
        inside: args.inside.clone(),
    }
}
