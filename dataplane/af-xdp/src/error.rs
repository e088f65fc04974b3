//! Setup errors: each names the operation, the object and the way out.
//!
//! Nothing here is met on a packet's path: there a full ring hands the packet back, and what the
//! kernel gets wrong is counted.

use std::io;

/// Why a UMEM, a socket or a program could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that the kernel would refuse.
    #[error("{what} is {given}: {wanted}")]
    Size {
        /// Which size.
        what: &'static str,
        /// What was asked for.
        given: u64,
        /// What is possible.
        wanted: &'static str,
    },
    /// The memory of the UMEM could not be had.
    #[error("cannot map {bytes} bytes for the UMEM: {source}; ask for fewer frames or free memory")]
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No such interface.
    #[error("interface {name} not found: {source}; `ip link` lists those of this namespace")]
    Interface {
        /// Its name as given.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The interface has too few queues.
    #[error(
        "{interface} has no queue {asked}: it uses {has}, counted from 0; \
         `ethtool -L {interface} combined N` adds some, or use fewer workers"
    )]
    Queue {
        /// The interface.
        interface: String,
        /// How many receive queues are in use.
        has: u32,
        /// The queue asked for, counted from 0.
        asked: u32,
    },
    /// A step of opening a socket failed.
    #[error("cannot {operation} for {interface} queue {queue}: {source}; {hint}")]
    Socket {
        /// The step.
        operation: &'static str,
        /// The interface.
        interface: String,
        /// The queue.
        queue: u32,
        /// The kernel's answer.
        source: io::Error,
        /// The way out.
        hint: &'static str,
    },
    /// The interface or its state could not be asked for or changed.
    #[error("cannot {operation} {interface}: {source}; {hint}")]
    Link {
        /// The step.
        operation: &'static str,
        /// The interface.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
        /// The way out.
        hint: &'static str,
    },
    /// Another XDP program holds the interface.
    #[error(
        "{interface} already runs XDP program `{name}` (id {id}); \
             stop what attached it, or `ip link set dev {interface} {unset} off`"
    )]
    Foreign {
        /// The interface.
        interface: String,
        /// The program's name.
        name: String,
        /// The program's id.
        id: u32,
        /// The word of `ip link` that removes it: `xdpgeneric` or `xdpdrv`.
        unset: &'static str,
    },
    /// The XDP program could not be loaded.
    #[error(
        "cannot load the XDP program: {source}; \
             it needs root (or CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON) and Linux 6.1 or newer"
    )]
    Load {
        /// What the loader said.
        source: Box<aya::EbpfError>,
    },
    /// The loaded program could not be used.
    #[error("cannot {operation}: {detail}")]
    Program {
        /// The step.
        operation: &'static str,
        /// What the loader said.
        detail: String,
    },
    /// A run of live frames failed.
    #[error("cannot run live frames: {0}; it needs root and Linux 5.18 or newer")]
    Live(#[source] aya::programs::ProgramError),
}
