//! Neighbours: which addresses were seen on the outside's own link.
//!
//! Neighbour discovery passes unjudged, because a link dies without it. From the outside its hop
//! limit of 255 proves that no router forwarded it. From the inside it proves nothing of the kind:
//! the next router forwards a forged solicitation to wherever it is addressed, with all that it
//! carries. So the inside may send it to an address of wider scope only if that address has sent
//! neighbour discovery itself; honest hosts answer such a packet, or were answered by one.
//!
//! ```text
//!  router X --- solicitation, hop limit 255 ---> learn X --> host
//!  router X <-- advertisement ------------------ know X? <-- host
//! ```
//!
//! A lost neighbour costs little: a host whose probe fails asks the link's groups again.

use lookup::Vlan;

use crate::stamps::{Stamp, Stamps};

/// Neighbours remembered, over all workers.
const NEIGHBOURS: usize = 1 << 12;
/// Hosts probe a neighbour that they have long not used.
const TIMEOUT_MS: u64 = 24 * 3_600_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Neighbours(Stamps);

impl Neighbours {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self(Stamps::new(NEIGHBOURS, key))
    }

    /// `address` has shown that it is on the outside's link.
    pub(crate) fn learn(&self, address: u128, vlan: Vlan, now_ms: u64) {
        let stamp = Stamp::new(now_ms + TIMEOUT_MS, 0);
        let print = self.print(address, vlan);
        if self.0.change(print, now_ms, |_| stamp).is_none() {
            self.0.put(print, now_ms, stamp);
        }
    }

    /// Whether `address` has shown that.
    pub(crate) fn know(&self, address: u128, vlan: Vlan, now_ms: u64) -> bool {
        self.0.find(self.print(address, vlan), now_ms).is_some()
    }

    fn print(&self, address: u128, vlan: Vlan) -> u64 {
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(&address.to_ne_bytes());
        bytes[16..].copy_from_slice(&vlan.0.to_ne_bytes());
        self.0.print(&bytes)
    }
}
