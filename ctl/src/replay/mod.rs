//! `palisade replay`: recorded traffic, judged by a policy, and by another one beside it.
//!
//! ```text
//!  capture --> frame, side --> Judge (filter::Filter over NEW) --.
//!                         `--> Judge (filter::Filter over OLD) --+--> lines, sums
//!  flows ----> Ask ------------> explain of both ----------------'
//! ```

mod capture;
mod judge;
mod ng;
mod packet;
mod sums;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use engine::say;
use ipnet::IpNet;
use lookup::{Moment, Prefix, Ranges, Side};
use serde::Serialize;

use crate::check;
use crate::cli::Replay;
use crate::flows::{self, Flow};
use crate::words::tell;
use capture::{Capture, CaptureError};
use judge::{Judge, Outcome};
use packet::Ends;
use sums::Sums;

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    /// Of the frame, without its check sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u32>,
    #[serde(flatten)]
    flow: Option<Flow>,
    country: Option<String>,
    asn: Option<u32>,
    #[serde(flatten)]
    outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<bool>,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Last<'a> {
    summary: &'a Sums,
}

/// When a frame was captured, and its size on the wire.
#[derive(Clone, Copy)]
struct Seen {
    time_ns: u64,
    bytes: u32,
}

/// The two policies, the sums, and where lines go.
struct Replayed {
    new: Judge,
    old: Option<Judge>,
    inside: Inside,
    sums: Sums,
    lines: Option<BufWriter<io::Stdout>>,
}

/// Judges a recording and prints; exit status 0, or 1 when something cannot be read.
pub(crate) fn replay(args: &Replay) -> ExitCode {
    let now = Moment::from(std::time::SystemTime::now());
    let load = |path: &Path| {
        Judge::load(path, now).map_err(|error| {
            check::show(error.problems());
            ExitCode::FAILURE
        })
    };
    let new = match load(&args.policy) {
        Ok(new) => new,
        Err(code) => return code,
    };
    let old = match args.against.as_deref().map(load).transpose() {
        Ok(old) => old,
        Err(code) => return code,
    };
    let inside = Inside::of([Some(&new), old.as_ref()].into_iter().flatten(), &args.inside);
    let lines = args.json.then(|| BufWriter::new(io::stdout()));
    let mut replayed = Replayed { new, old, inside, sums: Sums::default(), lines };
    match replayed.run(&args.file) {
        Ok(what) => replayed.finish(args, what),
        // A reader that went away is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{}: {error}", args.file.display()));
            ExitCode::FAILURE
        }
    }
}

impl Replayed {
    /// Judges all; answers what it was, packets or flows, and whether it was read to its end.
    fn run(&mut self, file: &Path) -> io::Result<(&'static str, bool)> {
        if file == Path::new("-") {
            return self.any(file, io::stdin().lock());
        }
        self.any(file, BufReader::new(File::open(file)?))
    }

    fn any(&mut self, file: &Path, mut input: impl BufRead) -> io::Result<(&'static str, bool)> {
        let begin = input.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace());
        if begin == Some(&b'{') {
            self.flows(input)?;
            return Ok(("flows", true));
        }
        let mut capture = Capture::open(input).map_err(io::Error::other)?;
        let mut frame = Vec::new();
        loop {
            let record = match capture.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(("packets", true)),
                Err(error) => {
                    say(format_args!("{}: {error}; judged up to there", file.display()));
                    return Ok(("packets", matches!(error, CaptureError::Cut(_))));
                }
            };
            if !packet::frame(&record, &mut frame) {
                self.sums.unread += 1;
                continue;
            }
            self.sums.cut += u64::from(record.wire_bytes as usize > record.bytes.len());
            self.packet(Seen { time_ns: record.time_ns, bytes: record.wire_bytes }, &frame)?;
        }
    }

    fn packet(&mut self, seen: Seen, frame: &[u8]) -> io::Result<()> {
        let time_ns = seen.time_ns;
        let ends = Ends::of(frame);
        let side = ends.as_ref().map_or(Side::Outside, |ends| self.inside.side(ends.src, ends.dst));
        let first = self.sums.span_ns.map_or(time_ns, |(first, _)| first);
        self.sums.span_ns = Some((first, time_ns));
        let outcome = self.new.judge(time_ns, side, frame, ends.as_ref());
        let before = self.old.as_mut().map(|old| old.judge(time_ns, side, frame, ends.as_ref()));
        let flow = ends.map(|ends| Flow {
            src_ip: ends.src,
            src_port: ends.src_port,
            dest_ip: ends.dst,
            dest_port: ends.dst_port,
            proto: ends.proto,
            side: match side {
                Side::Outside => "outside",
                Side::Inside => "inside",
            },
            vlan: ends.vlan,
        });
        let remote = ends.map(|ends| ends.remote(side));
        self.count(Some(seen), flow, remote, &outcome, before.as_ref())
    }

    fn flows(&mut self, input: impl BufRead) -> io::Result<()> {
        for flow in flows::lines(input)? {
            let Some(flow) = flow else {
                self.sums.unread += 1;
                continue;
            };
            let ask = flow.ask();
            let outcome = Outcome::explained(self.new.ask(&ask));
            let before = self.old.as_ref().map(|old| Outcome::explained(old.ask(&ask)));
            let remote = match ask.side {
                Side::Outside => ask.from,
                Side::Inside => ask.to,
            };
            self.count(None, Some(flow), Some(remote), &outcome, before.as_ref())?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        seen: Option<Seen>,
        flow: Option<Flow>,
        remote: Option<IpAddr>,
        outcome: &Outcome,
        before: Option<&Outcome>,
    ) -> io::Result<()> {
        let origin = remote.map(|remote| self.new.loaded().geo.origin(remote));
        let country = origin.and_then(|origin| origin.country).map(|it| it.to_string());
        self.sums.add(outcome, country.as_deref());
        let example = || {
            let flow = flow.as_ref().map_or_else(|| "a frame".to_owned(), Flow::to_string);
            let why = outcome.rule.as_deref().or(outcome.reason).unwrap_or("");
            format!("{flow} ({}): {why}", country.as_deref().unwrap_or("unknown"))
        };
        let differs = before.map(|before| self.sums.compare(before, outcome, example));
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let asn = origin.and_then(|origin| origin.asn).map(|asn| asn.0);
        let timestamp = seen.map(|seen| Moment::text_ns(seen.time_ns));
        let bytes = seen.map(|seen| seen.bytes);
        let line = Line { timestamp, bytes, flow, country, asn, outcome, before, differs };
        serde_json::to_writer(&mut *lines, &line)?;
        lines.write_all(b"\n")
    }

    fn finish(mut self, args: &Replay, (what, whole): (&'static str, bool)) -> ExitCode {
        let code = if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if let Some(lines) = &mut self.lines {
            let last = serde_json::to_writer(&mut *lines, &Last { summary: &self.sums });
            let _ = last.map_err(io::Error::other).and_then(|()| lines.write_all(b"\n"));
            let _ = lines.flush();
            return code;
        }
        let against = args.against.as_ref().map(|path| path.display().to_string());
        if let Some((first, last)) = self.sums.span_ns {
            let span = format!("{} - {}", Moment::text_ns(first), Moment::text_ns(last));
            tell(format_args!("{}: {span}", args.file.display()));
        }
        tell(self.sums.text(what, against.as_deref()));
        code
    }
}

/// The networks of the inside: those of services, and what the user adds.
struct Inside {
    v4: Ranges<u32, bool>,
    v6: Ranges<u128, bool>,
}

impl Inside {
    fn of<'a>(judges: impl IntoIterator<Item = &'a Judge>, more: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let services = judges.into_iter().flat_map(|judge| &judge.loaded().policy.services);
        let networks = services.flat_map(|service| service.networks.iter().map(|it| *it.get_ref()));
        for network in networks.chain(more.iter().copied()) {
            match network {
                IpNet::V4(network) => v4.push((Prefix::from(network), true)),
                IpNet::V6(network) => v6.push((Prefix::from(network), true)),
            }
        }
        Self { v4: Ranges::build(false, v4), v6: Ranges::build(false, v6) }
    }

    fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => *self.v4.find(address.into()),
            IpAddr::V6(address) => *self.v6.find(address.into()),
        }
    }

    /// The side that a packet arrived on.
    fn side(&self, src: IpAddr, dst: IpAddr) -> Side {
        if self.holds(src) && !self.holds(dst) { Side::Inside } else { Side::Outside }
    }
}
