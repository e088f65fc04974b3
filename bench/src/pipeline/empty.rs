//! A forwarder that decides nothing: what rings and frames cost, beneath any filter.

use af_xdp_rs::sim::Kernel;
use af_xdp_rs::{FreeList, Packet, Socket, SocketConfig, Umem, UmemConfig};
use arrayvec::ArrayVec;
use engine::Drill;

use crate::{Error, Result};

const BURST: usize = 64;

/// What is turned between two simulated kernels.
pub(super) trait Forwarder {
    /// One turn; how many packets it took.
    fn turn(&mut self) -> usize;
    /// The kernel's side of outside and inside.
    fn kernels(&mut self) -> &mut [Kernel; 2];
    /// What a logger does meanwhile.
    fn log(&mut self);
}

/// Outside to inside, unread.
pub(super) struct Empty {
    kernels: [Kernel; 2],
    sockets: [Socket; 2],
    free: FreeList,
    _umem: Umem,
}

impl Empty {
    pub(super) fn new(frames: u32) -> Result<Self> {
        let config = UmemConfig { frames, ..UmemConfig::default() };
        let (umem, free) = Umem::new(&config).map_err(|error| unfit(&error))?;
        let sizes = SocketConfig::for_frames(frames).rings;
        let (outside, outside_kernel) =
            Socket::simulated(&umem, &sizes).map_err(|error| unfit(&error))?;
        let (inside, inside_kernel) =
            Socket::simulated(&umem, &sizes).map_err(|error| unfit(&error))?;
        let kernels = [outside_kernel, inside_kernel];
        let mut empty = Self { kernels, sockets: [outside, inside], free, _umem: umem };
        empty.turn();
        Ok(empty)
    }

    fn pass(&mut self, from: usize) -> usize {
        let [outside, inside] = &mut self.sockets;
        let (from, to) = if from == 0 { (outside, inside) } else { (inside, outside) };
        let mut burst: ArrayVec<Packet, BURST> = ArrayVec::new();
        to.reclaim(&mut self.free);
        from.receive(&mut burst);
        let received = burst.len();
        for packet in burst {
            if let Err(packet) = to.send(packet) {
                self.free.push(packet.into_frame());
            }
        }
        to.commit();
        from.refill(&mut self.free);
        received
    }
}

impl Forwarder for Empty {
    fn turn(&mut self) -> usize {
        self.pass(0) + self.pass(1)
    }

    fn kernels(&mut self) -> &mut [Kernel; 2] {
        &mut self.kernels
    }

    fn log(&mut self) {}
}

impl Forwarder for Drill {
    fn turn(&mut self) -> usize {
        self.turn()
    }

    fn kernels(&mut self) -> &mut [Kernel; 2] {
        &mut self.kernels
    }

    fn log(&mut self) {
        self.housekeep();
        self.drain_records();
    }
}

fn unfit(error: &af_xdp_rs::Error) -> Error {
    Error::Usage(error.to_string())
}
