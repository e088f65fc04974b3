//! An event for journald: its native protocol, fields that `journalctl` finds by.
//!
//! `KEY=value` and a newline for each field, one datagram a message
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>). No value here holds a newline: JSON and addresses
//! have none, and a name that does is left to the line.

use std::{fmt::Display, io::Write};

use crate::event::Shown;

/// Writes the message to `out`; `line` is the event's JSON.
pub(super) fn message(event: &Shown<'_>, line: &[u8], out: &mut Vec<u8>) {
    let priority = if event.is_pattern() { 5 } else { 6 };
    field(out, "MESSAGE", event);
    field(out, "PRIORITY", priority);
    field(out, "SYSLOG_IDENTIFIER", "palisade");
    field(out, "PALISADE_EVENT", event.kind());
    let mut some = |key, value: Option<&dyn Display>| {
        if let Some(value) = value {
            field(out, key, value);
        }
    };
    some("PALISADE_DOMAIN", event.domain().as_ref().map(|value| value as _));
    some("PALISADE_REASON", event.reason().as_ref().map(|value| value as _));
    some("PALISADE_COUNTRY", event.country().as_ref().map(|value| value as _));
    some("PALISADE_ASN", event.asn().as_ref().map(|value| value as _));
    some("PALISADE_SRC", event.src().as_ref().map(|value| value as _));
    out.extend_from_slice(b"PALISADE_JSON=");
    out.extend_from_slice(line);
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, key: &str, value: impl Display) {
    let value = value.to_string();
    if !value.contains('\n') {
        // A vector takes everything.
        let _ = writeln!(out, "{key}={value}");
    }
}
