//! `rte_fib` and `rte_fib6`, through DPDK's own test program: the same routes and keys as files.
//!
//! It asks for bursts of 64 and prints the mean in ticks of the time stamp counter. All lookup
//! functions and entry sizes that hold the next hops are tried once; the best one takes the rounds.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lookup::Prefix;

use super::arms::Kind;
use super::routes::Routes;
use crate::error::system;
use crate::peers::HugePages;
use crate::{Error, Result};

const PROGRAM: &str = "dpdk-test-fib";
/// Groups that entries of two bytes can count.
const GROUPS: usize = 32767;
/// Of the first level, the routes and the keys.
const BASE_MIB: usize = 640;
/// What the program says when the groups do not suffice: this entry size is out.
const FULL: &str = "Can not add a route to FIB, err -28";

/// Algorithm, and pairs of function and entry size.
const FOUR: (&str, [(&str, &str); 6]) =
    ("dir", [("s1", "2"), ("s2", "2"), ("s3", "2"), ("v", "2"), ("s1", "4"), ("v", "4")]);
const SIX: (&str, [(&str, &str); 4]) = ("trie", [("s", "2"), ("v", "2"), ("s", "4"), ("v", "4")]);

/// A pair of files, and the function that was best.
pub(super) struct Fib {
    six: bool,
    folder: PathBuf,
    best: Option<(&'static str, &'static str)>,
    groups: usize,
    _pages: HugePages,
}

impl Fib {
    /// Writes the files.
    pub(super) fn new<A: Kind>(routes: &Routes<A>, keys: &[A]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("palisade-fib-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(system("make", "a scratch folder"))?;
        let mut text = String::new();
        for (prefix, class) in &routes.prefixes {
            // A String takes every write.
            let _ = writeln!(text, "{}/{} {}", prefix.first().address(), prefix.bits(), class.0);
        }
        write(&folder.join("routes"), &text)?;
        text.clear();
        for key in keys {
            let _ = writeln!(text, "{}", key.address());
        }
        write(&folder.join("keys"), &text)?;
        let groups = groups(routes);
        let _pages = HugePages::reserve((memory_mib(groups) / 2 + 64) as u32)?;
        let six = <A as lookup::Address>::BITS == 128;
        Ok(Self { six, folder, best: None, groups, _pages })
    }

    /// For a row.
    pub(super) fn name(&self) -> String {
        let table = if self.six { "rte_fib6" } else { "rte_fib" };
        let (function, size) = self.best.unwrap_or_default();
        let function = if function == "v" { "vector" } else { function };
        format!("{table} ({function}, {size} bytes)")
    }

    /// Ticks a lookup.
    pub(super) fn round(&mut self) -> Result<f64> {
        let (algorithm, tries) = if self.six { (SIX.0, &SIX.1[..]) } else { (FOUR.0, &FOUR.1[..]) };
        let tries = self.best.as_ref().map_or(tries, std::slice::from_ref);
        let mut least = None;
        for &pair in tries {
            if let Some(ticks) = self.ticks(algorithm, pair)?
                && least.is_none_or(|(least, _)| ticks < least)
            {
                least = Some((ticks, pair));
            }
        }
        self.best = least.map(|(_, pair)| pair);
        let full = || Error::Usage(format!("{PROGRAM} holds these routes with no entry size"));
        least.map(|(ticks, _)| ticks).ok_or_else(full)
    }

    /// Nothing when the routes need more groups than entries of this size can count.
    fn ticks(&self, algorithm: &str, (function, size): (&str, &str)) -> Result<Option<f64>> {
        let groups = if size == "2" { GROUPS } else { self.groups.max(GROUPS) };
        let memory = memory_mib(self.groups).to_string();
        let mut command = Command::new(PROGRAM);
        command
            .args(["--in-memory", "--no-pci", "-m", &memory, "-l", "1", "--no-telemetry"])
            .args(["--force-max-simd-bitwidth=512", "--"])
            .args(self.six.then_some("-6"))
            .args(["-b", algorithm, "-e", size, "-v", function])
            .args(["-g", &groups.to_string()])
            .args([Path::new("-f"), &self.folder.join("routes")])
            .args([Path::new("-t"), &self.folder.join("keys")])
            .stdin(Stdio::null());
        let line = format!("{command:?}");
        let output =
            command.output().map_err(|source| Error::Start { command: line.clone(), source })?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains(FULL) {
            return Ok(None);
        }
        let mean = text.lines().find_map(|line| line.strip_prefix("AVG FIB lookup "));
        mean.and_then(|mean| mean.trim().parse().ok()).map(Some).ok_or_else(|| {
            let message = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
            Error::Command { command: line, message }
        })
    }
}

impl Drop for Fib {
    fn drop(&mut self) {
        // What stays behind in a scratch folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Groups of 256 entries that `rte_fib6` sets aside, at most: for the first route of a block of whole
/// bytes, one for each byte from the fourth to the route's last (`lib/fib/trie.c`, `trie_modify`).
/// `rte_fib` sets aside fewer: one for a /24.
fn groups<A: Kind>(routes: &Routes<A>) -> usize {
    let mut blocks = HashMap::new();
    for prefix in
        routes.prefixes.iter().map(|(prefix, _)| prefix).filter(|prefix| prefix.bits() > 24)
    {
        let block = Prefix::new(prefix.first(), prefix.bits() / 8 * 8);
        let block: (u128, u8) = (block.first().into(), block.bits());
        let most = blocks.entry(block).or_default();
        *most = usize::from(prefix.bits().div_ceil(8) - 3).max(*most);
    }
    blocks.values().sum::<usize>() + 1
}

/// With groups of a kibibyte.
fn memory_mib(groups: usize) -> usize {
    BASE_MIB + groups.max(GROUPS) / 1024
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(system("write", &path.display().to_string()))
}
