//! `palisade history`: what was in force, since when, by whom and why.

use std::io::{self, Write as _};
use std::process::ExitCode;

use engine::{Entry, EntryFacts, say};
use hyper::{Method, StatusCode};
use serde::Deserialize;

use crate::cli::History;
use crate::client::ask;
use crate::table::{fit, right, table};
use crate::words::{tell, warn, written};

/// The answer to `GET /history`.
#[derive(Deserialize)]
struct All {
    history: Vec<EntryFacts>,
    /// The one that is on trial.
    #[serde(default)]
    pending: Option<u32>,
}

/// Prints the list, or one revision.
pub(crate) fn history(args: &History) -> ExitCode {
    let path = args.revision.map_or("/history".to_owned(), |number| format!("/history/{number}"));
    let body = match ask(&args.control, Method::GET, &path) {
        Ok((StatusCode::OK, body)) => body,
        Ok((_, body)) => {
            warn(String::from_utf8_lossy(&body));
            return ExitCode::FAILURE;
        }
        Err(code) => return code,
    };
    if args.json {
        tell(String::from_utf8_lossy(&body));
        return ExitCode::SUCCESS;
    }
    let text = if args.revision.is_none() {
        serde_json::from_slice(&body).map(|all: All| list(&all))
    } else {
        let text = |entry: Entry| if args.policy { entry.policy } else { whole(&entry) };
        serde_json::from_slice(&body).map(text)
    };
    match text {
        Ok(text) => written(io::stdout().write_all(text.as_bytes())),
        Err(error) => {
            say(format_args!("the gateway's answer is of another version: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn list(all: &All) -> String {
    let mut table = table(&["revision", "in force since", "how", "who", "why"]);
    for facts in &all.history {
        table.add_row([
            facts.revision.to_string(),
            second(&facts.time).to_owned(),
            how(facts, all.pending == Some(facts.revision)),
            facts.who.to_string(),
            facts.why.clone().unwrap_or_default(),
        ]);
    }
    fit(&right(table, &[0])) + "\n"
}

/// RFC 3339 without the part of a second, which `--json` has.
fn second(time: &str) -> &str {
    time.split_once('.').map_or(time.trim_end_matches('Z'), |(second, _)| second)
}

fn how(facts: &EntryFacts, pending: bool) -> String {
    let how = facts.how.as_str();
    let trial = match &facts.confirm {
        None => "",
        Some(_) if pending => ", on trial",
        Some(confirm) if confirm.by.is_some() => ", confirmed",
        Some(_) => ", not confirmed",
    };
    let back = facts.back_to.map(|revision| format!(" to {revision}")).unwrap_or_default();
    format!("{how}{back}{trial}")
}

fn whole(entry: &Entry) -> String {
    let facts = &entry.facts;
    let mut text = String::new();
    let mut row = |name: &str, value: &str| text.push_str(&format!("{name:<10} {value}\n"));
    row("revision", &facts.revision.to_string());
    row("since", &facts.time);
    row("how", &how(facts, false));
    let pid = facts.who.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    row("who", &format!("{}{pid}", facts.who));
    if let Some(why) = &facts.why {
        row("why", why);
    }
    if let Some(confirm) = &facts.confirm {
        let by = confirm.by.as_ref().map_or("nobody".to_owned(), ToString::to_string);
        row("confirmed", &format!("by {by}, asked for within {} s", confirm.within_s));
    }
    for database in &facts.databases {
        let build = database.build.as_deref().unwrap_or("an unknown date");
        row(&database.kind, &format!("{}, built {build}", database.source));
    }
    if !entry.changes.is_empty() {
        text.push_str("changes\n");
        entry.changes.iter().for_each(|change| text.push_str(&format!("  {change}\n")));
    }
    format!("{text}\n{}", entry.policy)
}
