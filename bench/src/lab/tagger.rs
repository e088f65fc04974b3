//! VLANs in a lab whose kernel has no vlan device: BPF programs tag what a host sends and untag
//! what it receives.
//!
//! ```text
//!  socket -> stack -> tag_out (tag beside the frame) -> c0 (tag into the frame) ==> gateway
//!  socket <- stack <- tag_in                         <- c0 <====================== gateway
//! ```
//! The hosts of a lab have `tx-vlan-offload` off, so a frame has its tag in it when it reaches the
//! gateway. With the offload on, the tag travels beside it, as from a NIC that strips tags.

use aya::Ebpf;
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};

use super::Namespace;
use crate::Result;
use crate::load::bpf::{array, failed};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/tagger.bpf.o");

/// A VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `0x8100`, or `0x88a8` for the outer one of two.
    pub ethertype: u16,
    /// The VLAN; 0 for a priority tag.
    pub vlan: u16,
    /// The priority, 0 to 7.
    pub priority: u16,
}

impl Tag {
    /// An 802.1Q tag of this VLAN, without priority.
    #[must_use]
    pub fn vlan(vlan: u16) -> Self {
        Self { ethertype: 0x8100, vlan, priority: 0 }
    }

    /// An 802.1ad tag of this VLAN, to stand before another.
    #[must_use]
    pub fn outer(vlan: u16) -> Self {
        Self { ethertype: 0x88a8, vlan, priority: 0 }
    }
}

/// Programs on a host's interface; off when dropped.
#[derive(Debug)]
pub struct Tagger {
    _ebpf: Ebpf,
}

impl Tagger {
    /// Tags all that leaves the interface, up to three times, the innermost tag first, and untags
    /// what comes so tagged.
    ///
    /// # Errors
    /// When the programs cannot be loaded or attached.
    pub fn new(host: &Namespace, veth: &str, tags: &[Tag]) -> Result<Self> {
        let mut ebpf = Ebpf::load(OBJECT).map_err(failed("load", "tagger"))?;
        let mut table = array::<u32>(&mut ebpf, "tags")?;
        for (place, tag) in (0..).zip(tags) {
            let control = tag.priority << 13 | tag.vlan;
            let [ethertype, control] = [tag.ethertype, control].map(u16::to_ne_bytes);
            let word = [ethertype, control].concat().try_into().map(u32::from_ne_bytes);
            table.set(place, word.unwrap_or_default(), 0).map_err(failed("fill map", "tags"))?;
        }
        host.enter(|| {
            attach(&mut ebpf, "tag_out", veth, TcAttachType::Egress)?;
            attach(&mut ebpf, "tag_in", veth, TcAttachType::Ingress)
        })?;
        Ok(Self { _ebpf: ebpf })
    }
}

fn attach(ebpf: &mut Ebpf, name: &'static str, veth: &str, side: TcAttachType) -> Result<()> {
    let found = ebpf.program_mut(name).ok_or(ProgramError::NotLoaded);
    let program: &mut SchedClassifier =
        found.and_then(TryInto::try_into).map_err(failed("find", name))?;
    program.load().map_err(failed("load", name))?;
    program.attach(veth, side).map(drop).map_err(failed("attach", name))
}
