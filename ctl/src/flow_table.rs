//! `palisade flows`: what a running gateway lets through now.

use std::{
    io::{self, BufWriter, Write},
    net::SocketAddr,
    process::ExitCode,
};

use engine::{FlowStatus, Flows, say};
use hyper::{Method, StatusCode};

use crate::{
    cli,
    client::ask,
    stream::query,
    table::{fit, right, table},
    words::warn,
};

/// Prints the flows as a table, or as JSON, one a line.
pub(crate) fn flows(args: &cli::Flows) -> ExitCode {
    let limit = args.limit.to_string();
    let pairs = [
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("domain", args.domain.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let wanted = query(pairs.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let body = match ask(&args.control, Method::GET, &format!("/flows?{wanted}")) {
        Ok((StatusCode::OK, body)) => body,
        Ok((_, body)) => {
            say(String::from_utf8_lossy(&body));
            return ExitCode::FAILURE;
        }
        Err(code) => return code,
    };
    match serde_json::from_slice::<Flows>(&body) {
        Ok(flows) => {
            // A reader that went away is no failure.
            let _ = print(&flows.flows, args.json);
            if flows.more {
                warn(format_args!("there are more: --limit {} shows as many", 10 * args.limit));
            }
            for worker in flows.silent {
                warn(format_args!("worker {worker} does not answer: see palisade status"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(format_args!("the gateway's answer is of another version: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn print(flows: &[FlowStatus], json: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        for flow in flows {
            serde_json::to_writer(&mut out, flow)?;
            out.write_all(b"\n")?;
        }
    } else {
        writeln!(out, "{}", fit(&rows(flows)))?;
    }
    out.flush()
}

/// Names of a revision that is long gone are not known any more.
fn domain(flow: &FlowStatus) -> String {
    let without = if flow.opened == "inside" { "(egress)" } else { "–" };
    flow.domain.clone().unwrap_or_else(|| without.to_owned())
}

/// VLANs have a column where a flow has one.
fn rows(flows: &[FlowStatus]) -> comfy_table::Table {
    let mut head = vec![
        "outside", "country", "", "inside", "proto", "domain", "state", "since", "revision",
        "silent s", "packets",
    ];
    let vlans = flows.iter().any(|flow| flow.vlan != 0);
    head.extend(vlans.then_some("vlan"));
    let mut table = table(&head);
    for flow in flows {
        let arrow = if flow.opened == "inside" { "<-" } else { "->" };
        let cells = [
            SocketAddr::new(flow.remote_ip, flow.remote_port).to_string(),
            flow.country.clone().unwrap_or_else(|| "--".to_owned()),
            arrow.to_owned(),
            SocketAddr::new(flow.local_ip, flow.local_port).to_string(),
            flow.proto.clone(),
            domain(flow),
            flow.state.clone(),
            flow.judged.get(..19).unwrap_or(&flow.judged).replace('T', " "),
            flow.revision.to_string(),
            format!("{:.1}", f64::from(flow.silent_ms) / 1e3),
            flow.packets.to_string(),
        ];
        let vlan = match flow.vlan {
            0 => String::new(),
            4095 => "other".to_owned(),
            id => id.to_string(),
        };
        table.add_row(cells.into_iter().chain(vlans.then_some(vlan)));
    }
    right(table, &[8, 9, 10, 11])
}
