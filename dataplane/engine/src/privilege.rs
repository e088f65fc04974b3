//! The capabilities that a gateway needs, checked before anything is touched (capabilities(7)).

use rustix::thread::{CapabilitySet, capabilities};

use crate::Error;

/// What for: sockets and promiscuous mode, attaching a program and steering queues, loading it,
/// locking the UMEM.
const NEEDED: [(CapabilitySet, &str); 4] = [
    (CapabilitySet::NET_RAW, "CAP_NET_RAW"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::IPC_LOCK, "CAP_IPC_LOCK"),
];

/// # Errors
/// [`Error::Capabilities`] with the names of those that are missing.
pub(crate) fn check() -> Result<(), Error> {
    let held = capabilities(None)
        .map_err(|errno| Error::io("read", "the process's capabilities")(errno.into()))?
        .effective;
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(needed, _)| !held.contains(*needed))
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Capabilities { missing }) }
}
