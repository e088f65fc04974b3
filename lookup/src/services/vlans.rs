//! The VLANs that a policy tells apart.
//!
//! A frame's VLAN is asked for on the path of every packet, because flows of two VLANs are two flows
//! even where their addresses are equal. So ids that no domain names become one: a policy without
//! VLANs has a single class, and its flows are what they were without this module. One load a packet.

use crate::Vlan;
use crate::policy::Domain;

/// The ids that some domain names, a bit for each (IEEE 802.1Q: 12 bits).
#[derive(Debug)]
pub(super) struct Vlans {
    named: [u64; 64],
    /// What all other ids become.
    pub(super) common: Vlan,
}

/// No frame may have this id, and no domain can name it.
const RESERVED: Vlan = Vlan(4095);

impl Vlans {
    pub(super) fn of(domains: &[Domain]) -> Self {
        let mut named = [0; 64];
        for id in domains.iter().flat_map(|domain| domain.vlans.iter().flatten()) {
            named[usize::from(id >> 6) & 63] |= 1 << (id & 63);
        }
        // Who names 0 means frames without a VLAN, and not those of any VLAN.
        let untagged = named[0] & 1 == 1;
        Self { named, common: if untagged { RESERVED } else { Vlan::NONE } }
    }

    /// The ids that some domain names, ascending.
    pub(super) fn ids(&self) -> impl Iterator<Item = u16> {
        (0..4096).filter(|id| self.named[usize::from(id >> 6)] >> (id & 63) & 1 == 1)
    }

    /// The VLAN to judge a frame in whose tag has this id; 0 without a tag.
    #[inline]
    pub(super) fn fold(&self, id: u16) -> Vlan {
        let id = id & 0x0fff;
        let named = self.named[usize::from(id >> 6)] >> (id & 63) & 1 == 1;
        if named { Vlan(id) } else { self.common }
    }
}
