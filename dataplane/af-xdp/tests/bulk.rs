//! Many frames sent at once through the program, on real veth interfaces: what arrives is what was given.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use af_xdp_rs::{
    AttachMode, Bulk, FailMode, FreeList, Interface, LanePlan, Mode, Packet, Program, Socket,
    SocketConfig, Takes, Umem, UmemConfig,
};
use arrayvec::ArrayVec;
use lab::Lab;
use rustix::thread::{CpuSet, sched_setaffinity};

const FRAMES: u32 = 4096;
/// An EtherType that nothing else here uses (IEEE Std 802, local experimental).
const OURS: [u8; 2] = [0x88, 0xb5];

/// What arrives at the far end, until it is dropped.
struct FarEnd {
    frames: Receiver<Vec<u8>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FarEnd {
    fn start(lab: &Lab) -> Self {
        let (sender, frames) = channel();
        let (ready, started) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = lab.at("dst", move || {
            let link = Interface::find("e1").unwrap();
            let (umem, mut free) = umem();
            let mut program = Program::load(FailMode::Closed, link.rx_queues, None).unwrap();
            let mut sockets = [0, 1].map(|queue| {
                let config =
                    SocketConfig { mode: Mode::Copy, ..SocketConfig::for_frames(FRAMES / 2) };
                let mut socket = Socket::bind(&umem, &link, queue, &config).unwrap();
                socket.refill(&mut free);
                program.serve(queue, &socket).unwrap();
                socket
            });
            program.attach(&link, AttachMode::Native).unwrap();
            ready.send(()).unwrap();
            while !stopping.load(Ordering::Relaxed) {
                for socket in &mut sockets {
                    let mut burst: ArrayVec<Packet, 64> = ArrayVec::new();
                    socket.receive(&mut burst);
                    for packet in burst {
                        let bytes = umem.bytes(&packet).to_vec();
                        if bytes[12..14] == OURS {
                            sender.send(bytes).unwrap();
                        }
                        free.push(packet.into_frame());
                    }
                    socket.refill(&mut free);
                }
                thread::sleep(Duration::from_micros(100));
            }
            program.detach().unwrap();
        });
        started.recv().unwrap();
        Self { frames, stop, thread: Some(thread) }
    }

    /// The next frames, as many as there are without a pause.
    fn next(&self, at_most: usize) -> Vec<Vec<u8>> {
        let next = |_| self.frames.recv_timeout(Duration::from_secs(2)).ok();
        (0..at_most).map_while(next).collect()
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn umem() -> (Umem, FreeList) {
    Umem::new(&UmemConfig { frames: FRAMES, ..UmemConfig::default() }).unwrap()
}

/// A frame of so many bytes, unlike any other.
fn frame(number: usize, bytes: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..bytes).map(|at| (number * 7 + at * 13) as u8).collect();
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&OURS);
    frame
}

/// Sends these frames; what the far end gets is the first so many of them, and nothing else.
fn crosses(bulk: &mut Bulk, far: &FarEnd, frames: &[Vec<u8>], sent: usize) {
    let mut count = 0;
    // In this millisecond there may have been enough of them.
    for _ in 0..1000 {
        count = bulk.send(frames.iter().map(Vec::as_slice)).0;
        if count > 0 || frames.is_empty() {
            break;
        }
        thread::sleep(Duration::from_micros(100));
    }
    assert_eq!(count, sent);
    let arrived = far.next(sent);
    let wrong = arrived.iter().zip(frames).position(|(arrived, frame)| arrived != frame);
    assert_eq!((arrived.len(), wrong), (sent, None), "as they were given, in their order");
}

/// However often it is asked, there are no more than 12 runs in a millisecond.
fn limited(bulk: &mut Bulk, far: &FarEnd) {
    let (one, begin) = (frame(1, 60), Instant::now());
    let sent: usize = (0..500).map(|_| bulk.send([one.as_slice()].into_iter()).0).sum();
    let most = 12 * (begin.elapsed().as_millis() as usize + 2);
    assert!((1..=most).contains(&sent), "{sent} of {most} at most");
    assert_eq!(far.next(sent).len(), sent);
}

/// This thread to a CPU.
fn on(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("two CPUs");
}

#[test]
fn frames_arrive_as_they_were_given() {
    lab::run("frames_arrive_as_they_were_given", 2, |lab| {
        let [f0, f1] = ["f0", "f1"].map(|name| Interface::find(name).unwrap());
        let far = FarEnd::start(lab);
        let plan = LanePlan { to: f1.index, lanes: 2, leases: 8 };
        let mut program = Program::load(FailMode::Closed, f0.rx_queues, Some(plan)).unwrap();
        program.attach(&f0, AttachMode::Native).unwrap();
        assert!(program.bulk(2, &f1).unwrap().is_none(), "a queue without leases");
        let nic = Interface { driver: "ixgbe".to_owned(), ..f1.clone() };
        assert!(program.bulk(0, &nic).unwrap().is_none(), "not a veth");
        for queue in [0, 1] {
            let mut bulk = program.bulk(queue, &f1).unwrap().unwrap();
            program.open_lanes(|_| Takes::NOTHING);
            assert_eq!(bulk.longest(), 0);
            program.open_lanes(|one| if one == queue { Takes::of(&f1) } else { Takes::NOTHING });
            on(1 - queue as usize);
            assert_eq!(bulk.longest(), 0, "another ring than that of the socket");
            on(queue as usize);
            let longest = bulk.longest();
            assert_eq!(longest, 1518, "its MTU, the header and a tag");

            for count in [1, 2, Bulk::LEAST, Bulk::MOST] {
                for lengths in [[14, 60, longest], [longest, 61, 15], [60; 3], [1514; 3]] {
                    let frames: Vec<_> =
                        (0..count).map(|number| frame(number, lengths[number % 3])).collect();
                    crosses(&mut bulk, &far, &frames, count);
                }
            }
            let more: Vec<_> = (0..Bulk::MOST + 6).map(|number| frame(number, 80)).collect();
            crosses(&mut bulk, &far, &more, Bulk::MOST);
            crosses(&mut bulk, &far, &[], 0);
            assert!(far.frames.try_recv().is_err(), "nothing that nobody sent");
            limited(&mut bulk, &far);
        }
        assert!(program.detach().unwrap());
    });
}
