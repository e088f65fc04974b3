//! A record of a measurement: what was measured, on what machine, when.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Rates, Terms};
use crate::error::system;
use crate::{Error, Result};

/// One run, as written to a file.
#[derive(Serialize)]
struct Record<'a> {
    bench: &'static str,
    epoch_s: u64,
    machine: Machine,
    wire_bytes: usize,
    seconds: f64,
    rates: &'a [Rates],
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
}

/// Writes a record into the folder, under a name that sorts by time.
pub(super) fn write(folder: &Path, terms: Terms, rates: &[Rates]) -> Result<PathBuf> {
    let epoch_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let record = Record {
        bench: "floor",
        epoch_s,
        machine: machine(),
        wire_bytes: terms.wire_bytes,
        seconds: terms.length.as_secs_f64(),
        rates,
    };
    let text = serde_json::to_string_pretty(&record)
        .map_err(|source| Error::Json { object: "the record".to_owned(), source })?;
    let path = folder.join(format!("floor-{epoch_s}.json"));
    let name = path.display().to_string();
    fs::create_dir_all(folder).map_err(system("make folder", &name))?;
    fs::write(&path, text + "\n").map_err(system("write", &name))?;
    Ok(path)
}

fn machine() -> Machine {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Machine {
        cpu: model.unwrap_or("unknown").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: kernel.trim().to_owned(),
    }
}
