//! What the records say, for people: a page, its pictures, and the figures that the README quotes.
//!
//! ```text
//!  bench/record/KIND-DATE.json, the newest of each kind --+--> docs/benchmarks.md
//!                                                         +--> docs/benchmarks/*.svg, *.png
//!                                                         `--> README.md, between its two marks
//! ```
//!
//! Nothing here measures and nothing is written by hand: a test makes page and quotes again from the
//! committed records and compares.

mod bars;
mod lines;
mod page;
mod quotes;
mod rows;
mod svg;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use rows::table;

use crate::error::system;
use crate::record::Record;
use crate::{Error, Result};

/// The kinds of records in the order of the page, with their titles.
const KINDS: [(&str, &str); 7] = [
    ("compare", "Gateways side by side"),
    ("pipeline", "What a packet costs a worker"),
    ("lookups", "Address to class"),
    ("flows", "The flow table"),
    ("parse", "Frame to flow key"),
    ("ring", "The drop ring"),
    ("rebuild", "A policy rebuilt and swapped"),
];

/// Where records are, and where the page goes.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The records.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
    /// Where `benchmarks.md` and the folder `benchmarks` of its pictures go.
    #[arg(long, value_name = "FOLDER", default_value = "docs")]
    out: PathBuf,
    /// The file whose figures between the marks are replaced.
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
}

/// A picture of the page.
struct Picture {
    /// Its file, without the ending.
    name: String,
    /// For who cannot see it.
    alt: String,
    svg: String,
}

/// The page, and what belongs to it.
struct Page {
    text: String,
    pictures: Vec<Picture>,
}

impl Report {
    /// Reads the newest record of each kind and writes the page.
    ///
    /// # Errors
    /// When a record cannot be read, or the page cannot be written.
    pub fn run(&self) -> Result<()> {
        let records = newest(&self.records)?;
        let page = page::page(&records);
        let folder = self.out.join("benchmarks");
        fs::create_dir_all(&folder)
            .map_err(system("make folder", &folder.display().to_string()))?;
        for picture in &page.pictures {
            let file = folder.join(format!("{}.svg", picture.name));
            write(&file, &picture.svg)?;
            raster(&file)?;
        }
        let file = self.out.join("benchmarks.md");
        write(&file, &page.text)?;
        println!("{}, {} pictures", file.display(), page.pictures.len());
        if let Some(readme) = &self.readme {
            let name = readme.display().to_string();
            let text = fs::read_to_string(readme).map_err(system("read", &name))?;
            let text = quotes::replace(&text, &records).ok_or_else(|| {
                Error::Usage(format!(
                    "{name} lacks the marks {} and {}",
                    quotes::BEGIN,
                    quotes::END
                ))
            })?;
            write(readme, &text)?;
        }
        Ok(())
    }
}

/// The newest record of each kind that there is, in the order of the page.
fn newest(folder: &Path) -> Result<Vec<Record>> {
    let found = KINDS.iter().map(|(kind, _)| Record::newest(folder, kind));
    let found: Result<Vec<Option<Record>>> = found.collect();
    Ok(found?.into_iter().flatten().collect())
}

/// A PNG beside an SVG, for what shows no SVG.
fn raster(svg: &Path) -> Result<()> {
    let png = svg.with_extension("png");
    let mut command = Command::new("rsvg-convert");
    command.args(["--zoom", "2", "--output"]).arg(&png).arg(svg);
    let line = format!("{command:?}");
    let output =
        command.output().map_err(|source| Error::Start { command: line.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Command { command: line, message })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(system("write", &path.display().to_string()))
}

#[cfg(test)]
mod tests;
