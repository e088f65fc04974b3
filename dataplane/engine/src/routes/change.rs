//! What changes the gateway.
//!
//! | request | answer |
//! |---|---|
//! | `POST /reload` | 200 and the new revision, or 422 and why the policy is refused |

use std::sync::Arc;

use axum::{
    Router,
    extract::State as Shared,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};

use crate::state::State;

/// All of them.
pub(super) fn routes() -> Router<Arc<State>> {
    Router::new().route("/reload", post(reload))
}

/// Compiling takes a good part of a second: off the runtime's thread, so that `status` still answers.
async fn reload(Shared(state): Shared<Arc<State>>) -> Response {
    match tokio::task::spawn_blocking(move || state.reload()).await {
        Ok(Ok(reloaded)) => reloaded.to_string().into_response(),
        Ok(Err(error)) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
