//! What a killed process left: its namespaces and folders, known by the process id in their names.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::command::run;
use crate::Result;

/// What the names of all namespaces and folders begin with; the process id follows.
const PREFIX: &str = "palisade-";

/// The name of one thing of this process.
pub(super) fn name(number: u32, role: &str) -> String {
    format!("{PREFIX}{}.{number}-{role}", std::process::id())
}

/// Ends what runs in a namespace, then deletes it. Errors have nobody left to tell.
pub(super) fn remove(name: &str) {
    kill_all(name);
    let _ = run(&format!("ip netns del {name}"));
}

/// Deletes the namespaces and folders of processes that are gone.
pub(super) fn sweep() -> Result<()> {
    for line in run("ip netns list")?.lines() {
        let name = line.split_ascii_whitespace().next().unwrap_or_default();
        if orphan(name) {
            remove(name);
        }
    }
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| orphan(&entry.file_name().to_string_lossy())) {
        let _ = fs::remove_dir_all(entry.path());
    }
    Ok(())
}

/// Whether a name is one of ours, and its process is gone.
fn orphan(name: &str) -> bool {
    owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// The process that made what has this name; `None` for a name that is not ours.
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
