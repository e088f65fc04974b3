//! The kernel, what it lets this process do, and its settings for the whole machine.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::{Tree, capabilities, tools};

const NET: &str = "/proc/sys/net/core";

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// Such as `6.1.0-30-amd64`.
    pub release: String,
    /// Whether it has AF_XDP; unknown where this process may not ask.
    pub sockets: Option<bool>,
    /// Capabilities that a gateway needs and this process lacks.
    pub missing: Vec<&'static str>,
    /// Whether programs are compiled (`bpf_jit_enable`); always, where there is no such setting.
    pub jit: Option<u32>,
    /// Microseconds that `poll` spins before it sleeps (`busy_poll`).
    pub busy_poll_us: Option<u32>,
    /// The source of the time, such as `tsc`.
    pub clock: Option<String>,
    /// Commands that are not there, of those that read or change a NIC.
    pub tools_missing: Vec<&'static str>,
}

impl Kernel {
    pub(super) fn read(tree: &Tree) -> Self {
        let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        Self {
            release: tree.text("/proc/sys/kernel/osrelease").unwrap_or_default(),
            sockets: sockets(),
            missing: capabilities::missing().unwrap_or_default(),
            jit: tree.value(&format!("{NET}/bpf_jit_enable")),
            busy_poll_us: tree.value(&format!("{NET}/busy_poll")),
            clock: tree.text(clock),
            tools_missing: tools::missing(),
        }
    }

    /// Major and minor number.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut parts = self.release.split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

fn sockets() -> Option<bool> {
    match socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None) {
        Ok(_) => Some(true),
        Err(Errno::AFNOSUPPORT) => Some(false),
        Err(_) => None,
    }
}
