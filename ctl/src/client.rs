//! Asking a running gateway: one HTTP request over its control socket.

use std::{
    io::{self, ErrorKind},
    path::Path,
    process::ExitCode,
};

use engine::say;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::cli::Control;

/// The exit status when no gateway answers.
const NO_ANSWER: u8 = 3;

/// Sends `method path` to the gateway; the answer's status and body, or the exit status after having
/// said that no gateway answers.
pub(crate) fn ask(
    control: &Control,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Bytes), ExitCode> {
    send(control, method, path, Answer::Words, Bytes::new())
}

/// What an answer should be written in, where the gateway can choose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// For people.
    Words,
    /// For scripts.
    Json,
}

/// The same with a body, and a choice of the answer.
pub(crate) fn send(
    control: &Control,
    method: Method,
    path: &str,
    answer: Answer,
    body: Bytes,
) -> Result<(StatusCode, Bytes), ExitCode> {
    attempt(&control.socket, method, path, answer, body).map_err(|error| no_answer(control, &error))
}

/// The same without a word when no gateway answers.
///
/// # Errors
/// When nothing answers there, or not in HTTP.
pub(crate) fn attempt(
    socket: &Path,
    method: Method,
    path: &str,
    answer: Answer,
    body: Bytes,
) -> io::Result<(StatusCode, Bytes)> {
    let accept = match answer {
        Answer::Words => "*/*",
        Answer::Json => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "palisade")
        .header("accept", accept)
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(exchange(socket, request))
        .and_then(|(status, body)| match status {
            StatusCode::FORBIDDEN => {
                Err(io::Error::new(ErrorKind::PermissionDenied, String::from_utf8_lossy(&body)))
            }
            _ => Ok((status, body)),
        })
}

/// Says that no gateway answers; the exit status for it.
pub(crate) fn no_answer(control: &Control, error: &io::Error) -> ExitCode {
    let socket = control.socket.display();
    match error.kind() {
        ErrorKind::PermissionDenied => say(format_args!(
            "the gateway at {socket} does not answer you: {error}; ask as root, or as a member of the group \
             that [control] group names"
        )),
        _ => say(format_args!(
            "no gateway answers at {socket}: {error}; start one with palisade run, or name its socket with \
             --socket"
        )),
    }
    ExitCode::from(NO_ANSWER)
}

async fn exchange(socket: &Path, request: Request<Full<Bytes>>) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The connection's own future moves the bytes; it ends with the exchange.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok((status, body))
}
