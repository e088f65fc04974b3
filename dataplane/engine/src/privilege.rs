//! The capabilities of a gateway (capabilities(7)), given up as soon as they have served. That they are there
//! is checked before (`machine::capabilities`).
//!
//! | who | keeps | because |
//! |---|---|---|
//! | the start | the five below, `SYS_ADMIN`, `CHOWN` | only `SYS_ADMIN` learns the name of a program that a killed gateway left (`kernel/bpf/syscall.c`, `bpf_prog_get_fd_by_id`) |
//! | the main thread | `NET_ADMIN`, `NET_RAW`, `BPF`, `PERFMON`, `IPC_LOCK` | an interface that comes back gets new sockets, a program (whose verifier asks for `PERFMON`, `kernel/bpf/verifier.c`) and a UMEM |
//! | the control thread | `CHOWN` | the socket's group, and the owner of a policy that is replaced |
//! | all others, workers too | none | a socket that is open needs none |
//!
//! The bounding and ambient sets are emptied, so that nothing is gained back.

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet as Set, CapabilitySets, capabilities, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    },
};

use crate::Error;

/// Of the main thread.
pub(crate) const MAIN: Set =
    Set::NET_RAW.union(Set::NET_ADMIN).union(Set::BPF).union(Set::PERFMON).union(Set::IPC_LOCK);
/// Of the control thread.
pub(crate) const CONTROL: Set = Set::CHOWN;
/// Of the start.
const START: Set = MAIN.union(CONTROL).union(Set::SYS_ADMIN);

/// Gives up what not even the start needs, and what could bring it back. For the calling thread, and all
/// that it starts.
///
/// # Errors
/// What the kernel refuses.
pub(crate) fn begin() -> Result<(), Error> {
    for one in bounding() {
        match remove_capability_from_bounding_set(one) {
            // Without CAP_SETPCAP the set stays as it was given: under a service that is small.
            Err(Errno::PERM) => break,
            result => result.map_err(refused)?,
        }
    }
    clear_ambient_capability_set().map_err(refused)?;
    keep(START)
}

/// Keeps at most these, for the calling thread and all that it starts.
///
/// # Errors
/// What the kernel refuses.
pub(crate) fn keep(most: Set) -> Result<(), Error> {
    let CapabilitySets { effective, permitted, .. } = held()?;
    let (effective, permitted) = (effective & most, permitted & most);
    let sets = CapabilitySets { effective, permitted, inheritable: Set::empty() };
    set_capabilities(None, sets).map_err(refused)
}

/// The names of what the calling thread has, and of what it could still get.
///
/// # Errors
/// When the kernel does not say.
pub(crate) fn names() -> Result<[Vec<String>; 2], Error> {
    let bounding = bounding().fold(Set::empty(), Set::union);
    let name = |(name, _): (&str, Set)| format!("CAP_{name}");
    Ok([held()?.permitted, bounding].map(|set| set.iter_names().map(name).collect()))
}

fn bounding() -> impl Iterator<Item = Set> {
    let all = (0..u64::BITS).map(|bit| Set::from_bits_retain(1 << bit));
    // The kernel says EINVAL of those that it does not know.
    all.filter(|one| capability_is_in_bounding_set(*one) == Ok(true))
}

fn held() -> Result<CapabilitySets, Error> {
    capabilities(None)
        .map_err(|errno| Error::io("read", "the process's capabilities")(errno.into()))
}

fn refused(errno: Errno) -> Error {
    Error::io("give up", "capabilities")(errno.into())
}
