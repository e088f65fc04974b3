//! `palisade drops`: the last drops, those that come, or those of a log's file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
};

use engine::{Choice, Facts, Wanted, say};
use serde::Deserialize;

use crate::{
    cli::Drops,
    stream::{self, stream},
};

/// One line of the log, as far as people read it.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    timestamp: String,
    event_type: String,
    src_ip: Option<IpAddr>,
    #[serde(default)]
    src_port: u16,
    dest_ip: Option<IpAddr>,
    #[serde(default)]
    dest_port: u16,
    #[serde(default)]
    proto: String,
    #[serde(default)]
    palisade: Why,
    /// Events that a slow reader missed.
    missed: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Why {
    country: Option<String>,
    asn: Option<u32>,
    domain: Option<String>,
    service: Option<String>,
    rule: Option<String>,
    reason: Option<String>,
    suppressed: u64,
    shadow: bool,
    /// Of a pattern.
    pattern: Option<String>,
    text: Option<String>,
    source: Option<IpAddr>,
}

/// How lines are shown.
#[derive(Clone, Copy)]
struct Style {
    json: bool,
    colour: bool,
}

/// Shows what was asked for.
pub(crate) fn drops(args: &Drops) -> ExitCode {
    let wanted = Wanted {
        domain: args.domain.clone(),
        country: args.country.clone(),
        asn: args.asn,
        from: args.from.clone(),
        reason: args.reason.clone(),
        kind: args.kind.clone(),
        limit: args.limit,
    };
    let choice = match Choice::new(wanted.clone()) {
        Ok(choice) => choice,
        Err(error) => {
            say(error);
            return ExitCode::FAILURE;
        }
    };
    let out = io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let style = Style { json: args.json, colour };
    match &args.log {
        Some(path) => match from_file(path, &choice, args.limit, style) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                say(format_args!("cannot read {}: {error}", path.display()));
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        },
        None => from_gateway(args, &wanted, style),
    }
}

fn from_gateway(args: &Drops, wanted: &Wanted, style: Style) -> ExitCode {
    let route = if args.follow { "/drops/follow" } else { "/drops" };
    let path = format!("{route}?{}", query(wanted));
    let mut out = io::stdout().lock();
    let mut rest = Vec::new();
    let lines = |chunk: &[u8]| {
        rest.extend_from_slice(chunk);
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = rest.drain(..end).collect();
        for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            show(line, style, &mut out)?;
        }
        out.flush()
    };
    stream(&args.control, &path, args.follow, lines)
}

/// The query that says what is wanted.
fn query(wanted: &Wanted) -> String {
    let limit = wanted.limit.unwrap_or(20).to_string();
    let asn = wanted.asn.map(|asn| asn.to_string());
    let pairs = [
        ("domain", wanted.domain.as_deref()),
        ("country", wanted.country.as_deref()),
        ("asn", asn.as_deref()),
        ("from", wanted.from.as_deref()),
        ("reason", wanted.reason.as_deref()),
        ("kind", wanted.kind.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    stream::query(pairs.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

/// Lines of a file, chosen here by the same rule as in the gateway.
fn from_file(path: &Path, choice: &Choice, limit: Option<usize>, style: Style) -> io::Result<()> {
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path)?))
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut kept = std::collections::VecDeque::new();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.trim_ascii();
        // A line that is being written, or is not the gateway's.
        let entry = serde_json::from_slice::<Entry>(text);
        if entry.is_ok_and(|entry| choice.takes(&entry.facts())) {
            match limit {
                None => show(text, style, &mut out)?,
                Some(limit) => {
                    kept.push_back(text.to_vec());
                    if kept.len() > limit {
                        kept.pop_front();
                    }
                }
            }
        }
        line.clear();
    }
    for line in kept {
        show(&line, style, &mut out)?;
    }
    out.flush()
}

fn show(line: &[u8], style: Style, out: &mut impl Write) -> io::Result<()> {
    if !style.json
        && let Ok(entry) = serde_json::from_slice::<Entry>(line)
    {
        return writeln!(out, "{}", entry.text(style.colour));
    }
    out.write_all(line)?;
    out.write_all(b"\n")
}

/// A line of the log for people, without colours; as it is when it is none.
pub(crate) fn plain(line: &str) -> String {
    serde_json::from_str(line).map_or_else(|_| line.to_owned(), |entry: Entry| entry.text(false))
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";

impl Entry {
    fn facts(&self) -> Facts<'_> {
        let why = &self.palisade;
        Facts {
            domain: why.domain.as_deref(),
            country: why.country.as_deref(),
            asn: why.asn,
            src: self.src_ip.or(why.source),
            reason: why.reason.as_deref(),
            kind: &self.event_type,
            pattern: why.pattern.as_deref(),
        }
    }

    /// For people: time, kind, from where to where, whose, why.
    fn text(&self, colour: bool) -> String {
        let paint = |text: &str, with: &str| {
            if colour { format!("{with}{text}\x1b[0m") } else { text.to_owned() }
        };
        if let Some(missed) = self.missed {
            return paint(&format!("{missed} events missed: this reader is too slow"), YELLOW);
        }
        let why = &self.palisade;
        let time = self.timestamp.get(..23).unwrap_or(&self.timestamp).replace('T', " ");
        let time = paint(&time, DIM);
        if let (Some(pattern), Some(text)) = (&why.pattern, &why.text) {
            return format!("{time} {} {text}", paint(pattern, &format!("{BOLD}{YELLOW}")));
        }
        let kind = if why.shadow { "shadow" } else { &self.event_type };
        let kind = match kind {
            "drop" => paint(kind, RED),
            _ => paint(kind, CYAN),
        };
        let mut text = format!(
            "{time} {kind} {} -> {} {}",
            paint(&end(self.src_ip, self.src_port), BOLD),
            end(self.dest_ip, self.dest_port),
            self.proto
        );
        let mut word = |word: String| {
            text.push(' ');
            text.push_str(&word);
        };
        word(paint(why.country.as_deref().unwrap_or("--"), CYAN));
        if let Some(asn) = why.asn {
            word(format!("AS{asn}"));
        }
        if let (Some(domain), Some(service)) = (&why.domain, &why.service) {
            word(format!("{domain}/{service}"));
        }
        if let Some(reason) = &why.reason {
            word(paint(reason, YELLOW));
        }
        if let Some(rule) = &why.rule {
            word(format!("({rule})"));
        }
        if why.suppressed > 0 {
            word(paint(&format!("and {} more", why.suppressed), DIM));
        }
        text
    }
}

fn end(address: Option<IpAddr>, port: u16) -> String {
    address.map_or_else(|| "?".to_owned(), |address| SocketAddr::new(address, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"timestamp":"2026-01-02T03:04:05.678901Z","event_type":"drop",
        "src_ip":"2600::9","src_port":999,"dest_ip":"fd00:1::10","dest_port":80,"proto":"TCP",
        "in_iface":"outside","palisade":{"country":"US","asn":64500,"prefix":"2600::/29",
        "domain":"web","service":"http","rule":"default","reason":"not_allowed","revision":1,
        "suppressed":3,"shadow":false}}"#;

    #[test]
    fn a_record_is_one_line_for_people_without_colours_in_a_pipe() {
        let entry: Entry = serde_json::from_str(LINE).unwrap();
        let plain = "2026-01-02 03:04:05.678 drop [2600::9]:999 -> [fd00:1::10]:80 TCP US AS64500 \
                     web/http not_allowed (default) and 3 more";
        assert_eq!(entry.text(false), plain);
        assert!(entry.text(true).contains("\x1b[31mdrop\x1b[0m"));
    }

    #[test]
    fn a_query_says_what_was_asked_whatever_the_name() {
        let wanted = Wanted {
            domain: Some("a b&c=ü".into()),
            from: Some("2001:db8::/32".into()),
            limit: Some(5),
            ..Wanted::default()
        };
        assert_eq!(query(&wanted), "domain=a%20b%26c%3D%C3%BC&from=2001%3Adb8%3A%3A%2F32&limit=5");
    }
}
