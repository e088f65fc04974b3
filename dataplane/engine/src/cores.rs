//! Cores: which there are, pinning a worker to one, and keeping everything else off the workers'.
//!
//! Read from sysfs, because lists made from the process's own affinity hide isolated cores
//! (`Documentation/admin-guide/cputopology.rst`).

use std::fs;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Error;

const ONLINE: &str = "/sys/devices/system/cpu/online";

/// The cores that are online, in ascending order.
///
/// # Errors
/// When sysfs can't be read.
pub(crate) fn online() -> Result<Vec<usize>, Error> {
    let text = fs::read_to_string(ONLINE).map_err(|source| Error::Io {
        operation: "read",
        object: ONLINE.into(),
        source,
    })?;
    Ok(machine::listed(&text))
}

/// Pins the calling thread to `core`; `false` when the kernel refuses.
#[must_use]
pub(crate) fn pin(core: usize) -> bool {
    core < CpuSet::MAX_CPU && core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

/// Lets the calling thread, and those it starts, run on every online core but `workers`; where no
/// core is left the thread stays where it is and shares.
pub(crate) fn keep_off(workers: &[usize]) {
    let Ok(online) = online() else { return };
    let mut set = CpuSet::new();
    for core in online.into_iter().filter(|core| !workers.contains(core)) {
        if core < CpuSet::MAX_CPU {
            set.set(core);
        }
    }
    if set.count() > 0 {
        // A refused affinity costs speed, not safety: the thread runs where it is.
        let _ = sched_setaffinity(None, &set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core_and_a_thread_can_be_pinned_to_it() {
        let online = online().unwrap();
        let core = *online.last().unwrap();
        assert!(std::thread::spawn(move || pin(core)).join().unwrap());
        assert!(!pin(100_000));
    }
}
