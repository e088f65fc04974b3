//! What the workers let through now, and what the gateway would say of one packet.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use filter::Pair;
use lookup::{Ask, Explanation, Proto, Ruleset, Side};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    event::Event,
    flows::{self, FlowStatus, WantedFlows},
    state::State,
};

/// Flows and drops shown of one conversation.
const MOST: usize = 5;

/// The flows that the client wants. Workers answer within a moment, and nobody waits for that here.
pub(super) async fn all(
    Shared(state): Shared<Arc<State>>,
    Query(wanted): Query<WantedFlows>,
) -> Response {
    let ask = move || flows::all(&state.view().mail, &state.view().legends, &wanted);
    match tokio::task::spawn_blocking(ask).await {
        Ok(Ok(flows)) => Json(flows).into_response(),
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, error).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A packet, as `palisade explain` names it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    from: String,
    to: String,
    #[serde(default)]
    arriving: Option<String>,
    #[serde(default)]
    vlan: u16,
}

/// What the ruleset in force says, and what the gateway remembers of the pair.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    explanation: Explanation,
    flows: Vec<FlowStatus>,
    /// Lines of the log, the newest last.
    events: Vec<Box<RawValue>>,
}

/// The verdict by the ruleset in force, the flows of the pair, and the last events about it.
pub(super) async fn explain(
    Shared(state): Shared<Arc<State>>,
    Query(question): Query<Question>,
) -> Response {
    let side = match question.arriving.as_deref() {
        None | Some("outside") => Side::Outside,
        Some("inside") => Side::Inside,
        Some(_) => {
            return (StatusCode::BAD_REQUEST, "arriving is outside or inside").into_response();
        }
    };
    let ask = match Ask::parse(&question.from, &question.to, side) {
        Ok(ask) => Ask { vlan: question.vlan, ..ask },
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match tokio::task::spawn_blocking(move || tell(&state, &ask)).await {
        Ok(told) => Json(told).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn tell(state: &State, ask: &Ask) -> Told {
    let view = state.view();
    let ruleset = state.desk().standing().ruleset;
    let (pair, exact) = pair_of(ask, &ruleset);
    let flows = flows::of_pair(&view.mail, &view.legends, pair, exact, MOST).flows;
    Told { explanation: ruleset.explain(ask), flows, events: events(state, ask, &ruleset) }
}

/// The pair of a packet, and whether its outer port is known.
fn pair_of(ask: &Ask, ruleset: &Ruleset) -> (Pair, bool) {
    let from_port = ask.from_port.unwrap_or(0);
    let (remote, remote_port, local, local_port) = match ask.side {
        Side::Outside => (ask.from, from_port, ask.to, ask.to_port),
        Side::Inside => (ask.to, ask.to_port, ask.from, from_port),
    };
    let vlan = ruleset.vlan(ask.vlan);
    let pair = Pair { remote, local, remote_port, local_port, proto: ask.proto, vlan };
    (pair, ask.from_port.is_some() && ask.proto.has_ports())
}

/// The last events about the packet, in either direction and in its VLAN.
fn events(state: &State, ask: &Ask, ruleset: &Ruleset) -> Vec<Box<RawValue>> {
    let recent = &state.view().recent;
    let mut lines = Vec::new();
    for event in recent.all().iter().rev() {
        let Event::Record(record, _) = event else { continue };
        if ruleset.vlan(record.vlan) != ruleset.vlan(ask.vlan) {
            continue;
        }
        let ends = [(record.src(), record.src_port), (record.dst(), record.dst_port)];
        let asked = [(ask.from, ask.from_port), (ask.to, Some(ask.to_port))];
        let is = |(address, port): (_, u16), (asked, asked_port): (_, Option<u16>)| {
            let any = !ask.proto.has_ports() || asked_port.is_none_or(|asked| asked == port);
            address == Some(asked) && any
        };
        let there = is(ends[0], asked[0]) && is(ends[1], asked[1]);
        let back = is(ends[0], asked[1]) && is(ends[1], asked[0]);
        if (there || back) && Proto(record.proto).folded() == ask.proto {
            let mut line = Vec::new();
            let shown = event.show(recent.names());
            let written = shown.write(&mut line).is_ok();
            let text = String::from_utf8(line).ok().filter(|_| written);
            lines.extend(text.and_then(|text| RawValue::from_string(text).ok()));
        }
        if lines.len() == MOST {
            break;
        }
    }
    lines.reverse();
    lines
}
