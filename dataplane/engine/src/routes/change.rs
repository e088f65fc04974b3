//! What changes the gateway.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /reload` | terms, or nothing | 200 and the new revision |
//! | `POST /apply` | terms with `policy`, its text | the same |
//! | `POST /rollback` | terms, with `revision` or the last other policy | the same |
//! | `POST /confirm` | nothing | 200 and the revision that stays |
//! | `GET /history` | | the revisions of late, newest first, as JSON |
//! | `GET /history/N` | | one of them with its policy, as JSON |
//!
//! Terms are `why`, `confirm_s`, `force`, `accept` and `session`, in a JSON object. Answers are words,
//! or JSON for who accepts `application/json`. What is refused changes nothing: 422 with all that is
//! wrong with a policy, 409 where a flag or another command first is the way out, 400 for a body that
//! cannot be read, 404 for a revision that is not in the history. Each is said on standard error, with who
//! asked for it, done or refused.

use std::{fmt::Display, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, HttpBody as _, to_bytes},
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    change::{Ask, Origin, POLICY_BYTES, Refused, Wish},
    history::{Entry, Who},
    say,
    state::State,
};

/// The largest body with a policy, of the largest size and with its escapes, and without one.
const POLICY_BODY_BYTES: u64 = 2 * POLICY_BYTES;
pub(super) const BODY_BYTES: u64 = 64 << 10;
/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(5);
/// The longest that is said of a change, characters.
const LINE: usize = 400;
/// Bodies that are read at a time, so that memory is bounded.
static READING: Semaphore = Semaphore::const_new(4);

/// All of them.
pub(super) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/reload", post(reload))
        .route("/apply", post(apply))
        .route("/rollback", post(rollback))
        .route("/confirm", post(confirm))
        .route("/history", get(history))
        .route("/history/{revision}", get(entry))
}

/// Who asks, as the connection knows it.
pub(super) type Caller = Option<Extension<Who>>;

async fn reload(
    Shared(state): Shared<Arc<State>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let origin = |wish: &mut Wish| match (&wish.policy, wish.revision) {
        (None, None) => Ok(Origin::File),
        _ => Err("a reload takes the policy's file as it is"),
    };
    change(state, caller, &headers, (body, BODY_BYTES), origin).await
}

async fn apply(
    Shared(state): Shared<Arc<State>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let origin = |wish: &mut Wish| match (wish.policy.take(), wish.revision) {
        (Some(text), None) => Ok(Origin::Text(text)),
        _ => Err("it needs a `policy`, and no `revision`"),
    };
    change(state, caller, &headers, (body, POLICY_BODY_BYTES), origin).await
}

async fn rollback(
    Shared(state): Shared<Arc<State>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let origin = |wish: &mut Wish| match wish.policy {
        None => Ok(Origin::Revision(wish.revision)),
        Some(_) => Err("the policy of a rollback stands in the history"),
    };
    change(state, caller, &headers, (body, BODY_BYTES), origin).await
}

async fn confirm(
    Shared(state): Shared<Arc<State>>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let who = who(caller);
    let by = who.clone();
    let result = tokio::task::spawn_blocking(move || state.desk().confirm(who)).await;
    told("confirm", &by, &result);
    answer(result, &headers)
}

async fn history(Shared(state): Shared<Arc<State>>) -> Response {
    #[derive(Serialize)]
    struct Answer<T> {
        history: T,
        /// The one that is on trial.
        pending: Option<u32>,
    }
    let (history, pending) = state.desk().history();
    Json(Answer { history, pending }).into_response()
}

async fn entry(Shared(state): Shared<Arc<State>>, Path(revision): Path<u32>) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(flatten)]
        entry: &'a Entry,
        /// Where the policy stands, so that the files that it names can be found.
        path: &'a str,
    }
    let desk = state.desk();
    match desk.entry(revision) {
        Some(entry) => {
            Json(Answer { entry: &entry, path: &desk.stands().to_string_lossy() }).into_response()
        }
        None => (StatusCode::NOT_FOUND, Refused::Unknown(revision).to_string()).into_response(),
    }
}

/// Compiling takes a good part of a second: off the runtime's thread, so that `status` still answers.
async fn change(
    state: Arc<State>,
    caller: Caller,
    headers: &HeaderMap,
    (body, limit): (Body, u64),
    origin: impl FnOnce(&mut Wish) -> Result<Origin, &'static str>,
) -> Response {
    let mut wish: Wish = match read(body, limit).await {
        Ok(wish) => wish,
        Err(refusal) => return refusal,
    };
    let origin = match origin(&mut wish) {
        Ok(origin) => origin,
        Err(why) => return unread(why),
    };
    let ask = Ask { origin, who: who(caller), terms: wish.terms() };
    let (how, by) = (ask.origin.how(), ask.who.clone());
    let result = tokio::task::spawn_blocking(move || state.desk().change(ask)).await;
    told(how.as_str(), &by, &result);
    answer(result, headers)
}

/// Tells the operator's log who did what; the history has it too, where something changed.
fn told<T: Display, E: Display>(what: &str, by: &Who, result: &Result<Result<T, Refused>, E>) {
    let words = match result {
        Ok(Ok(done)) => done.to_string(),
        Ok(Err(refused)) => format!("refused: {refused}"),
        Err(error) => error.to_string(),
    };
    // What a policy says is not to look like a line of ours, nor to move a terminal's cursor.
    let line = words.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control());
    say(format_args!("{what} by {}: {}", by.full(), line.take(LINE).collect::<String>()));
}

/// Nobody is known of a rehearsal's clients.
pub(super) fn who(caller: Caller) -> Who {
    caller.map_or_else(|| Who::itself("unknown"), |Extension(who)| who)
}

/// A body as JSON; nothing is a wish without terms.
pub(super) async fn read<T: DeserializeOwned + Default>(
    body: Body,
    limit: u64,
) -> Result<T, Response> {
    if body.size_hint().lower() > limit {
        return Err(unread(format_args!("it is larger than {limit} bytes")));
    }
    let _turn = READING.acquire().await;
    let bytes = match timeout(BODY, to_bytes(body, limit as usize)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(unread(error)),
        Err(_) => return Err(unread("it took too long")),
    };
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&bytes).map_err(unread)
}

fn unread(why: impl Display) -> Response {
    let words = format!("the body of the request is not understood: {why}");
    (StatusCode::BAD_REQUEST, words).into_response()
}

/// Whether whoever asks accepts JSON.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

/// In words, or as JSON for who accepts it.
fn answer<T: Display + Serialize, E: Display>(
    result: Result<Result<T, Refused>, E>,
    headers: &HeaderMap,
) -> Response {
    let json = wants_json(headers);
    match result {
        Ok(Ok(done)) if json => Json(done).into_response(),
        Ok(Ok(done)) => done.to_string().into_response(),
        Ok(Err(refused)) if json => (status(&refused), Json(refused.json())).into_response(),
        Ok(Err(refused)) => (status(&refused), refused.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Policy(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Unknown(_) => StatusCode::NOT_FOUND,
        Refused::Time(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::CONFLICT,
    }
}
