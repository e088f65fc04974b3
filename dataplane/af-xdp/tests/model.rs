//! A socket against a model at random: plain queues that know what each place must hold.
//!
//! After every step the socket's counts must be the model's, every packet must arrive with its
//! bytes and in order, and every frame must be in exactly one place. The ring indices start just
//! below 2^32, so they wrap within a few steps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;

use af_xdp_rs::{Counts, FreeList, Packet, RingSizes, Socket, Umem, UmemConfig, sim};
use arrayvec::ArrayVec;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Refill,
    Inject(u8),
    Hold,
    Receive,
    Send(u8),
    Discard(u8),
    Commit,
    Drain,
    Reclaim,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Refill),
        (0..20u8).prop_map(Step::Inject),
        Just(Step::Hold),
        Just(Step::Receive),
        (0..20u8).prop_map(Step::Send),
        (0..4u8).prop_map(Step::Discard),
        Just(Step::Commit),
        Just(Step::Drain),
        Just(Step::Reclaim),
    ]
}

fn sizes() -> impl Strategy<Value = RingSizes> {
    let size = || (0..5u32).prop_map(|bits| 1 << bits);
    (size(), size(), size(), size()).prop_map(|(fill, rx, tx, completion)| RingSizes {
        fill,
        rx,
        tx,
        completion,
    })
}

/// What each place must hold; packets by their number.
#[derive(Default)]
struct Model {
    free: usize,
    fill: usize,
    held: u64,
    rx: VecDeque<u32>,
    burst: VecDeque<u32>,
    staged: VecDeque<u32>,
    tx: VecDeque<u32>,
    completion: usize,
}

impl Model {
    fn counts(&self) -> Counts {
        Counts {
            fill: self.fill as u64 + self.held,
            rx: self.rx.len() as u64,
            tx: (self.staged.len() + self.tx.len()) as u64,
            completion: self.completion as u64,
        }
    }
}

struct Run {
    umem: Umem,
    socket: Socket,
    kernel: sim::Kernel,
    free: FreeList,
    burst: ArrayVec<Packet, 8>,
    sizes: RingSizes,
    next: u32,
    model: Model,
}

/// A packet whose every byte and whose length follow from its number.
fn content(number: u32) -> Vec<u8> {
    let mut bytes = vec![number as u8; 4 + (number as usize * 37) % 1500];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

impl Run {
    fn new(frames: u32, sizes: RingSizes, start: u32) -> Self {
        let (umem, free) = Umem::new(&UmemConfig { frames, ..UmemConfig::default() }).unwrap();
        let (socket, kernel) = Socket::simulated_at(&umem, &sizes, start).unwrap();
        let model = Model { free: frames as usize, ..Model::default() };
        Self { umem, socket, kernel, free, burst: ArrayVec::new(), sizes, next: 0, model }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Refill => self.refill(),
            Step::Inject(count) => self.inject(count.into()),
            Step::Hold => self.hold(),
            Step::Receive => self.receive(),
            Step::Send(count) => (0..count).for_each(|_| self.send()),
            Step::Discard(count) => (0..count).for_each(|_| self.discard()),
            Step::Commit => {
                self.socket.commit();
                self.model.tx.append(&mut self.model.staged);
            }
            Step::Drain => self.drain(),
            Step::Reclaim => {
                assert_eq!(self.socket.reclaim(&mut self.free), self.model.completion);
                self.model.free += std::mem::take(&mut self.model.completion);
            }
        }
        self.check();
    }

    fn refill(&mut self) {
        let moved = self.model.free.min(self.sizes.fill as usize - self.model.fill);
        assert_eq!(self.socket.refill(&mut self.free), moved);
        self.model.free -= moved;
        self.model.fill += moved;
    }

    fn inject(&mut self, count: usize) {
        let packets: Vec<_> = (0..count as u32).map(|i| content(self.next + i)).collect();
        let room = self.sizes.rx as usize - self.model.rx.len();
        let moved = count.min(room).min(self.model.fill);
        assert_eq!(self.kernel.inject_all(packets.iter().map(Vec::as_slice)), moved);
        self.model.fill -= moved;
        self.model.rx.extend(self.next..self.next + moved as u32);
        self.next += moved as u32;
    }

    fn hold(&mut self) {
        assert_eq!(self.kernel.hold().is_some(), self.model.fill > 0);
        if self.model.fill > 0 {
            self.model.fill -= 1;
            self.model.held += 1;
        }
    }

    fn receive(&mut self) {
        let moved = self.model.rx.len().min(self.burst.remaining_capacity());
        let before = self.burst.len();
        assert_eq!(self.socket.receive(&mut self.burst), moved);
        for packet in &self.burst[before..] {
            let number = self.model.rx.pop_front().unwrap();
            assert_eq!(self.umem.bytes(packet), content(number));
            self.model.burst.push_back(number);
        }
    }

    fn send(&mut self) {
        let full = self.model.staged.len() + self.model.tx.len() == self.sizes.tx as usize;
        let Some(packet) = self.burst.pop_at(0) else { return };
        match self.socket.send(packet) {
            Ok(()) => {
                assert!(!full);
                self.model.staged.push_back(self.model.burst.pop_front().unwrap());
            }
            Err(packet) => {
                assert!(full);
                self.burst.insert(0, packet);
            }
        }
    }

    fn discard(&mut self) {
        let Some(packet) = self.burst.pop_at(0) else { return };
        self.free.push(packet.into_frame());
        self.model.burst.pop_front();
        self.model.free += 1;
    }

    fn drain(&mut self) {
        let room = self.sizes.completion as usize - self.model.completion;
        let moved = self.model.tx.len().min(room);
        let expected: Vec<_> = self.model.tx.drain(..moved).map(content).collect();
        let mut sent = Vec::new();
        assert_eq!(self.kernel.drain(|bytes| sent.push(bytes.to_vec())), moved);
        assert_eq!(sent, expected);
        self.model.completion += moved;
    }

    fn check(&self) {
        let counts = self.socket.counts();
        assert_eq!(counts, self.model.counts());
        assert_eq!(self.free.len(), self.model.free);
        assert_eq!(self.burst.len(), self.model.burst.len());
        let all = self.free.len() + self.burst.len() + counts.total() as usize;
        assert_eq!(all, self.umem.config().frames as usize);
        assert_eq!(self.socket.faults(), af_xdp_rs::Faults::default());
    }

    /// Closes the socket, and sees each frame once.
    fn close(self) {
        let Self { umem, socket, mut free, burst, .. } = self;
        let held = socket.counts().total() as usize;
        assert_eq!(socket.close(&mut free), held);
        burst.into_iter().for_each(|packet| free.push(packet.into_frame()));
        let mut indices: Vec<_> = std::iter::from_fn(|| free.pop()).map(|f| f.index()).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..umem.config().frames).collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn a_socket_is_its_model(
        frames in 1..48u32,
        sizes in sizes(),
        below in 0..40u32,
        steps in vec(step(), 0..300),
    ) {
        let mut run = Run::new(frames, sizes, 0u32.wrapping_sub(below));
        for step in &steps {
            run.step(step);
        }
        run.close();
    }
}

#[test]
fn a_thousand_turns_pass_the_wrap_with_every_frame_in_use() {
    for frames in [8, 16, 64] {
        let sizes = RingSizes { fill: 8, rx: 8, tx: 8, completion: 8 };
        let mut run = Run::new(frames, sizes, u32::MAX - 100);
        let turn = [
            Step::Reclaim,
            Step::Refill,
            Step::Inject(20),
            Step::Receive,
            Step::Send(20),
            Step::Commit,
            Step::Drain,
        ];
        for _ in 0..1000 {
            turn.iter().for_each(|step| run.step(step));
        }
        assert_eq!(run.next, 8000, "eight packets a turn");
        run.close();
    }
}
