//! Asking a running gateway: one HTTP request over its control socket.

use std::{io, path::Path};

use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Sends `method path` to the gateway behind `socket`; the answer's status and body.
///
/// # Errors
/// When nothing answers there, or not in HTTP.
pub(crate) fn ask(socket: &Path, method: Method, path: &str) -> io::Result<(StatusCode, Bytes)> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(exchange(socket, method, path))
}

async fn exchange(socket: &Path, method: Method, path: &str) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The connection's own future moves the bytes; it ends with the exchange.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "palisade")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok((status, body))
}
