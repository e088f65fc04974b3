//! The filter over real compiled policies: packet in, action, reason and counters out.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod chains;
mod crowded;
mod driver;
mod egress;
mod exceptions;
mod floods;
mod flows;
mod fragments;
mod frames;
mod hostile;
mod icmp;
mod lab;
mod leases;
mod leasing;
mod noise;
mod packets;
mod reloads;
mod tallies;
mod timeouts;
mod transports;
mod vlans;
mod workers;
