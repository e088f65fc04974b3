//! The least that the kernel can do with a frame on these interfaces: an XDP program that redirects
//! it in the driver, unread. It filters nothing; it shows what is left for everybody else.

use aya::Ebpf;
use aya::maps::xdp::DevMap;
use aya::programs::{Xdp, XdpMode};

use super::router;
use crate::Result;
use crate::lab::{INSIDE, Lab, OUTSIDE};
use crate::load::bpf::{self, failed};
use crate::load::index;

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/redirect.bpf.o");

/// Forwards from outside to inside, until dropped.
#[derive(Debug)]
pub struct Redirect {
    _ebpf: Ebpf,
}

impl Redirect {
    /// Attaches the program, and gives the outside interface's NAPI a thread on a core.
    ///
    /// # Errors
    /// When the program cannot be loaded or attached.
    pub fn start(lab: &Lab, core: u32) -> Result<Self> {
        let mut ebpf = bpf::load(OBJECT, "redirect", "other", 1)?;
        // Inside the namespace: the map looks its interface up where the caller is.
        lab.gateway.enter(|| {
            let map = bpf::find(&mut ebpf, "other")?;
            let mut other: DevMap<_> = map.try_into().map_err(failed("use map", "other"))?;
            other.set(0, index(INSIDE)?, None, 0).map_err(failed("write map", "other"))?;
            let program: &mut Xdp = bpf::xdp(&mut ebpf, "redirect")?;
            program.attach(OUTSIDE, XdpMode::Driver).map_err(failed("attach", "redirect")).map(drop)
        })?;
        router::thread_of(&lab.gateway, core)?;
        Ok(Self { _ebpf: ebpf })
    }
}
