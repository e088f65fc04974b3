#![doc = include_str!("../README.md")]

// Sizes of mappings are reckoned without a check for overflow.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("af-xdp-rs needs a 64-bit target: a UMEM may have 64 GiB");

mod attach;
mod bind;
mod bulk;
mod config;
mod counts;
mod error;
mod ethtool;
mod frame;
mod generic;
mod interface;
mod lane;
pub mod live;
mod netlink;
mod nic;
mod options;
mod pages;
mod place;
mod program;
mod region;
mod ring;
pub mod sim;
mod socket;
mod umem;
mod wait;
mod wire;

pub use attach::{Attached, Attachment, attached};
pub use bulk::Bulk;
pub use config::{Granted, Mode, RingSizes, SocketConfig};
pub use counts::{Counts, Faults, Statistics};
pub use error::Error;
pub use frame::{Frame, FreeList, Packet};
pub use interface::Interface;
pub use lane::{LANE_ROWS, Lane, LanePlan, Line, Takes};
pub use nic::{Channels, Feature, Ring, Rings, XdpSupport};
pub use pages::LargePages;
pub use program::{AttachMode, FailMode, Program, Unserved};
pub use socket::Socket;
pub use umem::{HugePages, KERNEL_HEADROOM_BYTES, Umem, UmemConfig};
pub use wait::wait;
pub use wire::{Address, Wire};
