//! One HTTP question over any stream: the gateway's control socket, a Prometheus.
//!
//! HTTP/1.0 (RFC 1945): the answer ends with the connection, so that nothing has to be counted.

use std::io::{Read, Write};

use crate::error::system;
use crate::{Error, Result};

/// Asks, and reads the answer to its end: the status and the body.
///
/// # Errors
/// When the stream breaks, or what comes is no HTTP.
pub fn http(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String)> {
    let question = format!(
        "{method} {path} HTTP/1.0\r\nHost: lab\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    stream.write_all(question.as_bytes()).map_err(system("ask", path))?;
    stream.read_to_end(&mut answer).map_err(system("read the answer to", path))?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| Error::Usage(format!("the answer to {path} is no HTTP")))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let cases = [
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}", Some((200, "{}"))),
            ("HTTP/1.1 422 Unprocessable Entity\r\n\r\n", Some((422, ""))),
            ("HTTP/1.1 200 OK", None),
            ("nonsense\r\n\r\nbody", None),
        ];
        for (answer, parts) in cases {
            assert_eq!(parse(answer), parts.map(|(status, body)| (status, body.to_owned())));
        }
    }
}
