#![doc = include_str!("../README.md")]

mod bind;
mod counts;
mod error;
mod frame;
mod interface;
pub mod live;
mod netlink;
mod options;
pub mod program;
mod region;
mod ring;
pub mod sim;
mod socket;
mod umem;

pub use bind::{Granted, Mode, RingSizes, SocketConfig};
pub use counts::{Counts, Faults, Statistics};
pub use error::Error;
pub use frame::{Frame, FreeList, Packet};
pub use interface::Interface;
pub use program::{AttachMode, Attached, FailMode, Program};
pub use socket::Socket;
pub use umem::{HugePages, KERNEL_HEADROOM_BYTES, Umem, UmemConfig};
