//! What must be undone when this process ends, be it by a drop, a panic or a signal.
//!
//! A duty is work to do at the end: deleting a namespace, removing a folder, giving huge pages back.
//! Its owner's drop does it; SIGINT, SIGTERM and SIGHUP do all that are left, the latest first. Only
//! SIGKILL leaves something, which the next lab sweeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{fmt, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Result;
use crate::error::system;

type Work = Box<dyn FnOnce() + Send>;

static LEFT: Mutex<Vec<(u64, Work)>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
static WATCHED: OnceLock<()> = OnceLock::new();

/// Work that is done when this is dropped, or when a signal ends the process.
pub(crate) struct Duty(u64);

impl Duty {
    /// Takes the work on.
    pub(crate) fn new(work: impl FnOnce() + Send + 'static) -> Result<Self> {
        watch_signals()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((number, Box::new(work)));
        Ok(Self(number))
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let place = left.iter().position(|(number, _)| *number == self.0);
        let work = place.map(|place| left.remove(place).1);
        drop(left);
        if let Some(work) = work {
            work();
        }
    }
}

impl fmt::Debug for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Duty").field(&self.0).finish()
    }
}

/// On a signal: does all duties, then exits with the status that a shell would show.
fn watch_signals() -> Result<()> {
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(system("watch", "signals"))?;
    let work = move || {
        if let Some(signal) = signals.forever().next() {
            let all = std::mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
            all.into_iter().rev().for_each(|(_, work)| work());
            std::process::exit(128 + signal);
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(work).map(drop).map_err(system("start thread", "signals"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_duty_is_done_once_also_in_a_panic() {
        let done = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&done);
        let result = thread::spawn(move || {
            let set = Arc::clone(&theirs);
            let _duty = Duty::new(move || assert!(!set.swap(true, Ordering::Relaxed))).unwrap();
            assert!(!theirs.load(Ordering::Relaxed), "not yet");
            panic!("on purpose");
        })
        .join();
        assert!(result.is_err());
        assert!(done.load(Ordering::Relaxed));
    }
}
