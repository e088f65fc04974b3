//! What the gateway shows of itself.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | [`crate::Status`] as JSON |
//! | `GET /metrics` | the same numbers for Prometheus |
//! | `GET /drops?domain=…&country=…&asn=…&from=NET&reason=…&kind=…&limit=N` | the last events, oldest first, one JSON object a line |
//! | `GET /drops/follow?…` | the same, and those that come, until the client goes |
//! | `GET /flows?from=NET&to=NET&domain=…&limit=N` | [`crate::Flows`] as JSON |
//! | `GET /explain?from=…&to=…&arriving=…&vlan=N` | the verdict in force, the pair's flows and its last events |

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{drops, flows};
use crate::{metrics as numbers, state::State};

/// All of them.
pub(super) fn routes() -> Router<Arc<State>> {
    metrics()
        .route("/status", get(show_status))
        .route("/drops", get(drops::last))
        .route("/drops/follow", get(drops::follow))
        .route("/flows", get(flows::all))
        .route("/explain", get(flows::explain))
}

/// The metrics alone.
pub(super) fn metrics() -> Router<Arc<State>> {
    Router::new().route("/metrics", get(show_metrics))
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
