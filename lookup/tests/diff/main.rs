//! What changes between two policies and between two databases.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod examples;
mod model;
mod written;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use lookup::diff::{Flips, Size, flips, written};
use lookup::{Ask, Loaded, Moment, Policy, Revision};
use tempfile::TempDir;

const NOW: Moment = Moment(1_790_000_000);

fn loaded(folder: &Path, text: &str) -> Loaded {
    Loaded::of(&folder.join("policy.toml"), text.to_owned(), NOW, Revision(1)).unwrap()
}

fn lines(old: &str, new: &str) -> Vec<String> {
    let parse = |text: &str| Policy::parse(Path::new("p.toml"), text.to_owned()).unwrap().0;
    written(&parse(old), &parse(new)).iter().map(ToString::to_string).collect()
}

fn compare(old: &Loaded, new: &Loaded) -> Flips {
    flips((&old.policy, &old.geo), (&new.policy, &new.geo), NOW).unwrap()
}

/// A small generator: the cases are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        of.iter().copied().filter(|_| self.below(2) == 0).collect()
    }
}

fn world() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = "198.18.0.0/24,DE\n198.18.1.0/24,FR\n2001:db8::/33,DE\n";
    fs::write(folder.path().join("c.csv"), text).unwrap();
    folder
}
