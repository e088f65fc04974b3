//! What can be wrong with a geo database.

use std::path::PathBuf;

/// A geo database that cannot be used: which, why, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// The file cannot be read.
    #[error(
        "cannot read geo database {}: {source}; check the path, its permissions, and [sandbox] read of a running gateway",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a file, or of a size that no database has.
    #[error("geo database {} {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is instead, and the way out.
        reason: String,
    },
    /// A MaxMind DB that is damaged, cut off, or something else altogether.
    #[error(
        "geo database {} is damaged or no MaxMind DB: {reason}; download it again (CSV files must \
         be named *.csv)",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong where.
        reason: String,
    },
    /// A line of a CSV file that cannot be read.
    #[error(
        "geo database {}, line {line}: {reason}; expected `start,end,value` or `network,value`",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A sound database of another kind.
    #[error(
        "geo database {} holds no {what} for any network (it is {kind}); give a database of that \
         kind",
        path.display()
    )]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What was looked for: country or autonomous system.
        what: &'static str,
        /// What the file calls itself.
        kind: String,
    },
    /// The table inside the program does not pass its own check.
    #[error("the embedded country table is damaged: {reason}; install the program again")]
    Embedded {
        /// What is wrong.
        reason: &'static str,
    },
}
