//! The bench of Palisade: a lab of network namespaces, offered load, and the peers to compare with.
//!
//! ```text
//!   clients                gateway                    servers
//!  .---------.        .-----------------.           .---------.
//!  |      c0 |--veth--| outside  inside |---veth----| s0      |
//!  '---------'        '-----------------'           '---------'
//!   generator,         palisade, or a peer           sink,
//!   real clients                                     real servers
//! ```
//!
//! [`lab`] lays the wires and runs the gateway, [`load`] offers frames and counts what arrives,
//! [`peers`] are what may stand in the gateway's place, and [`demo`], [`pktgen`] and [`floor`] put
//! them together. Everything needs root: it makes namespaces and loads BPF programs.
#![forbid(unsafe_code)]

pub mod agree;
pub mod compare;
pub mod day;
pub mod demo;
pub mod error;
pub mod floor;
pub mod lab;
pub mod load;
pub mod oracle;
pub mod peers;
pub mod pipeline;
pub mod pktgen;
pub mod poll;
pub mod record;
pub mod reliability;
pub mod reloads;
pub mod report;
pub mod soak;
pub mod sources;
pub mod tables;

pub use error::{Error, Result};
