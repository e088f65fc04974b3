//! An answer that is read as it comes, such as the drops that are followed.

use std::{io, pin::pin, process::ExitCode, time::Duration};

use engine::say;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{net::UnixStream, time::sleep};

use crate::cli::Control;
use crate::client::no_answer;

/// How often a follower looks whether somebody still reads.
const LOOK: Duration = Duration::from_millis(200);

/// Asks the gateway for `path` and gives each chunk of the answer to `take`, until either ends. An answer
/// that is to have no end ends with its gateway, which is told.
pub(crate) fn stream(
    control: &Control,
    path: &str,
    endless: bool,
    take: impl FnMut(&[u8]) -> io::Result<()>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(read(control, path, take))) {
        Ok(Some(code)) => code,
        Ok(None) if endless => no_answer(control, &io::Error::other("it went away")),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => no_answer(control, &error),
    }
}

/// The exit status, or nothing when the answer came to its end.
async fn read(
    control: &Control,
    path: &str,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Option<ExitCode>> {
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
        return Ok(Some(ExitCode::FAILURE));
    }
    let mut body = answer.into_body();
    let mut gone = pin!(gone());
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // A reader that went away (`palisade drops --follow | head -1`) is no failure.
            () = &mut gone => return Ok(Some(ExitCode::SUCCESS)),
        };
        let Some(Ok(frame)) = frame else { return Ok(None) };
        if let Err(error) = frame.data_ref().map_or(Ok(()), |data| take(data)) {
            let gone = error.kind() == io::ErrorKind::BrokenPipe;
            return Ok(Some(if gone { ExitCode::SUCCESS } else { ExitCode::FAILURE }));
        }
    }
}

/// Waits until nobody reads standard output any more, also while nothing is written to it.
async fn gone() {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        sleep(LOOK).await;
        let stdout = io::stdout();
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        let asked = poll(&mut watched, Some(&none)).is_ok();
        if asked && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return;
        }
    }
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
