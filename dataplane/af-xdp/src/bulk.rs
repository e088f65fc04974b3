//! Many frames sent at once: through the program, which redirects them.
//!
//! ```text
//!  frames --copied--> outgoing[queue]        BPF_PROG_RUN, live frames: the program once for each
//!                          |                                    |
//!                          '----> palisade_xdp writes the next one into a page of the kernel's
//!                                       '--> across[0] --16 at a time--> ndo_xdp_xmit
//! ```
//! In copy mode a socket sends one packet after the other: an allocation, a copy and, as the kernel lets
//! soft interrupts run after each, on a veth also the receiver's NAPI poll, one packet long. A run costs some
//! 16 us, for the page pool that it makes, and a packet of it a quarter of what the socket's costs
//! (docs/decisions/0022). So it is for many: [`Bulk::LEAST`].
//!
//! The program must be attached in a driver. Otherwise the kernel changes the code that dispatches XDP programs
//! at each run, and waits for RCU, which takes milliseconds (`bpf_dispatcher_change_prog`). A lane that takes
//! nothing is the sign: [`Program::open_lanes`](crate::Program::open_lanes).
//!
//! Sources: `net/bpf/test_run.c` (`bpf_prog_test_run_xdp`), `include/uapi/linux/bpf.h`.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use crate::lane::{BATCH, Lane, Outgoing};

/// Bytes of metadata by which the program knows its frames.
const METADATA: usize = 4;
/// `BPF_PROG_RUN`, once `BPF_PROG_TEST_RUN`.
const PROG_RUN: libc::c_int = 10;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`.
const LIVE_FRAMES: u32 = 1 << 1;

/// See the module. One worker uses it: the one of its queue.
#[derive(Debug)]
pub struct Bulk {
    program: OwnedFd,
    lane: Lane,
    /// What the program is run with: metadata, and a frame whose length says the queue.
    template: Vec<u8>,
}

/// The part of `union bpf_attr` that belongs to `BPF_PROG_RUN`.
#[derive(Default)]
#[repr(C)]
struct Run {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

impl Bulk {
    /// Frames of one batch at most.
    pub const MOST: usize = BATCH;
    /// Fewer are sent as cheaply by a socket.
    pub const LEAST: usize = 16;
    /// Bytes of the shortest frame (`ETH_HLEN`): the kernel runs no program over less.
    pub const SHORTEST: usize = 14;

    pub(crate) fn new(program: OwnedFd, lane: Lane) -> Self {
        let template = vec![0; METADATA + Self::SHORTEST + lane.queue()];
        Self { program, lane, template }
    }

    /// Bytes of the longest frame that it sends now; 0 when it sends none, as the other interface takes none.
    #[must_use]
    #[inline]
    pub fn longest(&self) -> usize {
        let takes = self.lane.takes();
        // Where a driver takes no frame from some CPUs, it would have to be known on which one this runs.
        let bytes = if takes.cpus == u32::MAX { takes.frame_bytes } else { 0 };
        (bytes as usize).min(size_of::<Outgoing>() - size_of::<u64>())
    }

    /// Sends at most [`Bulk::MOST`] frames, none shorter than [`Bulk::SHORTEST`] or longer than [`Bulk::longest`];
    /// answers how many, from the first
    /// on, and what kept the kernel from the others. A driver that has no room drops what it was given, as it
    /// does for each XDP redirect.
    pub fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a [u8]>,
    ) -> (usize, Result<(), Errno>) {
        let mut count = 0;
        for (frame, place) in frames.zip(self.lane.outgoing()) {
            write(frame, place);
            count += 1;
        }
        if count == 0 {
            return (0, Ok(()));
        }
        self.lane.taken().store(0, Ordering::Release);
        let result = self.run(count);
        (self.lane.taken().load(Ordering::Acquire) as usize, result)
    }

    fn run(&self, count: u32) -> Result<(), Errno> {
        let bytes = self.template.len() as u32;
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex (0: loopback), queue, egress_ifindex.
        let context = [METADATA as u32, bytes, 0, 0, 0, 0];
        let run = Run {
            prog_fd: self.program.as_raw_fd().cast_unsigned(),
            data_size_in: bytes,
            data_in: self.template.as_ptr().addr() as u64,
            repeat: count,
            ctx_size_in: size_of_val(&context) as u32,
            ctx_in: context.as_ptr().addr() as u64,
            flags: LIVE_FRAMES,
            // One batch, so that no signal ends it between two.
            batch_size: count,
            ..Run::default()
        };
        // SAFETY: `run` has the layout and the size that are told; the kernel reads `template` and `context`,
        // which outlive the call, as far as their sizes say, writes `retval` and `duration` of `run` alone,
        // and keeps none of them.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_RUN, &raw const run, size_of::<Run>()) };
        match result {
            0.. => Ok(()),
            _ => {
                Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
            }
        }
    }
}

fn write(frame: &[u8], place: &Outgoing) {
    let [length, words @ ..] = place;
    let bytes = frame.len().min(words.len() * 8);
    length.store(bytes as u64, Ordering::Relaxed);
    for (word, bytes) in words.iter().zip(frame.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
    }
}
