//! Live frames: the kernel repeats one frame through an XDP program as if a NIC had received it.
//!
//! It is here for load generators: `BPF_PROG_TEST_RUN` with `BPF_F_TEST_XDP_LIVE_FRAMES` acts on
//! the program's answer, so a redirect reaches 5 to 17 million packets a second on one core, far
//! more than a socket can send. The program may rewrite each frame, and must rewrite the whole
//! header: pages are recycled with what the last user left in them. One call sets a page pool up
//! and tears it down, so a large `repeat` (2^22) keeps the rate steady. The interface a redirect
//! sends to must have NAPI on its peer (an XDP program or GRO).
//!
//! Source: `net/bpf/test_run.c`, `bpf_test_run_xdp_live`, Linux 5.18.

use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};

use crate::Error;

/// Where the program is told that the frames arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// Index of the interface; 0 lets the kernel choose its loopback interface.
    pub ifindex: u32,
    /// Receive queue; must be 0 when `ifindex` is.
    pub queue: u32,
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Mean time of one repetition in nanoseconds, as the kernel measured it.
    pub duration_ns: u64,
}

/// Runs `program` over `frame`, `repeat` times, in batches of `batch` frames (0: the kernel's 64).
///
/// The call returns when all repetitions are done; the calling thread does the work.
///
/// # Errors
/// [`Error::Live`] when the kernel refuses: no `CAP_NET_ADMIN` and `CAP_BPF`, a frame shorter than
/// an Ethernet header, or a batch above 256.
pub fn run(
    program: &Xdp,
    frame: &[u8],
    ingress: Ingress,
    repeat: u32,
    batch: u32,
) -> Result<Run, Error> {
    let context = context(ingress, frame.len());
    let options = TestRunOptions {
        data_in: Some(frame),
        ctx_in: Some(&context),
        repeat,
        attrs: TestRunAttrs::new().xdp_live_frames(batch),
        ..TestRunOptions::default()
    };
    let result = program.test_run(options).map_err(Error::Live)?;
    let duration_ns = u64::try_from(result.duration.as_nanos()).unwrap_or(u64::MAX);
    Ok(Run { duration_ns })
}

/// `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
pub(crate) fn context(ingress: Ingress, frame_bytes: usize) -> [u8; 24] {
    let end = u32::try_from(frame_bytes).unwrap_or(u32::MAX);
    let words = [0, end, 0, ingress.ifindex, ingress.queue, 0];
    let mut bytes = [0; 24];
    for (slot, word) in bytes.chunks_exact_mut(4).zip(words) {
        slot.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
