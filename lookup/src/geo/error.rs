//! What can be wrong with a geo database.

use std::path::PathBuf;

/// A geo database that cannot be used: which, why, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// The file cannot be read.
    #[error("cannot read geo database {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
