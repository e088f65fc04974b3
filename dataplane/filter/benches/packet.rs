//! What one packet costs, in bursts of 64: the parsing floor, hits, new flows, drops.
//!
//! `cargo bench -p palisade-filter`; the figures are per packet, in time on the core, so that a busy
//! machine does not count.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench fails by panicking"
)]
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

#[path = "../tests/cases/frames.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod frames;
#[path = "../tests/cases/lab.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod lab;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use filter::{Actions, BURST, DropRecord, Full, Records};
use lab::Lab;
use lookup::Side::{self, Outside};

/// Takes every record and keeps none.
struct Sink;

impl Records for Sink {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        std::hint::black_box(record);
        Ok(())
    }
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

/// Time for `packets` packets of `frames`, over and over; `wait_ms` passes with each round.
fn run(lab: &mut Lab, side: Side, frames: &[Vec<u8>], packets: u64, wait_ms: u64) -> Duration {
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let mut actions = Actions::new();
    let start_ns = on_core_ns();
    let mut done = 0;
    for burst in frames.chunks(BURST).cycle() {
        if done >= packets {
            break;
        }
        if done % frames.len() as u64 == 0 {
            lab.now_ms += wait_ms;
        }
        let now = lab.now();
        lab.workers[0].process(&lab.rules, now, side, burst, &mut actions, &mut Sink);
        done += burst.len() as u64;
    }
    let spent = Duration::from_nanos(on_core_ns() - start_ns);
    spent.mul_f64(packets as f64 / done as f64)
}

fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("packet");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    group.warm_up_time(Duration::from_millis(300)).throughput(Throughput::Elements(1));
    let http = frames::udp("198.51.100.1:999", "10.2.0.1:53");
    let http6 = frames::udp("[2001:db8:de::1]:999", "[fd00:2::1]:53");
    let denied = frames::udp("203.0.113.1:999", "10.2.0.1:53");
    let stray = frames::udp("203.0.113.1:999", "10.2.0.1:54");
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    let million = 1 << 20;
    for (name, frames, wait_ms, rate) in [
        ("pass", vec![arp; 64], 0, 0),
        ("hit/64", flows(&http, 64), 0, 0),
        ("hit/64/v6", flows(&http6, 64), 0, 0),
        ("hit/1M", flows(&http, million), 0, 0),
        ("hit/1M/v6", flows(&http6, million), 0, 0),
        ("new", flows(&http, million), 31_000, 0),
        ("new/v6", flows(&http6, million), 31_000, 0),
        ("drop/suppressed", flows(&denied, 1 << 16), 0, 0),
        ("drop/recorded", flows(&denied, 1 << 16), 1000, u32::MAX),
        ("drop/no service", flows(&stray, 1 << 16), 0, 0),
    ] {
        let mut lab = Lab::with("policy", 1, 1 << 20, rate);
        run(&mut lab, Outside, &frames, frames.len() as u64, wait_ms);
        group.bench_function(name, |bench| {
            bench.iter_custom(|packets| run(&mut lab, Outside, &frames, packets, wait_ms));
        });
    }
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
