//! One look at a gateway under load: its numbers, its memory, its books.

use std::fmt;
use std::fs;
use std::time::Duration;

use super::books;
use crate::error::system;
use crate::lab::{Books, Gateway, Status};
use crate::{Error, Result};

/// The numbers at one moment; packets since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at_s: u64,
    pub(super) resident_kib: u64,
    pub(super) received: u64,
    pub(super) forwarded: u64,
    pub(super) dropped: u64,
    pub(super) flows: u64,
    pub(super) descriptors: u64,
    /// The longest that the worker went without housekeeping since the start.
    pub(super) longest_pause_ms: u64,
}

impl Sample {
    pub(super) const COLUMNS: [&'static str; 8] = [
        "at_s",
        "resident_kib",
        "received",
        "forwarded",
        "dropped",
        "flows",
        "descriptors",
        "longest_pause_ms",
    ];

    /// Reads all of it, and what of the books is wrong: a snapshot is whole, also under load.
    pub(super) fn take(gateway: &Gateway, at: Duration) -> Result<(Self, Books)> {
        let text = gateway.ask(&["status", "--json"])?;
        let json = |source| Error::Json { object: "status".to_owned(), source };
        let status: Status = serde_json::from_str(&text).map_err(json)?;
        let whole: serde_json::Value = serde_json::from_str(&text).map_err(json)?;
        let pauses = whole["workers"].as_array().into_iter().flatten();
        let longest = pauses.filter_map(|worker| worker["longest_pause_ms"].as_u64()).max();
        let process = format!("/proc/{}", gateway.pid());
        let descriptors =
            fs::read_dir(format!("{process}/fd")).map_err(system("read", &process))?.count();
        let sample = Self {
            at_s: at.as_secs(),
            resident_kib: resident_kib(&process)?,
            received: status.received,
            forwarded: status.forwarded,
            dropped: status.dropped_total(),
            flows: status.flows,
            descriptors: descriptors as u64,
            longest_pause_ms: longest.unwrap_or_default(),
        };
        Ok((sample, books(&status)))
    }

    pub(super) fn row(&self) -> [u64; 8] {
        [
            self.at_s,
            self.resident_kib,
            self.received,
            self.forwarded,
            self.dropped,
            self.flows,
            self.descriptors,
            self.longest_pause_ms,
        ]
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Self::COLUMNS.iter().zip(self.row());
        rows.into_iter().try_for_each(|(name, value)| write!(f, "{name} {value}  "))
    }
}

fn resident_kib(process: &str) -> Result<u64> {
    let path = format!("{process}/status");
    let text = fs::read_to_string(&path).map_err(system("read", &path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or_default())
}
