//! An answer that is read as it comes, such as the drops that are followed.

use std::{io, process::ExitCode};

use engine::say;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::cli::Control;
use crate::client::no_answer;

/// Asks the gateway for `path` and gives each chunk of the answer to `take`, until either ends.
pub(crate) fn stream(
    control: &Control,
    path: &str,
    take: impl FnMut(&[u8]) -> io::Result<()>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(read(control, path, take))) {
        Ok(code) => code,
        Err(error) => no_answer(control, &error),
    }
}

async fn read(
    control: &Control,
    path: &str,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<ExitCode> {
    let stream = UnixStream::connect(&control.socket).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The connection's own future moves the bytes; it ends with the exchange.
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "palisade").body(Empty::<Bytes>::new());
    let request = request.map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    if answer.status() != StatusCode::OK {
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        say(String::from_utf8_lossy(&body));
        return Ok(ExitCode::FAILURE);
    }
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        let taken = frame.data_ref().map_or(Ok(()), |data| take(data));
        if let Err(error) = taken {
            // A reader that went away (`palisade drops | head`) is no failure.
            let gone = error.kind() == io::ErrorKind::BrokenPipe;
            return Ok(if gone { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Pairs as the query of a URL.
pub(crate) fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(key);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    text.push(char::from(byte));
                }
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}
