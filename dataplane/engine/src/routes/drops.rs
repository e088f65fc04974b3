//! The last events, and those that come, as lines of JSON.
//!
//! ```text
//!  Recent --piece--> Follow (a body) --a frame when the client has room--> client
//!           ^ cursor
//! ```
//! A follower that reads slower than events come is overtaken: it misses what is forgotten meanwhile,
//! and is told how many that were. It never holds the logger or another client.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::{Query, State as Shared},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::{Bytes, Frame};
use tokio::time::{Sleep, sleep};

use crate::{
    control::Endless,
    event::Event,
    recent::{Piece, Recent},
    state::State,
    wanted::{Choice, Wanted},
};

/// One JSON object a line.
const LINES: &str = "application/x-ndjson";
/// How often a follower that has seen everything looks again.
const LOOK: Duration = Duration::from_millis(100);
/// Events taken from the past at a time.
const PIECE: usize = 512;
/// Followers at a time.
const FOLLOWERS: usize = 64;

static FOLLOWING: AtomicUsize = AtomicUsize::new(0);

/// The last events that the client wants, oldest first.
pub(super) async fn last(
    Shared(state): Shared<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let most = wanted.limit.unwrap_or(usize::MAX);
    let choice = match Choice::new(wanted) {
        Ok(choice) => choice,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let recent = &state.view().recent;
    let text = lines(recent, &recent.all(), &choice, most);
    ([(header::CONTENT_TYPE, LINES)], text).into_response()
}

/// The newest `most` of the events that the reader wants.
fn lines(recent: &Recent, events: &[Event], choice: &Choice, most: usize) -> Vec<u8> {
    let mut begins = Vec::new();
    let mut text = Vec::new();
    for event in events {
        let shown = event.show(recent.names());
        let begin = text.len();
        if choice.takes(&shown.facts()) && shown.write(&mut text).is_ok() {
            begins.push(begin);
            text.push(b'\n');
        } else {
            text.truncate(begin);
        }
    }
    let first = begins.len().saturating_sub(most);
    let begin = begins.get(first).copied().unwrap_or(text.len());
    text.split_off(begin)
}

/// The last events, and all that come.
pub(super) async fn follow(
    Shared(state): Shared<Arc<State>>,
    endless: Option<Extension<Endless>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let most = wanted.limit.unwrap_or(10);
    let choice = match Choice::new(wanted) {
        Ok(choice) => choice,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let Some(place) = Place::take() else {
        let error = format!("{FOLLOWERS} clients follow already");
        return (StatusCode::SERVICE_UNAVAILABLE, error).into_response();
    };
    // A server that knows no endless answers bounds this one as any other.
    if let Some(Extension(endless)) = endless {
        endless.set();
    }
    let recent = Arc::clone(&state.view().recent);
    // One look, so that no event is told twice.
    let past = recent.past();
    let next = past.next;
    let ready = lines(&recent, &past.events, &choice, most);
    let body = Follow { recent, choice, next, ready, pause: None, _place: place };
    ([(header::CONTENT_TYPE, LINES)], Body::new(body)).into_response()
}

/// An answer that has no end; it goes when its client does.
struct Follow {
    recent: Arc<Recent>,
    choice: Choice,
    /// The number of the next event to look at.
    next: u64,
    /// Lines that the client gets next.
    ready: Vec<u8>,
    pause: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl HttpBody for Follow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            if !self.ready.is_empty() {
                let text = std::mem::take(&mut self.ready);
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
            let piece = self.recent.piece(self.next, PIECE);
            if piece.next == self.next {
                self.pause = Some(Box::pin(sleep(LOOK)));
            } else {
                self.next = piece.next;
                self.ready = show(&self.recent, &self.choice, &piece);
            }
        }
    }
}

fn show(recent: &Recent, choice: &Choice, piece: &Piece) -> Vec<u8> {
    let mut text = Vec::new();
    if piece.missed > 0 {
        let missed = piece.missed;
        text.extend(format!("{{\"event_type\":\"missed\",\"missed\":{missed}}}\n").bytes());
    }
    for event in &piece.events {
        let shown = event.show(recent.names());
        let begin = text.len();
        if choice.takes(&shown.facts()) && shown.write(&mut text).is_ok() {
            text.push(b'\n');
        } else {
            text.truncate(begin);
        }
    }
    text
}

/// A follower's place, free again when it goes.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let more = |following| (following < FOLLOWERS).then_some(following + 1);
        FOLLOWING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        FOLLOWING.fetch_sub(1, Ordering::Relaxed);
    }
}
