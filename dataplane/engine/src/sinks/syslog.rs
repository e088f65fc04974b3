//! An event as a syslog message: RFC 5424, with the line of JSON as its text.
//!
//! `<30>1 2026-01-02T03:04:05.678901Z gw palisade 4711 drop - {"timestamp":…}`

use std::{io::Write, sync::LazyLock};

use crate::event::Shown;

/// Facility `daemon` (3), severity `informational` (6) or, for patterns, `notice` (5).
const DAEMON: u8 = 3 << 3;

static HOST: LazyLock<String> = LazyLock::new(|| {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let printable = host.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || !printable { "-".to_owned() } else { host }
});

/// Writes the message to `out`; `line` is the event's JSON.
pub(super) fn message(event: &Shown<'_>, line: &[u8], out: &mut Vec<u8>) {
    let priority = DAEMON | if event.is_pattern() { 5 } else { 6 };
    let (time, pid) = (event.timestamp(), std::process::id());
    let kind = event.kind();
    // A vector takes everything.
    let _ = write!(out, "<{priority}>1 {time} {} palisade {pid} {kind} - ", *HOST);
    out.extend_from_slice(line);
}
