//! What the control socket answers.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | [`crate::Status`] as JSON |
//! | `GET /metrics` | the same numbers for Prometheus |
//! | `POST /reload` | 200 and the new revision, or 422 and why the policy is refused |

use std::{path::Path, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lookup::{Revision, Ruleset};

use crate::{Error, logger::Legends, metrics as numbers, publish::Publisher, state::State};

/// Everything, for the unix socket's owner.
pub(crate) fn all(state: Arc<State>) -> Router {
    Router::new()
        .route("/status", get(show_status))
        .route("/metrics", get(show_metrics))
        .route("/reload", post(reload))
        .with_state(state)
}

/// The metrics alone, for the network.
pub(crate) fn metrics(state: Arc<State>) -> Router {
    Router::new().route("/metrics", get(show_metrics)).with_state(state)
}

/// What answers clients of the control socket, without a gateway behind it: no interface, no worker,
/// no root. Here so that any client's bytes can be tried on it.
///
/// # Errors
/// Everything that is wrong with the policy.
pub fn rehearsal(policy: &Path) -> Result<Router, Error> {
    let (ruleset, _) = Ruleset::load(policy, Revision(1)).map_err(Box::new)?;
    let legends = Legends::default();
    legends.add(ruleset.revision(), Arc::clone(ruleset.legend()));
    let publisher = Publisher::new(ruleset);
    let (workers, interfaces, log) = (Vec::new(), Vec::new(), Arc::default());
    let path = policy.to_owned();
    let started = Instant::now();
    let state = State::new(path, publisher, legends, workers, interfaces, log, started);
    Ok(all(Arc::new(state)))
}

async fn show_status(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.status()).into_response()
}

async fn show_metrics(Shared(state): Shared<Arc<State>>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match numbers::text(state.status()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Compiling takes a good part of a second: off the runtime's thread, so that `status` still answers.
async fn reload(Shared(state): Shared<Arc<State>>) -> Response {
    match tokio::task::spawn_blocking(move || state.reload()).await {
        Ok(Ok(reloaded)) => reloaded.to_string().into_response(),
        Ok(Err(error)) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
