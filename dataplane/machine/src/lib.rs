//! The machine under a gateway: what it is, what it should be, and the commands between the two.
//!
//! ```text
//!  Tree (/sys, /proc; a folder in tests) --> Topology: cores, with their node and their siblings
//!                                       `--> Nic: queues, each with its interrupt and where it runs
//!  both, and netlink --> Facts --judge--> findings --> changes --apply--> the machine, as it should be
//!                          Plan --'                      book of what was --undo--> and as it was
//! ```
//! It is here so that whatever chooses or checks cores, queues and settings reads them once and in one
//! way, and so that what keeps a gateway from starting is one rule for the gateway and for the doctor.
//! Reading costs some hundred small files, a few milliseconds; nothing is kept open.
#![forbid(unsafe_code)]

pub mod capabilities;
mod cores;
mod facts;
mod finding;
pub mod frame;
mod irq;
mod judge;
mod list;
mod mend;
mod nic;
mod place;
mod setting;
mod tools;
mod tree;

pub use cores::{Core, Topology};
pub use facts::{Facts, Kernel, Link, Memory, Plan, Policy, Pool, Program, Rss, serves};
pub use finding::{Finding, Grade, Way};
pub use irq::Irq;
pub use judge::{CHECKS, STRIPPING, judge};
pub use list::{listed, ranges};
pub use mend::{BOOK, Book, Entry, Error as MendError, Fate, Host, Machine, Mark, apply, undo};
pub use nic::{Nic, Queue};
pub use place::{Placement, place};
pub use setting::{Change, Setting};
pub use tree::Tree;
