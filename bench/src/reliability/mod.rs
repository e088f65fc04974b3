//! What was tried to break Palisade, how often, and with what result: docs/reliability.md.
//!
//! ```text
//!  claims.toml --> cargo nextest, each claim its tests --> tests.json --+
//!  scripts/oracle, fuzz, soak, ... --------------------> their *.json --+--> docs/reliability.md
//! ```
//!
//! Nobody writes the page by hand: a row is there because the run that it tells of wrote it.

mod claims;
mod page;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::system;
use crate::{Error, Result};

pub use page::page;

/// What a row is about; the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Area {
    /// What a frame may be.
    Packets,
    /// What a connection may be, and how many.
    Flows,
    /// Kernel nftables as the judge.
    Oracle,
    /// Coverage-guided input.
    Fuzz,
    /// Every order of steps, or many random ones.
    Models,
    /// Things that break around the gateway.
    Faults,
    /// Changing what is in force.
    Change,
    /// Seeing what it does.
    See,
    /// Living as a service on an appliance.
    Service,
    /// A long time.
    Soak,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is about.
    pub area: Area,
    /// What was done to Palisade, and what must hold.
    pub tried: String,
    /// How often.
    pub times: String,
    /// What came of it.
    pub result: String,
    /// Whether it held.
    pub held: bool,
    /// What to run to see it again.
    pub command: String,
}

/// Run the tests behind each claim, and write docs/reliability.md from all records.
#[derive(Debug, clap::Args)]
pub struct Reliability {
    /// How often each claim's tests run.
    #[arg(long, default_value_t = 3)]
    times: u32,
    /// Only write the page, from the records that are there.
    #[arg(long)]
    page_only: bool,
    /// Run only claims with these words, and keep the rows of the others.
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["page_only", "missing"])]
    only: Option<String>,
    /// Run only claims that have no row yet, and keep the rows of the others.
    #[arg(long, conflicts_with = "page_only")]
    missing: bool,
    /// Which tests stand for which claim.
    #[arg(long, value_name = "FILE", default_value = "bench/claims.toml")]
    claims: PathBuf,
    /// Where the records are.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record/reliability")]
    records: PathBuf,
    /// The page.
    #[arg(long, value_name = "FILE", default_value = "docs/reliability.md")]
    page: PathBuf,
}

impl Reliability {
    /// Runs what is asked for, and writes the page.
    ///
    /// # Errors
    /// A claim without a test, a record that does not parse, or a claim that did not hold.
    pub fn run(&self) -> Result<()> {
        if !self.page_only {
            let path = self.records.join("tests.json");
            let part = self.only.is_some() || self.missing;
            let before = if part { rows(&path)? } else { Vec::new() };
            let wanted = |tried: &str| match &self.only {
                Some(words) => tried.contains(words),
                None => !before.iter().any(|row| row.tried == tried),
            };
            let claims = claims::read(&self.claims)?;
            let fresh = claims.run(self.times, wanted)?;
            let text = serde_json::to_string_pretty(&claims.order(before, fresh));
            let text = text.unwrap_or_default() + "\n";
            std::fs::write(&path, text).map_err(system("write", &path.display().to_string()))?;
        }
        let rows = records(&self.records)?;
        let name = self.page.display().to_string();
        std::fs::write(&self.page, page(&rows)).map_err(system("write", &name))?;
        let broken: Vec<&str> =
            rows.iter().filter(|row| !row.held).map(|row| row.tried.as_str()).collect();
        println!("{name}: {} rows, {} of them did not hold", rows.len(), broken.len());
        if broken.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!("did not hold:\n  {}", broken.join("\n  "))))
    }
}

/// All rows of a folder, in the order of the page.
///
/// # Errors
/// A file that cannot be read, or is not a list of rows.
pub fn records(folder: &Path) -> Result<Vec<Row>> {
    let name = folder.display().to_string();
    let failed = || system("read", &name);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    let mut all: Vec<Row> = Vec::new();
    for path in files {
        all.append(&mut rows(&path)?);
    }
    all.sort_by_key(|row| row.area);
    Ok(all)
}

/// The rows of one file.
fn rows(path: &Path) -> Result<Vec<Row>> {
    let object = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(system("read", &object))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { object, source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_records_say() {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rows = records(&bench.join("record/reliability")).unwrap();
        let written = std::fs::read_to_string(bench.join("../docs/reliability.md")).unwrap();
        assert_eq!(page(&rows), written, "run scripts/reliability --page-only");
    }

    #[test]
    fn the_claims_are_read() {
        claims::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("claims.toml")).unwrap();
    }
}
