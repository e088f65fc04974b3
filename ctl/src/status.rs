//! `palisade status`: a running gateway, asked over its control socket.

use std::{
    io::{self, Write},
    iter,
    process::ExitCode,
};

use comfy_table::Table;
use engine::{DatabaseAge, ExceptionStatus, SandboxStatus, Status, TimeStatus, WorkerState, say};
use hyper::Method;

use crate::cli;
use crate::client::ask;
use crate::table::{fit, right, table};
use crate::words::written;

/// Sources shown.
const SOURCES: usize = 10;

/// Prints the status as tables or as JSON.
pub(crate) fn show(args: &cli::Status) -> ExitCode {
    let body = match ask(&args.control, Method::GET, "/status") {
        Ok((_, body)) => body,
        Err(code) => return code,
    };
    if args.json {
        return written(io::stdout().write_all(&body).and_then(|()| io::stdout().write_all(b"\n")));
    }
    match serde_json::from_slice::<Status>(&body) {
        Ok(status) => written(io::stdout().write_all(tables(&status).as_bytes())),
        Err(error) => {
            say(format_args!("the gateway's answer is of another version: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn tables(status: &Status) -> String {
    let Status { revision, uptime_s, flows, geo, poll, .. } = status;
    let mut text = format!("revision {revision}   up {uptime_s} s   flows {flows}   poll {poll}\n");
    for (name, database) in [("countries", Some(&geo.country)), ("operators", geo.asn.as_ref())] {
        let Some(DatabaseAge { source, age_days, .. }) = database else { continue };
        let age = age_days.map(|days| format!(", {days} days old")).unwrap_or_default();
        text.push_str(&format!("{name}    {source}{age}\n"));
    }
    text.push_str(&sandbox(&status.sandbox));
    text.push('\n');
    for table in [
        packets(status),
        workers(status),
        times(status),
        interfaces(status),
        domains(status),
        sources(status),
        sinks(status),
        exceptions(status),
    ] {
        // What there is none of is not told.
        if !table.is_empty() {
            text.push_str(&fit(&table));
            text.push_str("\n\n");
        }
    }
    for warning in &status.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

/// What the process has given up; nothing of a gateway that does not say.
fn sandbox(status: &SandboxStatus) -> String {
    if status.mode.is_empty() {
        return String::new();
    }
    let capabilities = match status.capabilities.len() {
        0 => "no capability".to_owned(),
        1 => "1 capability".to_owned(),
        more => format!("{more} capabilities"),
    };
    format!(
        "sandbox {}   {capabilities}   system calls {}   files {}\n",
        status.mode, status.calls, status.files
    )
}

fn packets(status: &Status) -> Table {
    let packets = &status.packets;
    let mut table = table(&["packets", "count"]);
    table.add_row(["received".into(), packets.received.to_string()]);
    table.add_row(["forwarded".into(), packets.forwarded.to_string()]);
    table.add_row(["of these in the driver".into(), packets.leased.to_string()]);
    table.add_row(["passed (link traffic)".into(), packets.passed.to_string()]);
    for (reason, count) in &packets.dropped {
        table.add_row([format!("dropped: {reason}"), count.to_string()]);
    }
    table.add_row(["drops recorded".into(), packets.records.recorded.to_string()]);
    table.add_row(["drops suppressed".into(), packets.records.suppressed.to_string()]);
    table.add_row(["drop records lost".into(), packets.records.lost.to_string()]);
    let lets =
        [("shadowed (forwarded)", packets.shadowed), ("flows by exceptions", packets.exceptions)];
    let lets = lets.map(|(name, count)| (name.to_owned(), count)).into_iter();
    let patterns = status.patterns.iter().map(|(kind, told)| (format!("patterns: {kind}"), *told));
    for (name, count) in lets.chain(patterns).filter(|(_, count)| *count > 0) {
        table.add_row([name, count.to_string()]);
    }
    right(table, &[1])
}

fn workers(status: &Status) -> Table {
    let mut table = table(&[
        "core",
        "queue",
        "mode",
        "received",
        "forwarded",
        "dropped",
        "flows",
        "free",
        "fill",
        "rx",
        "tx",
        "completion",
        "frames",
        "burst p50 us",
        "p99 us",
    ]);
    for worker in &status.workers {
        let frames = &worker.frames;
        let counts = [
            worker.packets.received,
            worker.packets.forwarded,
            worker.packets.dropped_total(),
            worker.flows,
            frames.free,
            frames.fill,
            frames.rx,
            frames.tx,
            frames.completion,
            frames.total,
        ];
        let times = [worker.burst_ns.p50, worker.burst_ns.p99];
        let times = times.map(|time_ns| format!("{:.1}", time_ns as f64 / 1e3));
        let mode = match worker.state {
            WorkerState::Working | WorkerState::New => worker.mode.clone(),
            WorkerState::Waiting => "(waits)".to_owned(),
            WorkerState::Resting => "(rests)".to_owned(),
        };
        let first = [worker.core.to_string(), worker.queue.to_string(), mode];
        table.add_row(first.into_iter().chain(counts.iter().map(u64::to_string)).chain(times));
    }
    right(table, &[0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
}

/// Where time goes: shares, and nanoseconds a packet.
fn times(status: &Status) -> Table {
    let mut table = table(&[
        "time of core",
        "idle %",
        "asleep %",
        "receive %",
        "classify %",
        "transmit %",
        "housekeeping %",
        "ns a packet",
        "receive",
        "classify",
        "transmit",
    ]);
    let mut row = |name: String, time: &TimeStatus| {
        let [idle, rest @ ..] = time.share.list();
        let shares = [&[idle, time.asleep_share], &rest[..]].concat();
        let shares = shares.into_iter().map(|share| format!("{:.1}", share * 100.0));
        let each =
            time.packet_ns.map(|each| [each.total, each.receive, each.classify, each.transmit]);
        let each = match each {
            Some(each) => each.map(|time_ns| format!("{time_ns:.0}")),
            None => Default::default(),
        };
        table.add_row(iter::once(name).chain(shares).chain(each));
    };
    for worker in &status.workers {
        row(worker.core.to_string(), &worker.time);
    }
    if status.workers.len() > 1 {
        row("all".to_owned(), &status.time);
    }
    right(table, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
}

fn interfaces(status: &Status) -> Table {
    let mut table = table(&[
        "interface",
        "side",
        "driver",
        "queues",
        "unserved: dropped",
        "bridged",
        "kernel dropped",
        "shed",
    ]);
    for interface in &status.interfaces {
        table.add_row([
            interface.name.clone(),
            interface.side.clone(),
            interface.driver.clone(),
            interface.queues.to_string(),
            interface.unserved_dropped.to_string(),
            interface.unserved_bridged.to_string(),
            interface.kernel_dropped.to_string(),
            interface.shed.to_string(),
        ]);
    }
    right(table, &[3, 4, 5, 6, 7])
}

fn domains(status: &Status) -> Table {
    let mut table = table(&["domain", "allowed", "dropped", "shadowed", "networks dropped lately"]);
    for (name, domain) in &status.domains {
        let counts = [domain.allowed, domain.dropped, domain.shadowed, domain.networks];
        table.add_row(iter::once(name.clone()).chain(counts.iter().map(u64::to_string)));
    }
    right(table, &[1, 2, 3, 4])
}

/// The busiest dropped sources of all domains.
fn sources(status: &Status) -> Table {
    let mut table = table(&["source", "country", "asn", "domain", "dropped", "ports", "last port"]);
    for source in status.sources.iter().take(SOURCES) {
        table.add_row([
            source.source.to_string(),
            source.country.clone().unwrap_or_else(|| "--".to_owned()),
            source.asn.map(|asn| asn.to_string()).unwrap_or_default(),
            source.domain.clone().unwrap_or_else(|| "(no service)".to_owned()),
            source.dropped.to_string(),
            source.ports.to_string(),
            source.last_port.to_string(),
        ]);
    }
    right(table, &[2, 4, 5, 6])
}

fn sinks(status: &Status) -> Table {
    let mut table = table(&["sink", "where", "written", "lost"]);
    for sink in &status.sinks {
        let counts = [sink.written.to_string(), sink.lost.to_string()];
        table.add_row([sink.name.clone(), sink.to.clone()].into_iter().chain(counts));
    }
    right(table, &[2, 3])
}

/// The exceptions that hold, the first to end first.
fn exceptions(status: &Status) -> Table {
    let mut table = table(&["exception", "domain", "until", "owner"]);
    for one in &status.policy.exceptions {
        let ExceptionStatus { domain, name, until, owner } = one;
        table.add_row([name, domain, until, owner]);
    }
    table
}
