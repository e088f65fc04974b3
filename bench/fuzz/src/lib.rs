//! What the fuzzers run: one function a target, from bytes to panics.
//!
//! A target takes any bytes, does with them what the gateway would, and asserts what must hold. The
//! fuzzer (`scripts/fuzz`, libFuzzer) looks for bytes that reach new code; `tests/replay.rs` runs
//! everything that it kept, and every crasher, through the same functions in each test run.
//!
//! | target | bytes are | must hold, beside no panic and no hang |
//! |---|---|---|
//! | `frames` | bursts, time, reloads for one or two filters | both identities; nothing leaves that the policy denies, by a second reader |
//! | `policy` | policy.toml | each problem has its line in the file and can be shown; failsafe is never cut off |
//! | `geo` | MMDB, CSV or embedded table | taken whole or refused; answers agree with covers |
//! | `config` | gateway.toml | each problem has its line; values are within their bounds |
//! | `control` | what a client writes to the control socket | HTTP or nothing comes back; no status 500; it still serves |
//! | `ask` | lines of `explain --batch` | explain agrees with judge; answers are JSON |
#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a target speaks by panicking"
)]

mod ask;
mod config;
mod control;
mod frames;
mod geo;
mod input;
mod mmdb;
pub mod pack;
mod policy;
mod problems;

use std::path::{Path, PathBuf};

/// One entry for a fuzzer.
#[derive(Debug)]
pub struct Target {
    /// The name of its corpus and of its folder of crashers.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
    /// Real cases to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames::run, seeds: frames::seeds },
    Target { name: "policy", run: policy::run, seeds: policy::seeds },
    Target { name: "geo", run: geo::run, seeds: geo::seeds },
    Target { name: "config", run: config::run, seeds: config::seeds },
    Target { name: "control", run: control::run, seeds: control::seeds },
    Target { name: "ask", run: ask::run, seeds: ask::seeds },
];

/// A file of `data`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}
