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

use fuzz::{TARGETS, Target};

/// The files of a target's folder, by name; none where there is no folder.
fn kept(folder: &str, target: &Target) -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target.name);
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect(name);
    let seeds = (target.seeds)();
    let seeds = seeds.into_iter().enumerate().map(|(i, bytes)| (format!("seed {i}"), bytes));
    let mut inputs: Vec<_> = seeds.collect();
    inputs.extend(kept("corpus", target));
    inputs.extend(kept("crashers", target));
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

/// A target without a test would not be replayed; a folder without a target would not be either.
#[test]
fn every_target_is_replayed() {
    let mut named = ["frames", "policy", "geo", "config", "control", "ask"];
    named.sort_unstable();
    let mut known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    known.sort_unstable();
    assert_eq!(known, named);
    for folder in ["corpus", "crashers"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(path).into_iter().flatten() {
            let name = entry.unwrap().file_name();
            assert!(known.iter().any(|known| name == *known), "{folder}/{}", name.display());
        }
    }
}
