//! Daemons that a gateway must know of, found by the names of processes.

use crate::Tree;

/// One that moves interrupts, and those that set the clock.
const KNOWN: [&str; 7] =
    ["irqbalance", "chronyd", "ntpd", "ntpsec", "openntpd", "systemd-timesyn", "phc2sys"];

/// Which of them run. A process's name is cut at 15 bytes (`TASK_COMM_LEN`).
pub(super) fn running(tree: &Tree) -> Vec<String> {
    let processes = tree.names("/proc").into_iter();
    let processes = processes.filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let names = processes.filter_map(|process| tree.text(&format!("/proc/{process}/comm")));
    let mut found: Vec<_> = names.filter(|name| KNOWN.contains(&name.as_str())).collect();
    found.sort_unstable();
    found.dedup();
    found
}
