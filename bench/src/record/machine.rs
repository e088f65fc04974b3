//! The machine under a measurement, as far as it decides about the figures.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Where a measurement ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name, family and model.
    pub cpu: String,
    /// Cores that the measurement may use.
    pub cores: usize,
    /// Ticks of the time stamp counter in a second, in millions; 0 when the kernel does not say.
    pub tsc_mhz: f64,
    /// The largest cache.
    pub cache: String,
    /// Main memory.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// What it runs in, when it is a virtual machine.
    pub hypervisor: Option<String>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = |name: &str| {
            let line =
                cpus.lines().find(|line| line.split(':').next().map(str::trim) == Some(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        };
        let or = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        let flags = cpu("flags").unwrap_or_default();
        Self {
            cpu: format!(
                "{}, family {} model {}",
                or(cpu("model name")),
                or(cpu("cpu family")),
                or(cpu("model"))
            ),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            tsc_mhz: tsc_mhz(&cpus),
            cache: or(cpu("cache size")),
            memory_mib: memory_mib(),
            kernel: one_line("/proc/sys/kernel/osrelease"),
            hypervisor: flags.split(' ').any(|flag| flag == "hypervisor").then(hypervisor),
        }
    }
}

/// What the kernel found at start. A guest's `bogomips` is twice the rate that its host told it,
/// and `cpu MHz` the same.
fn tsc_mhz(cpus: &str) -> f64 {
    let mips = cpus.lines().find_map(|line| line.strip_prefix("bogomips")?.split(':').nth(1));
    mips.and_then(|mips| mips.trim().parse::<f64>().ok()).map_or(0.0, |mips| mips / 2.0)
}

fn memory_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn hypervisor() -> String {
    let name = one_line("/sys/class/dmi/id/product_name");
    if name.is_empty() { "virtual machine".to_owned() } else { name }
}

fn one_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The commit of the tree in the working folder, with `+` when files were changed since.
pub(super) fn commit() -> String {
    let git = |args: &[&str]| {
        let output =
            Command::new("git").args(args).output().ok().filter(|out| out.status.success());
        output.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // Records of this very run are not a change of what was measured.
    let changed = git(&["status", "--porcelain", "-uno", "--", ".", ":!bench/record", ":!docs"]);
    if changed.is_some_and(|list| !list.is_empty()) { commit + "+" } else { commit }
}
