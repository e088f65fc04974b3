//! What can go wrong while a lab is set up: the operation, its object, and the way out.

use std::io;
use std::path::PathBuf;

/// A step of the bench that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lab makes namespaces and loads BPF programs.
    #[error("the lab makes network namespaces: run it as root")]
    NotRoot,
    /// A command of the system could not be started.
    #[error("cannot start `{command}`: {source}; scripts/install-deps installs what is missing")]
    Start {
        /// The whole command line.
        command: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// A command of the system said no.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The whole command line.
        command: String,
        /// What it printed.
        message: String,
    },
    /// A system call or a file said no.
    #[error("{operation} {object}: {source}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// On what.
        object: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The gateway's binary is not built.
    #[error(
        "no `palisade` beside {near}; run `cargo build --release -p palisade`, or name it in PALISADE_BIN"
    )]
    NoGateway {
        /// Where it was looked for.
        near: PathBuf,
    },
    /// The gateway ended, or did not answer, while the lab needed it.
    #[error("palisade {what}:\n{log}")]
    Gateway {
        /// What it did.
        what: String,
        /// The end of what it printed.
        log: String,
    },
    /// A status or a drop record is not what the contract says.
    #[error("{object} does not parse: {source}")]
    Json {
        /// Which text.
        object: String,
        /// What serde said.
        source: serde_json::Error,
    },
    /// A BPF program could not be loaded, attached or read.
    #[error("{operation} {object}: {message}")]
    Bpf {
        /// What was tried.
        operation: &'static str,
        /// The program or map.
        object: &'static str,
        /// What the loader said.
        message: String,
    },
    /// A comparison whose verdicts are wrong says nothing about speed.
    #[error("the run is void: {0}")]
    Void(String),
    /// An argument that makes no sense, with what would.
    #[error("{0}")]
    Usage(String),
}

/// A result of the bench.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the operation and the object of an I/O error.
pub(crate) fn system(operation: &'static str, object: &str) -> impl FnOnce(io::Error) -> Error {
    let object = object.to_owned();
    move |source| Error::System { operation, object, source }
}
