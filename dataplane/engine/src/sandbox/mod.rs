//! What the process can no longer do once it is set up, so that whoever takes it over by a packet, a client
//! or a database can do little more than it does anyway.
//!
//! ```text
//!  close    before any thread starts: files (Landlock), no new privileges, capabilities, calls of main
//!  confine  each thread, first of all: fewer calls (seccomp), fewer capabilities
//!  settle   main, once the interfaces are served: the capabilities of the start go
//! ```
//! A thread inherits what the one that starts it may not. What is refused fails with an error and the
//! packets go on: an unforeseen call of a new libc must not end a gateway. What no gateway ever calls, and
//! whoever broke in would (`execve`, `ptrace`, `mount`, …), ends the process instead: its verdicts are
//! worth nothing then, and the fail mode is better. The calls of a worker
//! are looked up in the kernel's bitmap, not judged anew (`kernel/seccomp.c`, `seccomp_cache_check_allow`).

mod calls;
mod files;
mod lists;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::thread::{CapabilitySet, set_no_new_privs};
use seccompiler::{BpfProgram, apply_filter};
use serde::{Deserialize, Serialize};

pub(crate) use self::files::Files;
use crate::{Error, config::SandboxMode, privilege, say};

/// What a thread is for: each may do less than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sets up, and opens interfaces that come back.
    Main,
    /// Serves the control socket.
    Control,
    /// Logs, waits for signals, turns valves.
    Beside,
    /// Moves packets.
    Worker,
}

/// What is in force of the sandbox, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxStatus {
    /// `enforce`, `log` or `off`.
    pub mode: String,
    /// Capabilities of the main thread; the control thread has at most CAP_CHOWN, all others none.
    pub capabilities: Vec<String>,
    /// What the process could still gain, if anything.
    pub bounding: Vec<String>,
    /// No program that it starts could gain privileges.
    pub no_new_privs: bool,
    /// Whether system calls are `refused`, `logged` or `free`.
    pub calls: String,
    /// How much of Landlock's rules the kernel enforces: `full`, `partial` or `none`.
    pub files: String,
}

/// The sandbox of a gateway, shared by its threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sandbox(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    mode: SandboxMode,
    status: Mutex<SandboxStatus>,
    /// For all threads: what ends the process, and what is said not to exist.
    never: Vec<BpfProgram>,
    main: BpfProgram,
    beside: BpfProgram,
    worker: BpfProgram,
}

impl Sandbox {
    /// Makes the lists of calls.
    ///
    /// # Errors
    /// [`Error::Sandbox`] on a processor that the lists do not know.
    pub(crate) fn new(mode: SandboxMode) -> Result<Self, Error> {
        if mode == SandboxMode::Off {
            return Ok(Self(Arc::new(Inner { mode, ..Inner::default() })));
        }
        let never = if mode == SandboxMode::Enforce { calls::never()? } else { Vec::new() };
        let [main, beside, worker] = [Kind::Main, Kind::Beside, Kind::Worker]
            .map(|kind| calls::program(kind, mode == SandboxMode::Log));
        let (main, beside, worker) = (main?, beside?, worker?);
        let status = Mutex::default();
        Ok(Self(Arc::new(Inner { mode, status, never, main, beside, worker })))
    }

    /// Closes the process, as far as setting up the interfaces still allows. Files that are open stay so.
    ///
    /// # Errors
    /// [`Error::Sandbox`] when the kernel cannot do what every kernel served can; Landlock may lack.
    pub(crate) fn close(&self, files: &Files) -> Result<(), Error> {
        let Inner { mode, never, main, .. } = &*self.0;
        let mut status = SandboxStatus { mode: mode.as_str().to_owned(), ..Default::default() };
        status.files = "none".to_owned();
        status.calls = "free".to_owned();
        if *mode != SandboxMode::Off {
            privilege::begin()?;
            set_no_new_privs(true).map_err(|errno| failed("gain no privileges", &errno))?;
            status.no_new_privs = true;
            if *mode == SandboxMode::Enforce {
                status.files = files.restrict()?.to_owned();
            }
            for program in never.iter().chain([main]) {
                apply_filter(program).map_err(|error| failed("refuse system calls", &error))?;
            }
            let refused = *mode == SandboxMode::Enforce;
            status.calls = if refused { "refused" } else { "logged" }.to_owned();
        }
        *self.0.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        Ok(())
    }

    /// Narrows the calling thread down to what it is for. One that cannot be ends the process, and the fail
    /// mode holds.
    pub(crate) fn confine(&self, kind: Kind) {
        if let Err(error) = self.narrow(kind) {
            say(&error);
            process::exit(1);
        }
    }

    fn narrow(&self, kind: Kind) -> Result<(), Error> {
        let Inner { mode, beside, worker, .. } = &*self.0;
        if *mode == SandboxMode::Off {
            return Ok(());
        }
        let (capabilities, program) = match kind {
            Kind::Main => return privilege::keep(privilege::MAIN),
            Kind::Control => (privilege::CONTROL, beside),
            Kind::Beside => (CapabilitySet::empty(), beside),
            Kind::Worker => (CapabilitySet::empty(), worker),
        };
        privilege::keep(capabilities)?;
        apply_filter(program).map_err(|error| failed("refuse system calls", &error))
    }

    /// Gives up what only the start needed, and notes what is left.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        self.narrow(Kind::Main)?;
        let [capabilities, bounding] = privilege::names()?;
        let mut status = self.0.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.capabilities, status.bounding) = (capabilities, bounding);
        Ok(())
    }

    /// What is in force.
    pub(crate) fn status(&self) -> SandboxStatus {
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SandboxStatus {
    /// What the operator should know of it.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.mode == "off" || self.mode == "log").then(|| {
            format!(
                "the sandbox is not in force ([sandbox] mode = \"{}\"): for debugging only",
                self.mode
            )
        })
    }
}

/// An [`Error::Sandbox`].
fn failed(operation: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::Sandbox { operation, detail: error.to_string() }
}

/// Folders in which databases usually lie (geoipupdate(1), Debian's geoip-database).
pub(crate) fn usual() -> [PathBuf; 3] {
    ["/usr/share/GeoIP", "/var/lib/GeoIP", "/usr/local/share/GeoIP"].map(PathBuf::from)
}
