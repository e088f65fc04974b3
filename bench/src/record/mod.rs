//! The record of a measurement: one JSON file a run, the only place that figures are quoted from.
//!
//! ```text
//!  rounds of ours and theirs, in turn --> Row (medians, ratio, interval) --> Record --> FOLDER/KIND-DATE.json
//!                                                                                           |
//!                                        docs/benchmarks.md, README.md  <-- report ---------'
//! ```
//!
//! A ratio says how many times better ours is, whichever way the unit counts: 2 is twice the rate, or
//! half the time.

mod machine;
mod ratio;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use machine::Machine;
pub use ratio::{Ratio, median};

use crate::error::system;
use crate::{Error, Result};

/// One run of one kind of measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which measurement: `tables`, `pipeline`, `compare`.
    pub kind: String,
    /// Where it ran.
    pub machine: Machine,
    /// The day, UTC: `2026-11-21`.
    pub date: String,
    /// The commit that was measured, with `+` when the tree was changed since.
    pub commit: String,
    /// What a reader must know: the wires, the tables, the keys.
    pub notes: Vec<String>,
    /// The comparisons.
    pub rows: Vec<Row>,
    /// What has no peer: a cost over the size of something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

/// Which way a unit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Rates.
    More,
    /// Times and sizes.
    Less,
}

/// One comparison with one peer, or one figure of our own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Beside whom; nobody when ours is held against a limit.
    pub peer: Option<String>,
    /// Of the two figures.
    pub unit: String,
    /// Which way the unit counts.
    pub better: Better,
    /// Median of ours.
    pub ours: f64,
    /// Median of theirs.
    pub theirs: Option<f64>,
    /// How many times better ours is, and its 95 % interval.
    #[serde(flatten)]
    pub ratio: Option<Ratio>,
    /// Rounds of each, in turn.
    pub rounds: usize,
    /// What must be reached: a ratio, or the figure itself where there is no peer.
    pub floor: Option<f64>,
    /// What we aim at.
    pub aim: Option<f64>,
    /// The rounds themselves, ours and theirs.
    pub samples: [Vec<f64>; 2],
}

/// A figure over the size of something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The plot that it belongs to.
    pub plot: String,
    /// Its line in the plot.
    pub line: String,
    /// What grows.
    pub across: String,
    /// The unit of the figure.
    pub unit: String,
    /// Size and figure.
    pub points: Vec<(f64, f64)>,
}

/// Whether a row reached what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The aim.
    Aim,
    /// The floor, not the aim.
    Floor,
    /// Below the floor.
    Below,
    /// Nothing was asked.
    Free,
}

impl Row {
    /// Ours beside a peer's; `ours[i]` and `theirs[i]` are of the same round.
    #[must_use]
    pub fn beside(
        what: &str,
        peer: &str,
        (unit, better): (&str, Better),
        ours: Vec<f64>,
        theirs: Vec<f64>,
    ) -> Self {
        Self {
            what: what.to_owned(),
            peer: Some(peer.to_owned()),
            unit: unit.to_owned(),
            better,
            ours: median(&ours),
            theirs: Some(median(&theirs)),
            ratio: Ratio::of_medians(&ours, &theirs, better),
            rounds: ours.len().min(theirs.len()),
            floor: None,
            aim: None,
            samples: [ours, theirs],
        }
    }

    /// Ours alone.
    #[must_use]
    pub fn alone(what: &str, (unit, better): (&str, Better), ours: Vec<f64>) -> Self {
        Self {
            peer: None,
            theirs: None,
            ratio: None,
            rounds: ours.len(),
            ..Self::beside(what, "", (unit, better), ours, Vec::new())
        }
    }

    /// The same with what it must reach and what it should.
    #[must_use]
    pub fn asked(self, floor: f64, aim: f64) -> Self {
        Self { floor: Some(floor), aim: Some(aim), ..self }
    }

    /// What it reached.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let reached = |limit: f64| match (&self.ratio, self.better) {
            (Some(ratio), _) => ratio.ratio >= limit,
            (None, Better::More) => self.ours >= limit,
            (None, Better::Less) => self.ours <= limit,
        };
        match (self.floor, self.aim) {
            (_, Some(aim)) if reached(aim) => Mark::Aim,
            (Some(floor), _) if reached(floor) => Mark::Floor,
            (Some(_), _) => Mark::Below,
            (None, _) => Mark::Free,
        }
    }
}

impl Record {
    /// A record of this moment on this machine, without rows.
    #[must_use]
    pub fn begin(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            machine: Machine::here(),
            date: today(),
            commit: machine::commit(),
            notes: Vec::new(),
            rows: Vec::new(),
            curves: Vec::new(),
        }
    }

    /// Writes `KIND-DATE.json` into the folder; a later run of the same day takes its place.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("{}-{}.json", self.kind, self.date));
        let name = path.display().to_string();
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| Error::Json { object: name.clone(), source })?;
        fs::create_dir_all(folder).map_err(system("make folder", &name))?;
        fs::write(&path, text + "\n").map_err(system("write", &name))?;
        Ok(path)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it is not there, or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(system("read", &name))?;
        serde_json::from_str(&text).map_err(|source| Error::Json { object: name, source })
    }

    /// The newest record of a kind in the folder.
    ///
    /// # Errors
    /// When the folder or the record cannot be read.
    pub fn newest(folder: &Path, kind: &str) -> Result<Option<Self>> {
        let name = folder.display().to_string();
        let files = fs::read_dir(folder).map_err(system("list", &name))?;
        let prefix = format!("{kind}-");
        let dated = |path: &PathBuf| {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let date = stem.strip_prefix(&prefix).unwrap_or_default();
            date.len() == 10 && path.extension().is_some_and(|end| end == "json")
        };
        let paths = files.filter_map(|file| Some(file.ok()?.path())).filter(dated);
        paths.max().map(|path| Self::read(&path)).transpose()
    }
}

fn today() -> String {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    now.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests;
