//! Everything that the fuzzers kept, and every seed, through the same functions again.
//!
//! Needs no fuzzer and no nightly. A crasher that is fixed stays here, so that it stays fixed.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use fuzz::pack::unpack;
use fuzz::{TARGETS, Target};

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything that is kept for a target, with its name.
fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let named = |name: &'static str| move |(i, bytes)| (format!("{name} {i}"), bytes);
    let mut inputs: Vec<_> = (target.seeds)().into_iter().enumerate().map(named("seed")).collect();
    let corpus = unpack(&home().join("corpus").join(target.name));
    inputs.extend(corpus.into_iter().enumerate().map(named("corpus")));
    for entry in fs::read_dir(home().join("crashers").join(target.name)).into_iter().flatten() {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), fs::read(path).unwrap()));
    }
    inputs
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect(name);
    let inputs = kept(target);
    assert!(!inputs.is_empty(), "{name} has no inputs");
    let run = target.run;
    let failed: Vec<&String> = inputs
        .iter()
        .filter(|(_, bytes)| catch_unwind(|| run(bytes)).is_err())
        .map(|(name, _)| name)
        .collect();
    assert!(failed.is_empty(), "{} of {} inputs: {failed:#?}", failed.len(), inputs.len());
    println!("{name}: {} inputs", inputs.len());
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn policy() {
    replay("policy");
}

#[test]
fn geo() {
    replay("geo");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn control() {
    replay("control");
}

#[test]
fn ask() {
    replay("ask");
}

/// A target without a test would not be replayed, nor a corpus without a target.
#[test]
fn every_target_is_replayed() {
    let mut named = ["frames", "policy", "geo", "config", "control", "ask"];
    named.sort_unstable();
    let mut known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    known.sort_unstable();
    assert_eq!(known, named);
    for folder in ["corpus", "crashers"] {
        for entry in fs::read_dir(home().join(folder)).into_iter().flatten() {
            let name = entry.unwrap().file_name();
            assert!(known.iter().any(|known| name == *known), "{folder}/{}", name.display());
        }
    }
}
