//! The machine under a gateway: its cores, nodes, NICs, queues and interrupts.
//!
//! ```text
//!  Tree (/sys, /proc; a folder in tests) --> Topology: cores, with their node and their siblings
//!                                       `--> Nic: queues, each with its interrupt and where it runs
//! ```
//! It is here so that whatever chooses or checks cores and queues reads them once and in one way.
//! Reading costs some hundred small files, a few milliseconds; nothing is kept open.
#![forbid(unsafe_code)]

mod cores;
mod irq;
mod list;
mod nic;
mod tree;

pub use cores::{Core, Topology};
pub use irq::Irq;
pub use list::{listed, ranges};
pub use nic::{Nic, Queue};
pub use tree::Tree;
