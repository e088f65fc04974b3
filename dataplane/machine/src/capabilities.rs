//! The capabilities that a gateway needs (capabilities(7)).

use std::io;

use rustix::thread::{CapabilitySet, capabilities};

/// What for: sockets and promiscuous mode, attaching a program and steering queues, loading it
/// and its pointer arithmetic past the verifier, locking the UMEM.
const NEEDED: [(CapabilitySet, &str); 5] = [
    (CapabilitySet::NET_RAW, "CAP_NET_RAW"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::IPC_LOCK, "CAP_IPC_LOCK"),
];

/// The names of those that this process lacks.
///
/// # Errors
/// When the kernel does not answer.
pub fn missing() -> io::Result<Vec<&'static str>> {
    let held = capabilities(None)?.effective;
    let lacking = NEEDED.iter().filter(|(needed, _)| !held.contains(*needed));
    Ok(lacking.map(|(_, name)| *name).collect())
}
