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
//! It is for veths. A NIC gives pages back when it has sent them, after the run, and until then the pool of the
//! run stays, with one of the 65,533 numbers that the kernel has for all of them (`net/core/xdp.c`); a veth's peer
//! is done with most of them at once. All the same, there are no more than `RUNS_PER_MS` runs in a millisecond.
//! And of a veth it is known which ring a frame comes to: that of its queue from a socket, that of the CPU
//! from a program (`veth_select_rxq`). Frames keep their order where both are one, and only there is it done.
//! (Where the peer has GRO alone, a socket's come to the backlog of the CPU, which is empty when the call returns,
//! unless soft interrupts have more to do than they may at a time.)
//!
//! The program must be attached. Otherwise the kernel changes the code that dispatches XDP programs at each
//! run, and waits for RCU, which takes milliseconds (`bpf_dispatcher_change_prog`). A lane that takes
//! nothing is the sign: [`Program::open_lanes`](crate::Program::open_lanes).
//!
//! Sources: `net/bpf/test_run.c` (`bpf_prog_test_run_xdp`), `include/uapi/linux/bpf.h`, `drivers/net/veth.c`.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::io::Errno;
use rustix::thread::sched_getcpu;

use crate::interface::Interface;
use crate::lane::{BATCH, Lane, Outgoing};

/// Runs of this process in a millisecond: pools live for a second or two where a receiver keeps a page, and
/// then hold no more than a third of the kernel's numbers.
const RUNS_PER_MS: u64 = 12;

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
    /// Queues of the veth that the frames go to.
    queues: usize,
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

    /// For frames that go to this interface, if it is a veth.
    pub(crate) fn new(program: OwnedFd, lane: Lane, to: &Interface) -> Option<Self> {
        let template = vec![0; METADATA + Self::SHORTEST + lane.queue()];
        let queues = to.rx_queues as usize;
        (to.driver == "veth" && queues > 0).then_some(Self { program, lane, queues, template })
    }

    /// Bytes of the longest frame that it sends now; 0 when it sends none: the other interface takes none, or
    /// would put them into another ring than those of the socket.
    #[must_use]
    #[inline]
    pub fn longest(&self) -> usize {
        let takes = self.lane.takes();
        if takes.cpus == 0 || sched_getcpu() % self.queues != self.lane.queue() % self.queues {
            return 0;
        }
        (takes.frame_bytes as usize).min(size_of::<Outgoing>() - size_of::<u64>())
    }

    /// Sends at most [`Bulk::MOST`] frames, none shorter than [`Bulk::SHORTEST`] or longer than
    /// [`Bulk::longest`]; answers how many, from the first one on, and what kept the kernel from sending the
    /// others. None are sent where there were too many runs. A driver that has no room drops what it was given,
    /// as it does for each XDP redirect.
    pub fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a [u8]>,
    ) -> (usize, Result<(), Errno>) {
        let mut count = 0;
        for (frame, place) in frames.zip(self.lane.outgoing()) {
            write(frame, place);
            count += 1;
        }
        if count == 0 || !granted() {
            return (0, Ok(()));
        }
        self.lane.taken().store(0, Ordering::Release);
        let result = self.run(count);
        let taken = self.lane.taken().load(Ordering::Acquire);
        (taken.min(count.into()) as usize, result)
    }

    fn run(&self, count: u32) -> Result<(), Errno> {
        let bytes = self.template.len() as u32;
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex (0: loopback), queue, egress_ifindex.
        let context = [METADATA as u32, bytes, 0, 0, 0, 0];
        let mut run = Run {
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
        // which outlive the call, as far as their sizes say, writes results into `run` alone, and keeps none
        // of them.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_RUN, &raw mut run, size_of::<Run>()) };
        match result {
            0.. => Ok(()),
            _ => {
                Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
            }
        }
    }
}

/// Whether one more run may be now.
fn granted() -> bool {
    /// The millisecond, and in its lowest byte how many runs it had.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let now = (BEGIN.get_or_init(Instant::now).elapsed().as_millis() as u64) << 8;
    let one_more = |runs: u64| match runs.max(now) {
        runs if runs & 0xff < RUNS_PER_MS => Some(runs + 1),
        _ => None,
    };
    RUNS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
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
