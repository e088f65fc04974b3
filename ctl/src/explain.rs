//! `palisade explain`: what happens to a packet, and why, by the tables that the workers ask.

mod running;

use std::{
    io::{self, BufRead, BufWriter, Write},
    process::ExitCode,
    time::SystemTime,
};

use engine::say;
use lookup::{Ask, Revision, Ruleset, Side};
use serde::Serialize;
use serde_json::Value;

use crate::{
    check,
    cli::{Arriving, Explain},
};

/// The answer to a batch line that can't be read.
#[derive(Serialize)]
struct Unread {
    error: String,
}

/// Answers one question, or those on standard input.
pub(crate) fn explain(args: &Explain) -> ExitCode {
    let Some(policy) = &args.policy else { return running::explain(args) };
    let ruleset = match Ruleset::load(policy, SystemTime::now().into(), Revision(1)) {
        Ok((ruleset, _)) => ruleset,
        Err(error) => {
            check::show(error.problems());
            return ExitCode::FAILURE;
        }
    };
    let written = if args.batch { batch(&ruleset) } else { one(&ruleset, args) };
    match written {
        // A reader that went away is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn one(ruleset: &Ruleset, args: &Explain) -> io::Result<()> {
    let side = match args.arriving {
        Arriving::Outside => Side::Outside,
        Arriving::Inside => Side::Inside,
    };
    let (from, to) = (args.from.as_deref().unwrap_or(""), args.to.as_deref().unwrap_or(""));
    let ask = Ask::parse(from, to, side).map_err(io::Error::other)?;
    let ask = Ask { vlan: args.vlan, ..ask };
    let answer = ruleset.explain(&ask);
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &answer)?;
        writeln!(out)
    } else {
        out.write_all(text(&serde_json::to_value(&answer)?, from, to).as_bytes())
    }
}

fn batch(ruleset: &Ruleset) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    // Bytes, not text: a line that is no UTF-8 is a bad line, not the end.
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        match Ask::parse_line(text.trim()) {
            Ok(ask) => serde_json::to_writer(&mut out, &ruleset.explain(&ask))?,
            Err(error) => serde_json::to_writer(&mut out, &Unread { error: error.to_string() })?,
        }
        out.write_all(b"\n")?;
        line.clear();
    }
    out.flush()
}

/// The verdict in a sentence, then what it rests on; `answer` is an explanation as JSON.
fn text(answer: &Value, from: &str, to: &str) -> String {
    let source = &answer["source"];
    let verdict = match (answer["verdict"].as_str(), answer["shadow"].as_bool()) {
        (Some("drop"), Some(true)) => {
            "would be dropped, but its domain is in shadow mode: forwarded"
        }
        (Some("drop"), _) => "dropped",
        _ => "allowed",
    };
    let mut text = format!("{from} -> {to}: {verdict}\n\n");
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("  {name:<9} {value}\n"));
        }
    };
    let word = |value: &Value| value.as_str().map(str::to_owned);
    for name in ["reason", "rule", "domain", "service"] {
        row(name, word(&answer[name]));
    }
    let exception = &answer["exception"];
    for (name, field) in [("until", "until"), ("owner", "owner"), ("why", "reason")] {
        row(name, word(&exception[field]));
    }
    let (ip, judged) = (word(&source["ip"]), word(&answer["judged"]));
    row("judged", ip.zip(judged).map(|(ip, judged)| format!("{ip} (the packet's {judged})")));
    row("vlan", answer["vlan"].as_u64().filter(|vlan| *vlan > 0).map(|vlan| vlan.to_string()));
    let country = word(&source["country"]).unwrap_or_else(|| "unknown".to_owned());
    let from = word(&source["country_from"]).map(|from| format!(" (from {from})"));
    row("country", Some(country + &from.unwrap_or_default()));
    row("asn", source["asn"].as_u64().map(|asn| format!("AS{asn}")));
    row("prefix", word(&source["prefix"]));
    let groups = source["groups"].as_array().map_or(&[][..], Vec::as_slice);
    let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
    row("groups", Some(groups.join(", ")));
    row("revision", answer["revision"].as_u64().map(|revision| revision.to_string()));
    text
}
