//! What one packet costs: nanoseconds on the core, in bursts of 64, beside a forwarder that judges nothing.
//!
//! `cargo bench -p palisade-filter --bench packet [-- FILTER]` prints one row for each kind of packet
//! whose name has FILTER in it: the median and the best of some rounds. Time is that of the thread (what
//! the kernel says it ran), so that a busy machine counts for less; still, compare rows of one run only.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/cases/frames.rs"]
#[allow(clippy::panic, reason = "a test module: what it is given is written here")]
#[allow(dead_code, reason = "the tests use the rest")]
mod frames;
mod policies;

use std::hint::black_box;
use std::sync::Arc;

use filter::{
    Action, Actions, BURST, DropRecord, Filter, FilterConfig, Full, Now, Records, Shared, Timeouts,
};
use lookup::{Ruleset, Side};

const ROUNDS: usize = 9;
const MILLION: u32 = 1 << 20;
/// Every flow is new again: longer than a silent UDP flow is remembered.
const ANEW_MS: u64 = 31_000;

/// Takes every record and keeps none.
struct Sink;

impl Records for Sink {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        black_box(record);
        Ok(())
    }
}

/// What one row measures.
struct Row {
    name: String,
    policy: String,
    /// A frame, and how many flows are made of it.
    template: Vec<u8>,
    count: u32,
    /// What the clock goes on by with each time over all flows.
    wait_ms: u64,
    records_per_s: u32,
    /// Nobody judges.
    empty: bool,
}

/// `count` frames of different flows in an order that no prefetcher guesses.
fn flows(template: &[u8], count: u32) -> Vec<Vec<u8>> {
    let v4 = template[12] == 8;
    let frame = |n: u32| {
        // An odd factor permutes the numbers below a power of two.
        let n = n.wrapping_mul(0x9e37_79b1) % count.next_power_of_two();
        let mut frame = template.to_vec();
        let (host, port) = if v4 { (29, 34) } else { (37, 54) };
        frame[host] = (n >> 16) as u8 + 1;
        frame[port..port + 2].copy_from_slice(&(n as u16).to_be_bytes());
        if v4 {
            frames::fix_checksum(&mut frame);
        }
        frame
    };
    (0..count).map(frame).collect()
}

/// Nanoseconds that this thread has run (proc(5), `/proc/pid/schedstat`).
fn on_core_ns() -> u64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

/// A filter with its clock.
struct Trial {
    rules: Ruleset,
    filter: Filter,
    now: Now,
    actions: Actions,
}

impl Trial {
    fn new(row: &Row) -> Self {
        let shared = Arc::new(Shared::new(MILLION as usize, [7; 16]));
        let config = FilterConfig {
            flows: MILLION as usize,
            records_per_s: row.records_per_s,
            key: [5; 16],
            timeouts: Timeouts::default(),
        };
        Self {
            rules: policies::compile(&row.policy),
            filter: Filter::new(config, shared),
            now: Now { unix_ns: 1_700_000_000_000_000_000, mono_ms: 1_000_000 },
            actions: Actions::new(),
        }
    }

    /// Nanoseconds a packet, over all frames once or more.
    fn round(&mut self, row: &Row, frames: &[&[u8]]) -> f64 {
        let times = (1_usize << if row.empty { 24 } else { 22 }).div_ceil(frames.len());
        let start_ns = on_core_ns();
        for _ in 0..times {
            self.now.mono_ms += row.wait_ms;
            for burst in frames.chunks(BURST) {
                if row.empty {
                    forward(burst, &mut self.actions);
                } else {
                    let Self { rules, filter, now, actions } = self;
                    filter.process(rules, *now, Side::Outside, burst, actions, &mut Sink);
                }
                black_box(&self.actions);
            }
        }
        (on_core_ns() - start_ns) as f64 / (times * frames.len()) as f64
    }
}

/// The empty forwarder: it looks at each frame, and lets it through.
#[inline(never)]
fn forward(burst: &[&[u8]], actions: &mut Actions) {
    actions.clear();
    for frame in burst {
        let known = black_box(!frame.is_empty());
        actions.push(if known { Action::Forward } else { Action::Drop });
    }
}

fn measure(row: &Row) {
    let mut trial = Trial::new(row);
    let all = flows(&row.template, row.count);
    let frames: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    trial.round(row, &frames);
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| trial.round(row, &frames)).collect();
    rounds.sort_by(f64::total_cmp);
    println!("{:32} {:8.1} {:8.1}", row.name, rounds[ROUNDS / 2], rounds[0]);
}

fn rows() -> Vec<Row> {
    let allowed = frames::udp("198.51.100.1:999", "10.2.0.1:53");
    let allowed6 = frames::udp("[2001:db8:de::1]:999", "[fd00:2::1]:53");
    let denied = frames::udp("203.0.113.1:999", "10.2.0.1:53");
    let denied6 = frames::udp("[2001:db8:c::1]:999", "[fd00:2::1]:53");
    // As the embedded table has it.
    let german = frames::udp("91.0.0.1:999", "10.2.0.1:53");
    let chinese = frames::udp("36.110.0.1:999", "10.2.0.1:53");
    let stray = frames::udp("203.0.113.1:999", "10.2.0.1:54");
    let (flood, all) = (1 << 16, u32::MAX);
    let lab = policies::lab();
    let mut rows = Vec::new();
    let mut add = |name: &str, policy: &str, frame: &[u8], (count, wait_ms, rate)| {
        rows.push(Row {
            name: name.to_owned(),
            policy: policy.to_owned(),
            template: frame.to_vec(),
            count,
            wait_ms,
            records_per_s: rate,
            empty: name == "empty",
        });
    };
    add("empty", &lab, &allowed, (64, 0, 0));
    add("hit/64", &lab, &allowed, (64, 0, 0));
    add("hit/64/v6", &lab, &allowed6, (64, 0, 0));
    add("hit/100k", &lab, &allowed, (100_000, 0, 0));
    add("hit/1M", &lab, &allowed, (MILLION, 0, 0));
    add("hit/1M/v6", &lab, &allowed6, (MILLION, 0, 0));
    add("new", &lab, &allowed, (MILLION, ANEW_MS, 0));
    add("new/v6", &lab, &allowed6, (MILLION, ANEW_MS, 0));
    add("new/64k", &lab, &allowed, (flood, ANEW_MS, 0));
    add("drop/suppressed", &lab, &denied, (flood, 0, 0));
    add("drop/suppressed/v6", &lab, &denied6, (flood, 0, 0));
    add("drop/recorded", &lab, &denied, (flood, 1000, all));
    add("drop/no service", &lab, &stray, (flood, 0, 0));
    for (countries, services, domains) in policies::SIZES {
        let policy = policies::flat(countries, services, domains);
        for (kind, frame, wait_ms) in [("new", &german, ANEW_MS), ("drop", &chinese, 0)] {
            let name = format!("flat/{kind}/{countries}c {services}s {domains}d");
            add(&name, &policy, frame, (flood, wait_ms, 0));
        }
    }
    rows
}

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("{:32} {:>8} {:>8}", "ns a packet", "median", "best");
    for row in rows() {
        if wanted.is_empty() || wanted.iter().any(|part| row.name.contains(part)) {
            measure(&row);
        }
    }
}
