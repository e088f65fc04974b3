//! Offered load: a packet generator on the clients' side, a sink on the servers' side.
//!
//! ```text
//!  flows --> [BPF: rewrite a live frame, pace, mark] --> c0 ==> outside
//!                                                              gateway
//!  totals <-- [BPF: find the mark, count, drop] <-- s0 <== inside
//! ```
//!
//! The generator runs in the kernel as an XDP program over live frames, so that one core offers
//! several million packets a second; user space writes the table of flows and the order, and reads
//! the totals. Each frame carries 16 bytes of mark behind its UDP or TCP header: class and flow, sequence,
//! intended time. What has no mark passes the sink, so real clients and servers go on beside the load.

pub(crate) mod bpf;
mod delays;
mod flow;
mod generator;
mod plan;
mod random;
mod sink;
mod sizes;
mod sources;

pub use delays::Delays;
pub use flow::{Class, Flow, Kind, MAX_FLOWS, spread};
pub(crate) use generator::index;
pub use generator::{Fresh, Generator, Order, Sent};
pub use plan::Plan;
pub use random::Random;
pub use sink::{Count, Sink};
pub use sizes::Sizes;
pub use sources::{Origin, Share, Shares, Sources};
