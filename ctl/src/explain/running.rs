//! `palisade explain --running`: the verdict in force, and what the gateway remembers of the pair.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use engine::say;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::{
    cli::{Arriving, Explain},
    client::ask,
    drops,
    stream::query,
    words::written,
};

/// Asks the gateway one question.
pub(super) fn explain(args: &Explain) -> ExitCode {
    let (from, to) = (args.from.as_deref().unwrap_or(""), args.to.as_deref().unwrap_or(""));
    let vlan = args.vlan.to_string();
    let arriving = match args.arriving {
        Arriving::Outside => "outside",
        Arriving::Inside => "inside",
    };
    let pairs = [("from", from), ("to", to), ("arriving", arriving), ("vlan", vlan.as_str())];
    let path = format!("/explain?{}", query(pairs.into_iter()));
    let body = match ask(&args.control, Method::GET, &path) {
        Ok((StatusCode::OK, body)) => body,
        Ok((_, body)) => {
            say(String::from_utf8_lossy(&body));
            return ExitCode::FAILURE;
        }
        Err(code) => return code,
    };
    let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
        say("the gateway's answer is of another version");
        return ExitCode::FAILURE;
    };
    let text = if args.json {
        format!("{answer:#}\n")
    } else {
        super::text(&answer, from, to) + &memory(&answer)
    };
    written(io::stdout().write_all(text.as_bytes()))
}

/// The flows and events of the pair, a sentence each.
fn memory(answer: &Value) -> String {
    let list = |name: &str| answer[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut text = String::from("\n");
    for flow in list("flows") {
        let word = |name: &str| flow[name].as_str().unwrap_or("?");
        let end = |ip: &str, port: &str| format!("{} port {}", word(ip), flow[port]);
        let silent_s = flow["silent_ms"].as_f64().unwrap_or(0.0) / 1e3;
        let state = match word("state") {
            "former" => "no longer allowed",
            state => state,
        };
        let judged = word("judged");
        text.push_str(&format!(
            "  flow      {} {} {}: allowed at {} by revision {}, {state}, {} packets, the last {silent_s:.1} s ago\n",
            end("remote_ip", "remote_port"),
            if word("opened") == "inside" { "<-" } else { "->" },
            end("local_ip", "local_port"),
            judged.get(..19).unwrap_or(judged).replace('T', " "),
            flow["revision"],
            flow["packets"],
        ));
    }
    for event in list("events") {
        text.push_str(&format!("  {}\n", drops::plain(&event.to_string())));
    }
    if list("flows").is_empty() {
        text.push_str("  no flow of this pair is allowed now\n");
    }
    if list("events").is_empty() {
        text.push_str("  no drop of this pair is remembered\n");
    }
    text
}
