//! Leaves nothing behind: namespaces go when their lab does, on a signal, or at the next start.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::command::run;
use crate::Result;
use crate::error::system;

/// What the names of all labs begin with; the process id follows.
pub(super) const PREFIX: &str = "palisade-";

static ALIVE: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHED: OnceLock<()> = OnceLock::new();

/// Remembers a namespace, for the signals.
pub(super) fn register(name: &str) {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
}

/// Ends what runs in a namespace, then deletes it. Errors have nobody left to tell.
pub(super) fn remove(name: &str) {
    kill_all(name);
    let _ = run(&format!("ip netns del {name}"));
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner).retain(|alive| alive != name);
}

/// Deletes the namespaces of labs whose process is gone.
pub(super) fn sweep() -> Result<()> {
    for line in run("ip netns list")?.lines() {
        let name = line.split_ascii_whitespace().next().unwrap_or_default();
        if owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(name);
        }
    }
    Ok(())
}

/// On SIGINT, SIGTERM or SIGHUP: removes this process's labs, then exits as a shell would say it.
pub(super) fn watch_signals() -> Result<()> {
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(system("watch", "signals"))?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let names = ALIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
                names.iter().for_each(|name| remove(name));
                std::process::exit(128 + signal);
            }
        })
        .map_err(system("start thread", "signals"))?;
    Ok(())
}

/// The process that made a namespace of ours; `None` for a name that is not ours.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

/// Kills the processes in a namespace: asks first, so that a gateway detaches, then insists.
fn kill_all(name: &str) {
    for signal in [Signal::TERM, Signal::KILL] {
        let pids = pids(name);
        if pids.is_empty() {
            return;
        }
        for pid in &pids {
            let _ = kill_process(*pid, signal);
        }
        for _ in 0..100 {
            if pids.iter().all(|pid| gone(*pid)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn pids(name: &str) -> Vec<Pid> {
    let listed = run(&format!("ip netns pids {name}")).unwrap_or_default();
    let all = listed.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?));
    all.filter(|pid| *pid != getpid()).collect()
}

/// Whether a process has ended; a zombie that its parent has yet to reap has.
fn gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn a_name_tells_its_owner() {
        let cases = [
            ("palisade-1234.0-clients", Some(1234)),
            ("palisade-7.12-gateway", Some(7)),
            ("palisade-x.0-clients", None),
            ("palisade-.0-clients", None),
            ("other-1234.0-clients", None),
            ("", None),
        ];
        for (name, pid) in cases {
            assert_eq!(owner(name), pid, "{name}");
        }
    }
}
