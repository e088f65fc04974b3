//! Core time of a gateway, as the kernel counts it.

use std::fs;
use std::time::Instant;

use crate::error::system;
use crate::{Error, Result};

/// Core time so far, and when that was; or between two such moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    worker_ns: u64,
    process_ns: u64,
    at: Instant,
}

/// Parts of a core between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Of the worker.
    pub(super) worker: f64,
    /// Of all threads of the process.
    pub(super) process: f64,
}

impl Usage {
    /// Reads it; the worker is the one of a core.
    ///
    /// # Errors
    /// When the process is gone, or has no such worker.
    pub(super) fn read(pid: u32, core: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}/task");
        let name = format!("worker-{core}");
        let (mut worker_ns, mut process_ns) = (None, 0);
        for task in fs::read_dir(&folder).map_err(system("list", &folder))?.flatten() {
            // A thread may end meanwhile.
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let time = read("schedstat");
            let time_ns = time.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
            process_ns += time_ns;
            if read("comm").trim() == name {
                worker_ns = Some(time_ns);
            }
        }
        let worker_ns = worker_ns.ok_or_else(|| Error::Command {
            command: format!("look for {name} in {folder}"),
            message: "no such thread".to_owned(),
        })?;
        Ok(Self { worker_ns, process_ns, at: Instant::now() })
    }

    /// What was used since then.
    pub(super) fn since(self, before: Self) -> Share {
        let time_ns = self.at.saturating_duration_since(before.at).as_nanos().max(1) as f64;
        let part = |now: u64, then: u64| now.saturating_sub(then) as f64 / time_ns;
        Share {
            worker: part(self.worker_ns, before.worker_ns),
            process: part(self.process_ns, before.process_ns),
        }
    }
}
