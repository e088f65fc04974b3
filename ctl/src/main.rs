//! `palisade`: the one binary. Each command is a thin layer over `lookup` and `engine`.
#![forbid(unsafe_code)]

mod apply;
mod change;
mod check;
mod cli;
mod client;
mod confirm;
mod diff;
mod doctor;
mod drops;
mod explain;
mod export;
mod flow_table;
mod flows;
mod history;
mod reload;
mod replay;
mod rollback;
mod run;
mod shell;
mod status;
mod stream;
mod table;
mod top;
mod tune;
mod words;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Every packet reads long tables at random places.
#[global_allocator]
static ALLOCATOR: af_xdp_rs::LargePages = af_xdp_rs::LargePages;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Export(export) => export::export(&export),
        Command::Status(args) => status::show(&args),
        Command::Drops(args) => drops::drops(&args),
        Command::Flows(args) => flow_table::flows(&args),
        Command::Top(args) => top::top(&args),
        Command::Tune(args) => tune::tune(&args),
        Command::Reload(args) => reload::reload(&args),
        Command::Apply(args) => apply::apply(&args),
        Command::Confirm(args) => confirm::confirm(&args),
        Command::History(args) => history::history(&args),
        Command::Rollback(args) => rollback::rollback(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    }
}
