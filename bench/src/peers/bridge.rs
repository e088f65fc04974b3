//! The kernel's own bridge: forwards everything, filters nothing.

use crate::Result;
use crate::lab::{INSIDE, Lab, OUTSIDE};

/// A bridge over both interfaces; removed when dropped.
#[derive(Debug)]
pub struct Bridge<'lab> {
    lab: &'lab Lab,
}

impl<'lab> Bridge<'lab> {
    /// Bridges the two interfaces.
    ///
    /// # Errors
    /// When `ip` or `ethtool` refuses.
    pub fn start(lab: &'lab Lab) -> Result<Self> {
        let bridge = Self { lab };
        for line in [
            "ip link add palisade0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            "ip link set palisade0 up",
        ] {
            lab.gateway.run(line)?;
        }
        for interface in [OUTSIDE, INSIDE] {
            // Without GRO a veth has no NAPI, and takes no frames from the generator.
            lab.gateway.run(&format!("ethtool -K {interface} gro on"))?;
            lab.gateway.run(&format!("ip link set {interface} master palisade0"))?;
        }
        Ok(bridge)
    }
}

impl Drop for Bridge<'_> {
    fn drop(&mut self) {
        let _ = self.lab.gateway.run("ip link del palisade0");
    }
}
