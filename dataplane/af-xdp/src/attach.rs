//! Which XDP program an interface runs, and setting it by route netlink.
//!
//! The kernel compares and sets in one step: a program is replaced or removed only if it is the one
//! that was expected, and put where none was expected only if there is none.
//!
//! Sources: `net/core/dev.c` (`dev_xdp_attach`), `include/uapi/linux/if_link.h`.

use std::os::fd::{AsRawFd, BorrowedFd};

use aya::programs::{ProgramFd, ProgramInfo, loaded_programs};
use rustix::io::Errno;

use crate::Error;
use crate::interface::Interface;
use crate::netlink::{self, link};

/// The name that the kernel knows our program by.
pub(crate) const NAME: &str = "palisade_xdp";

const XDP_UPDATE_IF_NOEXIST: u32 = 1 << 0;
const XDP_REPLACE: u32 = 1 << 4;

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver.
    Native,
    /// Behind the driver.
    Generic,
    /// In the hardware.
    Offloaded,
}

impl Attached {
    /// The `XDP_FLAGS_*_MODE` of `linux/if_link.h`.
    pub(crate) fn flag(self) -> u32 {
        match self {
            Self::Generic => 1 << 1,
            Self::Native => 1 << 2,
            Self::Offloaded => 1 << 3,
        }
    }

    /// What `ip link set dev X` calls it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Generic => "xdpgeneric",
            Self::Native => "xdp",
            Self::Offloaded => "xdpoffload",
        }
    }
}

/// A program that an interface runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The program's id.
    pub id: u32,
    /// The program's name.
    pub name: String,
    /// Whether it is a Palisade program, by its name.
    pub ours: bool,
    /// How it is attached.
    pub attached: Attached,
}

/// What an interface runs, if anything.
///
/// # Errors
/// [`Error::Interface`] when the interface has gone.
pub fn attached(interface: &Interface) -> Result<Option<Attachment>, Error> {
    let link = netlink::by_index(interface.index)
        .map_err(|errno| Error::Interface { name: interface.name.clone(), source: errno.into() })?;
    let modes = [
        (link::XDP_DRV_ID, Attached::Native),
        (link::XDP_SKB_ID, Attached::Generic),
        (link::XDP_HW_ID, Attached::Offloaded),
    ];
    let found = modes.into_iter().find_map(|(kind, attached)| {
        let id = link.number(&[link::XDP, kind])?;
        (id != 0).then_some((id, attached))
    });
    Ok(found.map(|(id, attached)| {
        let name = info(id).map(|info| String::from_utf8_lossy(info.name()).into_owned());
        let ours = name.as_deref() == Some(NAME);
        Attachment { id, name: name.unwrap_or_else(|| "unknown".to_owned()), ours, attached }
    }))
}

fn info(id: u32) -> Option<ProgramInfo> {
    loaded_programs().flatten().find(|info| info.id() == id)
}

pub(crate) fn by_id(id: u32) -> Option<ProgramFd> {
    info(id)?.fd().ok()
}

/// Sets or removes the program of an interface. With `expected` it does so only if that one is
/// there, else only if none is.
pub(crate) fn set(
    interface: &Interface,
    program: Option<BorrowedFd<'_>>,
    attached: Attached,
    expected: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let condition = if expected.is_some() { XDP_REPLACE } else { XDP_UPDATE_IF_NOEXIST };
    let flags = attached.flag() | condition;
    let mut xdp = Vec::new();
    let program = program.map_or(-1, |fd| fd.as_raw_fd());
    netlink::put(&mut xdp, link::XDP_FD, &program.to_ne_bytes());
    netlink::put(&mut xdp, link::XDP_FLAGS, &flags.to_ne_bytes());
    if let Some(expected) = expected {
        netlink::put(&mut xdp, link::XDP_EXPECTED_FD, &expected.as_raw_fd().to_ne_bytes());
    }
    let mut attributes = Vec::new();
    netlink::put(&mut attributes, link::XDP | netlink::NESTED, &xdp);
    netlink::change(interface.index, 0, 0, &attributes)
}
