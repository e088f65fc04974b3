//! Cores: which there are, pinning a worker to one, and keeping everything else off the workers'.
//!
//! Read from sysfs, because lists made from the process's own affinity hide isolated cores
//! (`Documentation/admin-guide/cputopology.rst`).

use std::{ffi::CString, fs};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity, set_name};

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

/// How the threads of workers are named.
pub(crate) fn worker_name(core: usize) -> String {
    format!("worker-{core}")
}

/// Names the calling thread after the core that it works on.
pub(crate) fn name(core: usize) {
    // Names without a zero in them do not fail.
    if let Ok(name) = CString::new(worker_name(core)) {
        let _ = set_name(&name);
    }
}

/// Lets the calling thread, and those it starts, run on every online core but `workers`; where no
/// core is left the thread stays where it is and shares.
pub(crate) fn keep_off(workers: &[usize]) {
    if let Some(others) = others(workers) {
        // A refused affinity costs speed, not safety: the thread runs where it is.
        let _ = sched_setaffinity(None, &others);
    }
}

/// The same for all threads of this process that are no workers, after workers went elsewhere.
pub(crate) fn keep_all_off(workers: &[usize]) {
    let Some(others) = others(workers) else { return };
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let thread =
            task.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if let Some(thread) = thread.filter(|_| !name.starts_with("worker-")) {
            let _ = sched_setaffinity(Some(thread), &others);
        }
    }
}

/// All online cores but these; nothing when none is left.
fn others(workers: &[usize]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for core in online().ok()?.into_iter().filter(|core| !workers.contains(core)) {
        if core < CpuSet::MAX_CPU {
            set.set(core);
        }
    }
    (set.count() > 0).then_some(set)
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
