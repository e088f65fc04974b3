//! `palisade tune`: cores, queues, burst and poll mode, from the machine and from the traffic.
//!
//! ```text
//!  /sys --> Topology, Nic --place--> proposal --measure--> choice --apply--> POST /workers
//!  GET /workers, or gateway.toml ----^  trials on the running gateway `--write--> gateway.toml
//! ```

mod measure;
mod propose;
mod text;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::{Config, Roster, Status, WantedRoster, Workers, say};
use hyper::{Method, body::Bytes};
use serde::Serialize;

use self::measure::Trial;
use self::propose::Proposal;
use crate::cli::Tune;
use crate::client::{self, Answer};
use crate::words::{tell, warn};

/// Why it ended without an answer.
enum End {
    /// No gateway answers.
    Silent(io::Error),
    /// Something was refused, or cannot be done.
    Refused(String),
}

/// What the command knows before it proposes.
struct Ground {
    /// In force, or configured where no gateway runs.
    now: Roster,
    interfaces: [String; 2],
    /// Queues of both interfaces, as the gateway has them.
    queues: Option<u32>,
    /// gateway.toml.
    file: Option<PathBuf>,
    running: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    running: bool,
    now: &'a Roster,
    proposed: &'a Roster,
    queues: u32,
    reasons: &'a [String],
    commands: &'a [String],
    tried: &'a [Trial],
    applied: bool,
    written: Option<&'a Path>,
}

/// Proposes, and does what it is told to.
pub(crate) fn tune(args: &Tune) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::Silent(error)) => client::no_answer(&args.control, &error),
        Err(End::Refused(why)) => {
            warn(why);
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Tune) -> Result<(), End> {
    let ground = ground(args)?;
    let mut proposal = Proposal::new(args, &ground);
    let mut tried = Vec::new();
    if let Some(seconds) = args.measure {
        let run = measure::Run { args, seconds };
        tried = run.choose(&ground.now, &mut proposal)?;
    }
    let applied = args.apply && proposal.roster != ground.now;
    if applied {
        let roster = &proposal.roster;
        let wanted = WantedRoster {
            cores: Some(roster.cores.clone()),
            poll: Some(roster.poll),
            burst: Some(roster.burst),
            why: args.why.clone(),
            trial_s: None,
        };
        assign(args, &wanted)?;
    }
    let written = if args.write { Some(save(args, &ground, &proposal.roster)?) } else { None };
    if args.json {
        let told = Told {
            running: ground.running,
            now: &ground.now,
            proposed: &proposal.roster,
            queues: proposal.queues,
            reasons: &proposal.reasons,
            commands: &proposal.commands,
            tried: &tried,
            applied,
            written: written.as_deref(),
        };
        tell(serde_json::to_string(&told).unwrap_or_default());
    } else {
        tell(text::all(args, &ground, &proposal, &tried, applied, written.as_deref()).trim_end());
    }
    Ok(())
}

/// Asks the gateway, or reads gateway.toml where none runs.
fn ground(args: &Tune) -> Result<Ground, End> {
    match ask::<Workers>(args, "/workers") {
        Ok(workers) => {
            let status: Status = ask(args, "/status")?;
            let [Some(outside), Some(inside)] =
                [0, 1].map(|side| status.interfaces.get(side).map(|one| one.name.clone()))
            else {
                return Err(End::Refused("the gateway serves no interfaces just now".to_owned()));
            };
            Ok(Ground {
                now: workers.now,
                interfaces: [outside, inside],
                queues: Some(workers.queues),
                file: args.config.clone().or(workers.file),
                running: true,
            })
        }
        Err(silent @ End::Silent(_)) => {
            let needs_one = args.apply || args.measure.is_some();
            let Some(file) = args.config.clone().filter(|_| !needs_one) else { return Err(silent) };
            let config = Config::load(&file).map_err(|error| End::Refused(error.to_string()))?;
            Ok(Ground {
                now: Roster::of(&config),
                interfaces: [config.outside, config.inside],
                queues: None,
                file: Some(file),
                running: false,
            })
        }
        Err(refused) => Err(refused),
    }
}

fn ask<T: serde::de::DeserializeOwned>(args: &Tune, path: &str) -> Result<T, End> {
    let socket = &args.control.socket;
    let (status, body) = client::attempt(socket, Method::GET, path, Answer::Json, Bytes::new())
        .map_err(End::Silent)?;
    if !status.is_success() {
        return Err(End::Refused(format!("the gateway says to {path}: {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| {
        End::Refused(format!("the gateway's answer is of another version: {error}"))
    })
}

/// Puts a roster in force.
fn assign(args: &Tune, wanted: &WantedRoster) -> Result<(), End> {
    let body = serde_json::to_vec(wanted).map_err(|error| End::Refused(error.to_string()))?;
    let socket = &args.control.socket;
    let (status, answer) =
        client::attempt(socket, Method::POST, "/workers", Answer::Words, Bytes::from(body))
            .map_err(End::Silent)?;
    if status.is_success() {
        return Ok(());
    }
    Err(End::Refused(String::from_utf8_lossy(&answer).into_owned()))
}

fn save(args: &Tune, ground: &Ground, roster: &Roster) -> Result<PathBuf, End> {
    let Some(file) = ground.file.clone() else {
        let why = "where gateway.toml stands is not known: name it with --config";
        return Err(End::Refused(why.to_owned()));
    };
    if ground.running && !args.apply && *roster != ground.now {
        say("gateway.toml says something else now than what is in force; --apply puts it in force");
    }
    write::save(&file, roster).map_err(End::Refused)?;
    Ok(file)
}
