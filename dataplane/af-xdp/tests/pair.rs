//! The two sockets of a worker against a model at random, with a kernel that is slow, out of order and
//! sometimes wrong.
//!
//! Every operation there is: packets go out of either socket, chunks come back late, completions in any
//! order, descriptors that no kernel may hand over; wake-ups are asked for or not; a socket is closed
//! and another takes its place. After every step each frame is in exactly one place, and the sockets
//! count what the model counts. `PALISADE_MODEL_CASES` runs more than the few of every day.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use af_xdp_rs::{
    Counts, Faults, FreeList, KERNEL_HEADROOM_BYTES, Packet, RingSizes, Socket, Umem, UmemConfig,
    sim,
};
use arrayvec::ArrayVec;
use proptest::collection::vec;
use proptest::prelude::*;

const FRAME: u64 = 2048;

#[derive(Clone, Copy, Debug)]
enum Step {
    Refill,
    Inject(u8),
    Hold,
    Late,
    Receive,
    Send(u8),
    Discard(u8),
    Commit,
    Drain,
    Take,
    Complete(u8),
    Reclaim,
    Ask(bool, bool),
    Forge(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        4 => Just(Step::Refill),
        4 => (1..12u8).prop_map(Step::Inject),
        1 => Just(Step::Hold),
        1 => Just(Step::Late),
        4 => Just(Step::Receive),
        4 => (1..12u8).prop_map(Step::Send),
        1 => (1..4u8).prop_map(Step::Discard),
        4 => Just(Step::Commit),
        2 => Just(Step::Drain),
        2 => Just(Step::Take),
        2 => any::<u8>().prop_map(Step::Complete),
        4 => Just(Step::Reclaim),
        1 => any::<(bool, bool)>().prop_map(|(fill, tx)| Step::Ask(fill, tx)),
        1 => any::<u8>().prop_map(Step::Forge),
        1 => Just(Step::Reopen),
    ];
    (0..2usize, step)
}

/// One socket, its kernel, and what each of its places must hold.
struct End {
    socket: Socket,
    kernel: sim::Kernel,
    fill: usize,
    held: Vec<u64>,
    rx: usize,
    staged: usize,
    tx: usize,
    taken: Vec<u64>,
    completion: usize,
    asks: (bool, bool),
    faults: Faults,
}

impl End {
    fn new(umem: &Umem, sizes: &RingSizes, start: u32) -> Self {
        let (socket, kernel) = Socket::simulated_at(umem, sizes, start).unwrap();
        let (held, taken) = (Vec::new(), Vec::new());
        let (asks, faults) = ((false, false), Faults::default());
        Self {
            socket,
            kernel,
            fill: 0,
            held,
            rx: 0,
            staged: 0,
            tx: 0,
            taken,
            completion: 0,
            asks,
            faults,
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            fill: (self.fill + self.held.len()) as u64,
            rx: self.rx as u64,
            tx: (self.staged + self.tx + self.taken.len()) as u64,
            completion: self.completion as u64,
        }
    }
}

struct Run {
    umem: Umem,
    sizes: RingSizes,
    free: FreeList,
    burst: ArrayVec<Packet, 16>,
    ends: [End; 2],
}

impl Run {
    fn new(frames: u32, sizes: RingSizes, start: u32) -> Self {
        let (umem, free) = Umem::new(&UmemConfig { frames, ..UmemConfig::default() }).unwrap();
        let ends = [0, 1].map(|_| End::new(&umem, &sizes, start));
        Self { umem, sizes, free, burst: ArrayVec::new(), ends }
    }

    fn step(&mut self, side: usize, step: Step) {
        let Self { umem, sizes, free, burst, ends } = self;
        let end = &mut ends[side];
        match step {
            Step::Refill => {
                let before = end.kernel.wakeups().0;
                let moved = free.len().min(sizes.fill as usize - end.fill);
                assert_eq!(end.socket.refill(free), moved);
                end.fill += moved;
                assert_eq!(end.kernel.wakeups().0 - before, u64::from(end.asks.0));
            }
            Step::Inject(count) => {
                let room = sizes.rx as usize - end.rx;
                let moved = usize::from(count).min(room).min(end.fill);
                let packets = (0..count).map(|_| [side as u8; 60]);
                let packets: Vec<_> = packets.collect();
                assert_eq!(end.kernel.inject_all(packets.iter().map(|one| &one[..])), moved);
                (end.fill, end.rx) = (end.fill - moved, end.rx + moved);
            }
            Step::Hold => {
                let held = end.kernel.hold();
                assert_eq!(held.is_some(), end.fill > 0);
                end.fill -= usize::from(held.is_some());
                end.held.extend(held);
            }
            Step::Late => {
                if end.rx < sizes.rx as usize
                    && let Some(address) = end.held.pop()
                {
                    let content = address + u64::from(KERNEL_HEADROOM_BYTES);
                    assert!(end.kernel.receive(content, 60));
                    end.rx += 1;
                }
            }
            Step::Receive => {
                let moved = end.rx.min(burst.remaining_capacity());
                assert_eq!(end.socket.receive(burst), moved);
                end.rx -= moved;
            }
            // To this side's socket, wherever it came from.
            Step::Send(count) => {
                for packet in burst.drain(..usize::from(count).min(burst.len())).collect::<Vec<_>>()
                {
                    let full = end.staged + end.tx == sizes.tx as usize;
                    match end.socket.send(packet) {
                        Ok(()) => end.staged += 1,
                        Err(packet) => {
                            assert!(full, "handed back with room");
                            free.push(packet.into_frame());
                        }
                    }
                }
            }
            Step::Discard(count) => {
                for packet in burst.drain(..usize::from(count).min(burst.len())) {
                    free.push(packet.into_frame());
                }
            }
            Step::Commit => {
                let before = end.kernel.wakeups().1;
                end.socket.commit();
                end.tx += std::mem::take(&mut end.staged);
                let woken = end.kernel.wakeups().1 > before;
                assert_eq!(woken, end.asks.1 && end.tx > 0);
            }
            Step::Drain => {
                let moved = end.tx.min(sizes.completion as usize - end.completion);
                assert_eq!(end.kernel.drain(|bytes| assert_eq!(bytes.len(), 60)), moved);
                (end.tx, end.completion) = (end.tx - moved, end.completion + moved);
            }
            Step::Take => {
                let taken = end.kernel.take();
                assert_eq!(taken.is_some(), end.tx > 0);
                end.tx -= usize::from(taken.is_some());
                end.taken.extend(taken);
            }
            Step::Complete(which) => {
                if !end.taken.is_empty() && end.completion < sizes.completion as usize {
                    let which = usize::from(which) % end.taken.len();
                    assert!(end.kernel.complete(end.taken.swap_remove(which)));
                    end.completion += 1;
                }
            }
            Step::Reclaim => {
                assert_eq!(end.socket.reclaim(free), end.completion);
                end.completion = 0;
            }
            Step::Ask(fill, tx) => {
                end.asks = (fill, tx);
                end.kernel.ask_wakeup(fill, tx);
            }
            Step::Forge(kind) => forge(end, kind, umem, free, burst),
            Step::Reopen => {
                let held = end.counts().total() as usize;
                let fresh = End::new(umem, sizes, kind_of_start(side));
                let old = std::mem::replace(end, fresh);
                assert_eq!(old.socket.close(free), held);
            }
        }
        self.check();
    }

    fn check(&self) {
        let mut all = (self.free.len() + self.burst.len()) as u64;
        for end in &self.ends {
            assert_eq!(end.socket.counts(), end.counts());
            assert_eq!(end.socket.faults(), end.faults);
            all += end.counts().total();
        }
        assert_eq!(all, u64::from(self.umem.config().frames));
    }

    /// Closes both sockets, and sees each frame once.
    fn close(self) {
        let Self { umem, mut free, burst, ends, .. } = self;
        for end in ends {
            let held = end.counts().total() as usize;
            assert_eq!(end.socket.close(&mut free), held);
        }
        burst.into_iter().for_each(|packet| free.push(packet.into_frame()));
        let mut indices: Vec<_> = std::iter::from_fn(|| free.pop()).map(|f| f.index()).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..umem.config().frames).collect::<Vec<_>>());
    }
}

/// Indices that wrap soon, and ones that do not.
fn kind_of_start(side: usize) -> u32 {
    [u32::MAX - 5, 7][side]
}

/// What no kernel may hand over becomes neither a packet nor a frame: tried where nothing else waits.
fn forge(
    end: &mut End,
    kind: u8,
    umem: &Umem,
    free: &mut FreeList,
    burst: &mut ArrayVec<Packet, 16>,
) {
    let frames = u64::from(umem.config().frames);
    // A frame of the program's own is in nobody else's hands; without one, any address beyond.
    let own = free.pop();
    let mine = own.as_ref().map_or(frames, |frame| u64::from(frame.index())) * FRAME;
    let (address, len) = [
        (frames * FRAME, 60),
        (u64::MAX - u64::from(kind), 60),
        (mine, 0),
        (mine, FRAME as u32 + 1),
        (mine + FRAME - 1, 2),
        (mine, 60),
    ][usize::from(kind % 6)];
    own.into_iter().for_each(|frame| free.push(frame));
    if end.rx == 0 && !burst.is_full() {
        assert!(end.kernel.receive(address, len));
        assert_eq!(end.socket.receive(burst), 0, "{address} {len}");
        end.faults.descriptors += 1;
    }
    if end.completion == 0 && matches!(kind % 6, 0 | 1 | 5) {
        assert!(end.kernel.complete(address));
        assert_eq!(end.socket.reclaim(free), 0, "{address}");
        end.faults.completions += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PALISADE_MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(512)
    ))]

    #[test]
    fn a_pair_is_its_model(
        frames in 1..48u32,
        bits in (0..5u32, 0..5u32, 0..5u32, 0..5u32),
        below in 0..40u32,
        steps in vec(step(), 0..400),
    ) {
        let (fill, rx, tx, completion) = (1 << bits.0, 1 << bits.1, 1 << bits.2, 1 << bits.3);
        let sizes = RingSizes { fill, rx, tx, completion };
        let mut run = Run::new(frames, sizes, 0u32.wrapping_sub(below));
        for &(side, step) in &steps {
            run.step(side, step);
        }
        run.close();
    }
}
