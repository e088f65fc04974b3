//! The drop log of the run: each record's verdict is that of the policy its revision had.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use super::policies::{ALWAYS, SOMETIMES};
use super::storm::Reload;
use crate::error::system;
use crate::lab::Record;
use crate::{Error, Result};

/// What the records say.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Verdicts {
    /// Records of drops read.
    pub(super) records: u64,
    /// Of the country that the policies differ in.
    pub(super) guests: u64,
    /// Of those, by a revision that lets it in: a verdict of neither policy.
    pub(super) guests_wronged: u64,
    /// Of countries that both let in.
    pub(super) wronged: u64,
}

/// Reads the log from a place on, record by record: it is larger than one would keep.
pub(super) fn read(path: &Path, reloads: &[Reload]) -> Result<Verdicts> {
    let name = path.display().to_string();
    let open: BTreeSet<u64> =
        reloads.iter().filter(|reload| reload.guests).map(|reload| reload.revision).collect();
    let file = File::open(path).map_err(system("open", &name))?;
    let mut verdicts = Verdicts::default();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(system("read", &name))?;
        // Patterns and exceptions are lines of their own.
        if !line.contains("\"event_type\":\"drop\"") {
            continue;
        }
        let record: Record = serde_json::from_str(&line)
            .map_err(|source| Error::Json { object: format!("drop record {line}"), source })?;
        let country = record.palisade.country.as_deref();
        verdicts.records += 1;
        if country == Some(SOMETIMES.1) {
            verdicts.guests += 1;
            verdicts.guests_wronged += u64::from(open.contains(&record.palisade.revision));
        }
        verdicts.wronged += u64::from(ALWAYS.iter().any(|(_, code)| country == Some(code)));
    }
    Ok(verdicts)
}
