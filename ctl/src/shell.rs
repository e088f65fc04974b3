//! What a shell and `man` need, made from the same definitions as the command line itself.

use std::{fs, io, path::Path, process::ExitCode};

use clap::CommandFactory;
use engine::say;

use crate::cli::{Cli, Completions, Man};
use crate::words::tell;

/// Prints a completion script.
pub(crate) fn completions(args: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "palisade", &mut script);
    tell(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// Writes `palisade.1` and one page a command.
pub(crate) fn man(args: &Man) -> ExitCode {
    match pages(&args.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("cannot write man pages to {}: {error}", args.folder.display()));
            ExitCode::FAILURE
        }
    }
}

fn pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::generate_to(command, folder)
}
