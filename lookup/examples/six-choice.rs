//! The measurement behind docs/decisions/0002-ipv6-table.md: candidates for the IPv6 table on real
//! networks, side by side.
//!
//! ```text
//! cargo run --release -p palisade-lookup --example six-choice [-- DATABASE.mmdb]
//! ```
//!
//! Keys are random addresses in random allocated ranges. They are asked for in slices,
//! and each slice counts with its fastest round, so that a busy machine disturbs the figures little.

use std::hint::black_box;
use std::time::Instant;

use lookup::{ClassId, Geo, GeoFiles, Ranges, Six};

const KEYS: usize = 1 << 16;
const BATCH: usize = 64;
const SLICE: usize = 1 << 10;
const ROUNDS: usize = 200;

/// Candidate: an index over the first 16 bits, then a binary search on the high halves, and one on
/// the low halves where a range begins below /64.
struct Search {
    index: Vec<u32>,
    high: Vec<u64>,
    low: Vec<u64>,
    classes: Vec<ClassId>,
}

impl Search {
    fn compile(ranges: &Ranges<u128, ClassId>) -> Self {
        let starts: Vec<u128> = ranges.iter().map(|(first, ..)| first).collect();
        let bucket = |top: u128| starts.partition_point(|start| start >> 112 < top) as u32;
        Self {
            index: (0..=1 << 16).map(bucket).collect(),
            high: starts.iter().map(|start| (start >> 64) as u64).collect(),
            low: starts.iter().map(|&start| start as u64).collect(),
            classes: ranges.iter().map(|(.., &class)| class).collect(),
        }
    }

    fn find(&self, address: u128) -> ClassId {
        let top = (address >> 112) as usize;
        let (from, to) = (self.index[top] as usize, self.index[top + 1] as usize);
        let key = (address >> 64) as u64;
        let mut at = from + after(&self.high[from..to], key);
        if at > 0 && self.high[at - 1] == key {
            let first = self.high[..at].partition_point(|&high| high < key);
            at = first + after(&self.low[first..at], address as u64);
        }
        self.classes[at.max(1) - 1]
    }
}

/// How many of the sorted starts are not beyond `key`, without branches that chance decides.
fn after(starts: &[u64], key: u64) -> usize {
    let (mut base, mut size) = (0, starts.len());
    while size > 1 {
        let half = size / 2;
        base += if starts[base + half - 1] <= key { half } else { 0 };
        size -= half;
    }
    base + usize::from(size == 1 && starts[base] <= key)
}

/// Candidate: a trie of 16 bits, then 8 at each level.
struct Trie {
    slots: Vec<u32>,
}

const NODE: u32 = 1 << 31;

impl Trie {
    fn compile(ranges: &Ranges<u128, ClassId>) -> Self {
        let mut trie = Self { slots: vec![0; 1 << 16] };
        for (first, last, class) in ranges.iter() {
            trie.fill(0, 16, 0, first, last, class.0);
        }
        trie
    }

    /// Writes a class into the slots of a node of `bits` at `depth` that the range touches.
    fn fill(&mut self, node: usize, bits: u32, depth: u32, first: u128, last: u128, class: u32) {
        let shift = 128 - depth - bits;
        let mask = (1 << bits) - 1;
        let (from, to) = ((first >> shift & mask) as usize, (last >> shift & mask) as usize);
        let inside = (1u128 << shift) - 1;
        for slot in from..=to {
            let head = slot == from && first & inside != 0;
            let tail = slot == to && last & inside != inside;
            if !head && !tail {
                self.slots[node + slot] = class;
                continue;
            }
            if self.slots[node + slot] & NODE == 0 {
                let child = self.slots.len();
                self.slots.resize(child + 256, self.slots[node + slot]);
                self.slots[node + slot] = NODE | child as u32;
            }
            let child = (self.slots[node + slot] & !NODE) as usize;
            let base = first & !inside & !(mask << shift) | (slot as u128) << shift;
            let (low, high) =
                (if head { first } else { base }, if tail { last } else { base | inside });
            self.fill(child, 8, depth + bits, low, high, class);
        }
    }

    fn find(&self, address: u128) -> ClassId {
        let mut slot = self.slots[(address >> 112) as usize];
        let mut rest = address << 16;
        while slot & NODE != 0 {
            slot = self.slots[(slot & !NODE) as usize + (rest >> 120) as usize];
            rest <<= 8;
        }
        ClassId(slot)
    }
}

/// Nanoseconds a key: of each slice of the keys the fastest round.
fn fastest(keys: &[u128], mut round: impl FnMut(&[u128])) -> f64 {
    let mut times = vec![f64::MAX; KEYS / SLICE];
    for _ in 0..ROUNDS {
        for (keys, time) in keys.chunks(SLICE).zip(&mut times) {
            let start = Instant::now();
            round(black_box(keys));
            *time = time.min(start.elapsed().as_nanos() as f64);
        }
    }
    times.iter().sum::<f64>() / keys.len() as f64
}

fn report(
    name: &str,
    bytes: usize,
    keys: &[u128],
    find: impl Fn(u128) -> ClassId,
    six: Option<&Six>,
) {
    let dependent = fastest(keys, |keys| {
        let step = |at: u128, &key: &u128| u128::from(black_box(find(key ^ at).0) >> 31);
        black_box(keys.iter().fold(0, step));
    });
    let independent = fastest(keys, |keys| {
        black_box(keys.iter().map(|&key| u64::from(find(key).0)).sum::<u64>());
    });
    let mut classes = [ClassId(0); BATCH];
    let batch = six.map(|six| {
        fastest(keys, |keys| {
            for keys in keys.chunks_exact(BATCH) {
                six.find_batch(keys, &mut classes);
                black_box(&classes);
            }
        })
    });
    let batch = batch.map_or("-".into(), |batch| format!("{batch:.1}"));
    println!(
        "{name:<22} {:>6.1} MB {dependent:>7.1} {independent:>7.1} {batch:>7}",
        bytes as f64 / 1e6
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = GeoFiles { country: std::env::args_os().nth(1).map(Into::into), asn: None };
    let geo = Geo::load(&files, &[])?;
    let ranges = geo.keys().v6.map(|id| ClassId(id.0));
    let allocated = 0x2000 << 112;
    let spans: Vec<_> = ranges.iter().filter(|it| it.0 >= allocated && it.2.0 != 0).collect();
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let key = |_| {
        let (first, last, _) = spans[random() as usize % spans.len()];
        first + (u128::from(random()) << 64 | u128::from(random())) % (last - first + 1)
    };
    let keys: Vec<u128> = (0..KEYS).map(key).collect();

    let six = Six::compile(&ranges)?;
    let search = Search::compile(&ranges);
    let trie = Trie::compile(&ranges);
    for &key in &keys {
        let classes = [six.find(key), search.find(key), trie.find(key)];
        assert_eq!(classes, [*ranges.find(key); 3], "{key:x}");
    }
    println!("{} ranges, {} allocated; {}", ranges.len(), spans.len(), geo.country_info().source);
    println!("{:<22} {:>9} {:>7} {:>7} {:>7} ns", "", "memory", "depend.", "indep.", "batch");
    report("Six", six.memory_bytes(), &keys, |key| six.find(key), Some(&six));
    let bytes = search.index.len() * 4 + search.high.len() * 20;
    report("index + search", bytes, &keys, |key| search.find(key), None);
    report("trie 16-8-8-...", trie.slots.len() * 4, &keys, |key| trie.find(key), None);
    Ok(())
}
