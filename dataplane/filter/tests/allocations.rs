//! No packet allocates.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

#[path = "cases/frames.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod frames;
#[path = "cases/lab.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod lab;

use std::alloc::System;

use filter::{Actions, DropRecord, Full, Records};
use lookup::Side::{Inside, Outside};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use frames::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts records, and is full now and then.
struct Sink(u64);

impl Records for Sink {
    fn push(&mut self, _: DropRecord) -> Result<(), Full> {
        self.0 += 1;
        if self.0.is_multiple_of(5) { Err(Full) } else { Ok(()) }
    }
}

#[test]
fn no_packet_allocates() {
    let mut lab = lab::Lab::with("policy", 1, 256, 100);
    let mut frames = vec![vec![], vec![0; 60]];
    for port in 1..200 {
        let (de, fr) = (format!("198.51.100.1:{port}"), format!("192.0.2.1:{port}"));
        let six = format!("[2001:db8:de::1]:{port}");
        let datagram = udp_with(&de, "10.2.0.1:53", &[0; 200]);
        frames.push(tcp(&de, "10.2.0.1:80", "S"));
        frames.push(tcp(&fr, "10.2.0.1:5432", "S"));
        frames.push(udp(&fr, "10.2.0.1:7001"));
        frames.push(tcp(&six, "[fd00:2::1]:443", "A"));
        frames.push(error("198.51.100.1", "10.2.0.1", &udp("10.2.0.1:53", &de), 500));
        frames.extend(fragments(&datagram, port, &[104]));
    }
    let outside: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let opening: Vec<Vec<u8>> =
        (1..200).map(|port| tcp(&format!("10.3.0.5:{port}"), "192.0.2.9:443", "S")).collect();
    let inside: Vec<&[u8]> = opening.iter().map(Vec::as_slice).collect();
    let mut actions = Actions::new();
    let mut sink = Sink(0);

    let region = Region::new(ALLOCATOR);
    for _ in 0..20 {
        for (side, all) in [(Outside, &outside), (Inside, &inside)] {
            for burst in all.chunks(64) {
                let now = lab.now();
                let filter = &mut lab.workers[0];
                filter.process(&lab.rules, now, side, burst, &mut actions, &mut sink);
                filter.housekeep(now, &mut sink);
            }
        }
        lab.now_ms += 2_500;
    }
    lab.workers[0].finish(&mut sink);
    let change = region.change();

    let counters = lab.counters();
    assert!(counters.balanced());
    assert!(counters.forwarded > 0 && counters.shadowed > 0 && counters.records.lost > 0);
    assert_eq!((change.allocations, change.reallocations, change.deallocations), (0, 0, 0));
}
