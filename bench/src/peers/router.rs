//! The gateway's own kernel as a router, with the receive work of the outside interface on a core of
//! its own, as the other peers have one.
//!
//! Without this the sender's core would do the work: a veth's NAPI runs where its peer transmits.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::error::system;
use crate::lab::{INSIDE, Lab, Namespace, OUTSIDE, SERVER_MAC, mac_text, set};
use crate::{Error, Result};

/// A kernel that forwards between the two interfaces; it stops when dropped.
#[derive(Debug)]
pub struct Router<'lab> {
    lab: &'lab Lab,
}

impl<'lab> Router<'lab> {
    /// Routes everything for a server to the inside, and all else to the outside.
    ///
    /// # Errors
    /// When `ip` or `ethtool` refuses, or the kernel has no threaded NAPI.
    pub fn start(lab: &'lab Lab, core: u32, server: Ipv4Addr) -> Result<Self> {
        let router = Self { lab };
        thread_of(&lab.gateway, core)?;
        for line in [
            format!("ethtool -K {INSIDE} gro on"),
            format!("ip route replace default dev {OUTSIDE}"),
            format!("ip route replace {server}/32 dev {INSIDE}"),
            format!(
                "ip neigh replace {server} lladdr {} nud permanent dev {INSIDE}",
                mac_text(SERVER_MAC)
            ),
        ] {
            lab.gateway.run(&line)?;
        }
        for interface in ["all", OUTSIDE, INSIDE] {
            set(&lab.gateway, &format!("ipv4/conf/{interface}/rp_filter"), "0")?;
        }
        set(&lab.gateway, "ipv4/ip_forward", "1")?;
        Ok(router)
    }

    /// Packets that the kernel forwarded.
    ///
    /// # Errors
    /// When its counters cannot be read.
    pub fn forwarded(&self) -> Result<u64> {
        forwarded(&self.lab.gateway)
    }
}

impl Drop for Router<'_> {
    fn drop(&mut self) {
        let _ = set(&self.lab.gateway, "ipv4/ip_forward", "0");
        for address in ["default", "unicast"] {
            let _ = self.lab.gateway.run(&format!("ip route flush {address}"));
        }
        let _ = self.lab.gateway.run(&format!("ip neigh flush dev {INSIDE} nud permanent"));
    }
}

/// Gives the outside interface's NAPI a thread, on a core.
pub(super) fn thread_of(gateway: &Namespace, core: u32) -> Result<()> {
    gateway.run(&format!("ethtool -K {OUTSIDE} gro on"))?;
    let before = napi_threads();
    gateway.write_sys(&format!("/sys/class/net/{OUTSIDE}/threaded"), "1")?;
    let mut cores = CpuSet::new();
    cores.set(core as usize);
    let fresh: Vec<i32> = napi_threads().difference(&before).copied().collect();
    if fresh.is_empty() {
        let command = format!("echo 1 > /sys/class/net/{OUTSIDE}/threaded");
        return Err(Error::Command { command, message: "no NAPI thread appeared".to_owned() });
    }
    for thread in fresh {
        sched_setaffinity(Pid::from_raw(thread), &cores)
            .map_err(|errno| system("pin NAPI thread", &thread.to_string())(errno.into()))?;
    }
    Ok(())
}

/// The kernel's threads that serve an outside interface, of any namespace.
fn napi_threads() -> BTreeSet<i32> {
    let Ok(processes) = fs::read_dir("/proc") else { return BTreeSet::new() };
    let serves = |path: &Path| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        name.starts_with("napi/outside-")
    };
    let found = processes.flatten().filter(|process| serves(&process.path()));
    found.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
}

/// Packets forwarded, of `/proc/net/snmp` (RFC 1213, `ipForwDatagrams`).
fn forwarded(gateway: &Namespace) -> Result<u64> {
    const FILE: &str = "/proc/thread-self/net/snmp";
    let text = gateway.enter(|| fs::read_to_string(FILE).map_err(system("read", FILE)))?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let place = names.split(' ').position(|name| name == "ForwDatagrams");
    let value = place.and_then(|place| values.split(' ').nth(place)?.parse().ok());
    value.ok_or_else(|| Error::Command { command: format!("read {FILE}"), message: text.clone() })
}
