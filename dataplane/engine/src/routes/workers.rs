//! Who works where.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /workers` | | [`crate::Workers`] as JSON |
//! | `POST /workers` | [`crate::WantedRoster`] as JSON | 200 and the change, in words or as JSON |
//!
//! What is refused changes nothing: 400 for what makes no sense, 409 for what the machine does not let.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::sync::oneshot;

use super::change::{BODY_BYTES, Caller, read, wants_json, who};
use crate::{
    gateway::Misfit,
    roster::WantedRoster,
    state::State,
    thread::{Assignment, Event},
};

/// Both of them.
pub(super) fn routes() -> Router<Arc<State>> {
    Router::new().route("/workers", get(show).post(assign))
}

async fn show(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.roster().show(state.queues())).into_response()
}

async fn assign(
    Shared(state): Shared<Arc<State>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let wanted: WantedRoster = match read(body, BODY_BYTES).await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let (answer, answered) = oneshot::channel();
    let assignment = Assignment { wanted, who: who(caller), answer };
    let json = wants_json(&headers);
    if !state.tell(Event::Assign(Box::new(assignment))) {
        return refused(StatusCode::CONFLICT, "no gateway is running here".to_owned(), json);
    }
    match answered.await {
        Ok(Ok(change)) if json => Json(change).into_response(),
        Ok(Ok(change)) => change.to_string().into_response(),
        Ok(Err(misfit @ Misfit::Wrong(_))) => {
            refused(StatusCode::BAD_REQUEST, misfit.to_string(), json)
        }
        Ok(Err(misfit)) => refused(StatusCode::CONFLICT, misfit.to_string(), json),
        Err(_) => refused(StatusCode::CONFLICT, "the gateway is about to end".to_owned(), json),
    }
}

fn refused(status: StatusCode, error: String, json: bool) -> Response {
    #[derive(Serialize)]
    struct Refused {
        error: String,
    }
    if json {
        (status, Json(Refused { error })).into_response()
    } else {
        (status, error).into_response()
    }
}
