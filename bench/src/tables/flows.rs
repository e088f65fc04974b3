//! The flow table, beside hashbrown with foldhash and DPDK's `rte_hash`.
//!
//! ```text
//!  keys: [ known ... | unknown ... ]    asked for in a random order, in bursts of 64
//!  hit: found and marked as heard of    miss    insert: into a table that was full before    expire
//! ```
//! All have the same keys of 40 bytes, a keyed hash, and room for as many flows: hashbrown takes a
//! power of two of slots for 8/7 of its capacity, so all get that. `rte_hash` runs in a program of its
//! own (`bench/dpdk/hash.c`), since Rust would need `unsafe` to call it.

use std::fs;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use filter::bare::{FlowKey, FlowTable};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::spent::spent_ns;
use super::{NS, Tables, differ};
use crate::error::system;
use crate::load::Random;
use crate::peers::HugePages;
use crate::record::{Record, Row};
use crate::{Error, Result};

const SIZES: [(usize, &str); 3] =
    [(1 << 16, "65,536 flows"), (1_000_000, "1,000,000 flows"), (4_000_000, "4,000,000 flows")];
const BURST: usize = 64;
/// Lookups of a round.
const ASKED: usize = 1 << 20;
const SECRET: [u8; 16] = *b"as random as any";
/// Far beyond every timeout.
const LATER_MS: u32 = 1_000_000_000;
/// Of 2 MiB, for 4,000,000 flows of `rte_hash`.
const HUGE_PAGES: u32 = 768;

/// What is done with a table, in this order.
const DEEDS: [&str; 4] = ["insert", "hit", "miss", "expire"];

/// Keys of one size.
struct Keys {
    known: Vec<FlowKey>,
    unknown: Vec<FlowKey>,
    /// Of the known ones, at random.
    asked: Vec<FlowKey>,
}

impl Keys {
    fn new(flows: usize) -> Self {
        let mut random = Random::new(flows as u64);
        let mut key = |n: usize| {
            let bits = random.next_u64();
            // The number stands in the local end, so that no two keys are the same.
            let local = 0x0a00_0000 | (n >> 8) as u32;
            let port = 1024 | (n as u16 & 0xff) << 8;
            FlowKey::udp(
                (std::net::Ipv4Addr::from_bits(bits as u32).into(), (bits >> 32) as u16),
                (std::net::Ipv4Addr::from_bits(local).into(), port),
            )
        };
        let known: Vec<FlowKey> = (0..flows).map(&mut key).collect();
        let unknown = (flows..flows + flows.min(ASKED)).map(&mut key).collect();
        let asked = (0..ASKED).map(|_| known[random.below(flows as u128) as usize]).collect();
        Self { known, unknown, asked }
    }
}

/// A flow table under measurement.
trait Flows {
    fn fill(&mut self, keys: &[FlowKey]);
    /// How many of the keys were found.
    fn ask(&mut self, keys: &[FlowKey]) -> usize;
    fn expire(&mut self);
    fn len(&self) -> usize;
}

struct Ours {
    table: FlowTable,
    buckets: usize,
}

impl Flows for Ours {
    fn fill(&mut self, keys: &[FlowKey]) {
        for &key in keys {
            self.table.insert(key, 1);
        }
    }

    fn ask(&mut self, keys: &[FlowKey]) -> usize {
        let found = |burst: &[FlowKey]| self.table.find(burst, 1).count_ones() as usize;
        keys.chunks(BURST).map(found).sum()
    }

    fn expire(&mut self) {
        self.table.expire(LATER_MS, self.buckets);
    }

    fn len(&self) -> usize {
        self.table.len()
    }
}

/// What a flow table remembers beside the key.
#[derive(Clone, Copy)]
struct Seen {
    revision: u32,
    seen_ms: u32,
    _rest: [u32; 4],
}

struct Brown<S>(HashMap<FlowKey, Seen, S>);

impl<S: BuildHasher> Flows for Brown<S> {
    fn fill(&mut self, keys: &[FlowKey]) {
        for &key in keys {
            self.0.insert(key, Seen { revision: 1, seen_ms: 1, _rest: [0; 4] });
        }
    }

    fn ask(&mut self, keys: &[FlowKey]) -> usize {
        let mut found = 0;
        for key in keys {
            if let Some(seen) = self.0.get_mut(key)
                && seen.revision == 1
            {
                seen.seen_ms = black_box(1);
                found += 1;
            }
        }
        found
    }

    fn expire(&mut self) {
        self.0.retain(|_, seen| LATER_MS.wrapping_sub(seen.seen_ms) < black_box(30_000));
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Nanoseconds a flow of each of the deeds; the table is warm and empty before and after.
fn round(table: &mut dyn Flows, keys: &Keys) -> Result<[f64; 4]> {
    let each = |ns: f64, of: usize| ns / of.max(1) as f64;
    let (insert, ()) = spent_ns(|| table.fill(&keys.known));
    let kept = table.len();
    let (hit, hits) = spent_ns(|| table.ask(&keys.asked));
    let (miss, ghosts) = spent_ns(|| table.ask(&keys.unknown));
    let (expire, ()) = spent_ns(|| table.expire());
    if kept != keys.known.len() || hits != keys.asked.len() || ghosts + table.len() != 0 {
        let left = table.len();
        return Err(Error::Usage(format!(
            "a flow table of {} flows kept {kept}, found {hits} of {}, found {ghosts} that it never \
             had, and still has {left} after their time",
            keys.known.len(),
            keys.asked.len(),
        )));
    }
    Ok([
        each(insert, kept),
        each(hit, keys.asked.len()),
        each(miss, keys.unknown.len()),
        each(expire, kept),
    ])
}

pub(super) fn measure(terms: &Tables) -> Result<Record> {
    let mut record = Record::begin("flows");
    record.notes.push(
        "Keys of 40 bytes, keyed hashes; the same keys, slots and order for all. A hit marks the flow \
         as heard of. Times are of the thread. rte_hash has CRC32 with a secret start, and huge pages."
            .to_owned(),
    );
    for (flows, name) in SIZES {
        println!("{name}");
        let keys = Keys::new(flows);
        let slots = (flows * 8 / 7).next_power_of_two();
        let table = FlowTable::new(slots, SECRET);
        let mut ours = Ours { table, buckets: slots / 8 };
        let brown = HashMap::with_capacity_and_hasher(flows, RandomState::default());
        let mut brown = Brown(brown);
        let dpdk = match terms.no_dpdk {
            true => None,
            false => Some(Dpdk::new(&keys, slots)?),
        };
        // The first turn meets pages that were never touched.
        for table in [&mut ours as &mut dyn Flows, &mut brown] {
            round(table, &keys)?;
        }
        let mut times: [[Vec<f64>; 4]; 3] = Default::default();
        for _ in 0..terms.rounds {
            let turn = [round(&mut ours, &keys)?, round(&mut brown, &keys)?];
            let third = dpdk.as_ref().map(Dpdk::round).transpose()?;
            for (times, turn) in times.iter_mut().zip(turn.into_iter().chain(third)) {
                for (times, ns) in times.iter_mut().zip(turn) {
                    times.push(ns);
                }
            }
        }
        let [ours, brown, dpdk] = times;
        for (peer, theirs) in [("hashbrown, foldhash", brown), ("rte_hash", dpdk)] {
            for ((deed, ours), theirs) in DEEDS.iter().zip(&ours).zip(theirs) {
                if theirs.is_empty() {
                    continue;
                }
                let row = Row::beside(&format!("{deed}, {name}"), peer, NS, ours.clone(), theirs);
                let counts = *deed == "hit" && flows == 1_000_000 && peer.starts_with("hashbrown");
                record.rows.push(if counts { row.asked(1.5, 3.0) } else { row });
            }
        }
    }
    Ok(record)
}

/// `rte_hash` in a program of its own, and the keys in a file.
struct Dpdk {
    program: PathBuf,
    keys: PathBuf,
    flows: usize,
    slots: usize,
    _pages: HugePages,
}

impl Dpdk {
    fn new(keys: &Keys, slots: usize) -> Result<Self> {
        let here = std::env::current_exe().map_err(system("find", "this program"))?;
        let program = here.with_file_name("palisade-rte-hash");
        if !program.exists() {
            let built = "scripts/bench builds it, or --no-dpdk leaves it out";
            return Err(Error::Usage(format!("no {}: {built}", program.display())));
        }
        let file = std::env::temp_dir().join(format!("palisade-keys-{}", std::process::id()));
        let all = keys.known.iter().chain(&keys.unknown).chain(&keys.asked);
        let bytes: Vec<u8> = all.flat_map(FlowKey::words).flat_map(u64::to_ne_bytes).collect();
        fs::write(&file, bytes).map_err(system("write", "the keys"))?;
        let _pages = HugePages::reserve(HUGE_PAGES)?;
        Ok(Self { program, keys: file, flows: keys.known.len(), slots, _pages })
    }

    fn round(&self) -> Result<[f64; 4]> {
        let mut command = Command::new(&self.program);
        command
            .args(["--in-memory", "--no-pci", "-m", "1280", "-l", "1", "--no-telemetry", "--"])
            .arg(&self.keys)
            .args([self.flows, self.flows.min(ASKED), ASKED, self.slots].map(|n| n.to_string()))
            .stdin(Stdio::null());
        let line = format!("{command:?}");
        let output =
            command.output().map_err(|source| Error::Start { command: line.clone(), source })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        match DEEDS.map(value) {
            [Some(insert), Some(hit), Some(miss), Some(expire)] => Ok([insert, hit, miss, expire]),
            _ if text.contains("differs") => Err(differ("flows", "rte_hash", text)),
            _ => {
                let message = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
                Err(Error::Command { command: line, message })
            }
        }
    }
}

impl Drop for Dpdk {
    fn drop(&mut self) {
        // What stays behind in a scratch folder harms nobody.
        let _ = fs::remove_file(&self.keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_find_what_was_put_in_and_nothing_else() {
        let keys = Keys::new(5000);
        let slots = 8192;
        let mut ours = Ours { table: FlowTable::new(slots, SECRET), buckets: slots / 8 };
        let mut brown = Brown(HashMap::with_hasher(RandomState::default()));
        for table in [&mut ours as &mut dyn Flows, &mut brown] {
            round(table, &keys).unwrap();
            round(table, &keys).unwrap();
        }
        // A table that is too small cannot keep all, and the round says so.
        let mut small = Ours { table: FlowTable::new(1024, SECRET), buckets: 128 };
        assert!(round(&mut small, &keys).is_err());
    }
}
