//! `palisade explain`: what happens to a packet, and why, by the tables that the workers ask.

use std::{
    io::{self, BufRead, BufWriter, Write},
    process::ExitCode,
    time::SystemTime,
};

use engine::say;
use lookup::{Ask, Explanation, Revision, Ruleset, Side};
use serde::Serialize;

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
    let ruleset = match Ruleset::load(&args.policy, SystemTime::now().into(), Revision(1)) {
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
        out.write_all(text(&answer, from, to).as_bytes())
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

/// The verdict in a sentence, then what it rests on.
fn text(answer: &Explanation, from: &str, to: &str) -> String {
    let source = &answer.source;
    let verdict = match (answer.verdict, answer.shadow) {
        ("drop", true) => "would be dropped, but its domain is in shadow mode: forwarded",
        ("drop", false) => "dropped",
        _ => "allowed",
    };
    let mut text = format!("{from} -> {to}: {verdict}\n\n");
    let mut row = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("  {name:<9} {value}\n"));
        }
    };
    row("reason", answer.reason);
    row("rule", answer.rule.as_deref());
    row("domain", answer.domain.as_deref());
    row("service", answer.service.as_deref());
    row("judged", Some(&format!("{} (the packet's {})", source.ip, answer.judged)));
    row("vlan", (answer.vlan > 0).then(|| answer.vlan.to_string()).as_deref());
    let country = source.country.as_deref().unwrap_or("unknown");
    let from = source.country_from.map(|from| format!(" (from {from})")).unwrap_or_default();
    row("country", Some(&format!("{country}{from}")));
    row("asn", source.asn.map(|asn| format!("AS{asn}")).as_deref());
    row("prefix", source.prefix.as_deref());
    row("groups", Some(&source.groups.join(", ")));
    row("revision", Some(&answer.revision.to_string()));
    text
}
