//! The worker's calls over a simulated kernel: a forwarder across two threads, wake-ups, and
//! kernels that break the rules.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use af_xdp_rs::{
    Counts, Error, Faults, FreeList, Granted, HugePages, KERNEL_HEADROOM_BYTES, Packet, RingSizes,
    Socket, SocketConfig, Umem, UmemConfig, sim,
};
use arrayvec::ArrayVec;

const SIZES: RingSizes = RingSizes { fill: 16, rx: 16, tx: 16, completion: 16 };

fn umem(frames: u32) -> (Umem, FreeList) {
    Umem::new(&UmemConfig { frames, ..UmemConfig::default() }).unwrap()
}

fn one() -> (Umem, FreeList, Socket, sim::Kernel) {
    let (umem, mut free) = umem(32);
    let (mut socket, kernel) = Socket::simulated_at(&umem, &SIZES, u32::MAX - 3).unwrap();
    assert_eq!(socket.refill(&mut free), 16);
    (umem, free, socket, kernel)
}

#[test]
fn two_sockets_forward_a_million_packets_between_threads() {
    const PACKETS: u64 = 1_000_000;
    let frames = 1024;
    let (umem, mut free) = umem(frames);
    let sizes = RingSizes::for_frames(frames);
    let (mut inner, mut sink) = Socket::simulated_at(&umem, &sizes, u32::MAX - 1000).unwrap();
    let (mut outer, mut source) = Socket::simulated_at(&umem, &sizes, u32::MAX - 77).unwrap();
    let (start, stop) = (Instant::now(), AtomicBool::new(false));
    let mut burst = ArrayVec::<Packet, 64>::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut sent, mut seen) = (0u64, 0u64);
            while seen < PACKETS {
                assert!(start.elapsed() < Duration::from_secs(30), "{sent} sent, {seen} seen");
                while sent < PACKETS && source.inject(&sent.to_be_bytes()) {
                    sent += 1;
                }
                sink.drain(|bytes| {
                    assert_eq!(bytes, seen.to_be_bytes(), "lost, doubled or out of order");
                    seen += 1;
                });
                thread::yield_now();
            }
            stop.store(true, Ordering::Release);
        });
        while !stop.load(Ordering::Acquire) && start.elapsed() < Duration::from_secs(30) {
            inner.reclaim(&mut free);
            outer.receive(&mut burst);
            // What a full ring hands back waits for the next turn.
            for packet in burst.take() {
                let packet = if burst.is_empty() { inner.send(packet) } else { Err(packet) };
                packet.unwrap_or_else(|packet| burst.push(packet));
            }
            inner.commit();
            outer.refill(&mut free);
            let held = outer.counts().total() + inner.counts().total();
            assert_eq!((free.len() + burst.len()) as u64 + held, u64::from(frames));
            thread::yield_now();
        }
    });
    assert_eq!((outer.faults(), inner.faults()), Default::default());
    outer.close(&mut free);
    inner.close(&mut free);
    assert_eq!(free.len(), frames as usize);
}

#[test]
fn a_full_tx_ring_hands_the_packet_back() {
    let (umem, mut free, mut socket, mut kernel) = one();
    for number in 0..16u8 {
        let packet = umem.write(free.pop().unwrap(), &[number; 60]).unwrap();
        socket.send(packet).unwrap();
        if number == 9 {
            socket.commit();
        }
    }
    assert!(free.is_empty());
    assert!(kernel.inject(&[99; 60]));
    let mut burst = ArrayVec::<Packet, 64>::new();
    assert_eq!(socket.receive(&mut burst), 1);
    let packet = socket.send(burst.pop().unwrap()).unwrap_err();
    assert_eq!(umem.bytes(&packet), [99; 60]);
    assert_eq!(kernel.drain(|_| ()), 10, "what is not committed is not seen");
    socket.send(packet).unwrap();
    socket.commit();
    let mut numbers = Vec::new();
    assert_eq!(kernel.drain(|bytes| numbers.push(bytes[0])), 6, "the completion ring is full");
    assert_eq!(socket.reclaim(&mut free), 16);
    assert_eq!(kernel.drain(|bytes| numbers.push(bytes[0])), 1);
    assert_eq!(numbers, [10, 11, 12, 13, 14, 15, 99]);
}

#[test]
fn the_kernel_is_woken_only_where_it_asks() {
    // (asks for fill, asks for TX, packets sent) -> (calls for fill, calls for TX)
    let cases = [
        ((false, false, 1), (0, 0)),
        ((true, false, 1), (1, 0)),
        ((false, true, 1), (0, 1)),
        ((false, true, 0), (0, 0)),
        ((true, true, 3), (1, 1)),
    ];
    for ((fill, tx, packets), expected) in cases {
        let (umem, mut free, mut socket, mut kernel) = one();
        kernel.ask_wakeup(fill, tx);
        for _ in 0..packets {
            socket.send(umem.write(free.pop().unwrap(), b"x").unwrap()).unwrap();
        }
        socket.commit();
        socket.refill(&mut free);
        assert_eq!(kernel.wakeups(), expected, "asks {fill} {tx}, sends {packets}");
    }
}

#[test]
fn what_the_kernel_left_in_tx_is_pushed_again() {
    let (umem, mut free, mut socket, mut kernel) = one();
    kernel.ask_wakeup(false, true);
    socket.send(umem.write(free.pop().unwrap(), b"x").unwrap()).unwrap();
    for calls in 1..4 {
        socket.commit();
        assert_eq!(kernel.wakeups(), (0, calls));
    }
    kernel.drain(|_| ());
    socket.commit();
    assert_eq!(kernel.wakeups(), (0, 3));
}

#[test]
fn descriptors_that_no_kernel_may_hand_over_become_no_packet() {
    let frame = 2048u64;
    let cases: &[(&str, u64, u32)] = &[
        ("beyond the UMEM", 32 * frame, 60),
        ("far beyond", u64::MAX, 60),
        ("beyond what 32 bits hold", frame << 32, 60),
        ("empty", 0, 0),
        ("longer than a chunk", 0, 2049),
        ("over the chunk's end", 2000, 49),
        ("of absurd length", 256, u32::MAX),
        ("a chunk that the program holds", 20 * frame + 256, 60),
    ];
    for &(name, address, len) in cases {
        let (_umem, free, mut socket, kernel) = one();
        let mut liar = kernel.corrupt();
        assert!(liar.receive(address, len));
        assert_eq!(socket.counts().total(), 16, "{name}");
        let mut burst = ArrayVec::<Packet, 64>::new();
        assert_eq!(socket.receive(&mut burst), 0, "{name}");
        assert_eq!(socket.faults(), Faults { descriptors: 1, ..Faults::default() }, "{name}");
        assert_eq!(socket.counts(), Counts { fill: 16, ..Counts::default() }, "{name}");
        assert_eq!(free.len(), 16);
    }
}

#[test]
fn the_edges_of_a_chunk_are_a_packet() {
    for (address, len) in [(0, 1), (0, 2048), (2047, 1), (1000, 1048), (15 * 2048 + 256, 60)] {
        let (umem, _free, mut socket, kernel) = one();
        assert!(kernel.corrupt().receive(address, len));
        let mut burst = ArrayVec::<Packet, 64>::new();
        assert_eq!(socket.receive(&mut burst), 1, "{address} {len}");
        assert_eq!(umem.bytes(&burst[0]).len(), len as usize);
        assert_eq!(socket.faults(), Faults::default());
    }
}

#[test]
fn a_chunk_handed_over_twice_is_one_packet() {
    let (_umem, mut free, mut socket, kernel) = one();
    let mut liar = kernel.corrupt();
    assert!(liar.receive(256, 60) && liar.receive(300, 60) && liar.complete(256));
    let mut burst = ArrayVec::<Packet, 64>::new();
    assert_eq!(socket.receive(&mut burst), 1);
    assert_eq!(socket.reclaim(&mut free), 0);
    assert_eq!(socket.faults(), Faults { descriptors: 1, completions: 1, indices: 0 });
    assert_eq!(socket.counts(), Counts { fill: 15, ..Counts::default() });
}

#[test]
fn completions_of_what_was_not_sent_take_no_frame_home() {
    for address in [0, 20 * 2048, 32 * 2048, u64::MAX] {
        let (_umem, mut free, mut socket, kernel) = one();
        assert!(kernel.corrupt().complete(address));
        assert_eq!(socket.reclaim(&mut free), 0);
        assert_eq!(socket.faults(), Faults { completions: 1, ..Faults::default() });
        assert_eq!(free.len(), 16);
    }
}

#[test]
fn absurd_indices_are_counted_and_yield_nothing() {
    for by in [17, 1000, u32::MAX, 1 << 31] {
        let (_umem, mut free, mut socket, kernel) = one();
        kernel.corrupt().overrun(by);
        let mut burst = ArrayVec::<Packet, 64>::new();
        assert_eq!(socket.receive(&mut burst), 0, "{by}");
        assert_eq!(socket.reclaim(&mut free), 0, "{by}");
        assert_eq!(socket.faults(), Faults { indices: 2, ..Faults::default() }, "{by}");
        assert_eq!(socket.counts(), Counts { fill: 16, ..Counts::default() }, "{by}");
        assert_eq!(socket.close(&mut free), 16);
    }
}

#[test]
fn the_kernel_of_a_closed_socket_touches_no_frame() {
    let (umem, mut free, mut socket, mut kernel) = one();
    socket.send(umem.write(free.pop().unwrap(), &[5; 60]).unwrap()).unwrap();
    socket.commit();
    assert_eq!(socket.close(&mut free), 17);
    assert_eq!(free.len(), 32);
    let frames = std::iter::from_fn(|| free.pop());
    let packets: Vec<_> = frames.map(|frame| umem.write(frame, &[7; 60]).unwrap()).collect();
    assert!(!kernel.inject(&[9; 60]));
    assert_eq!(kernel.drain(|bytes| panic!("a frame of the program: {bytes:?}")), 0);
    assert!(packets.iter().all(|packet| umem.bytes(packet) == [7; 60]));
}

#[test]
#[should_panic(expected = "a packet of another UMEM")]
fn a_packet_is_not_read_through_another_umem() {
    let (first, mut free) = umem(1);
    let (second, _free) = umem(1);
    let packet = first.write(free.pop().unwrap(), b"x").unwrap();
    let _ = second.bytes(&packet);
}

#[test]
#[should_panic(expected = "a frame of another UMEM")]
fn a_frame_is_not_taken_home_to_another_umem() {
    let (_first, mut free) = umem(1);
    let (_second, mut other) = umem(1);
    other.push(free.pop().unwrap());
}

#[test]
#[should_panic(expected = "a frame of another UMEM")]
fn a_packet_is_not_sent_through_another_umem() {
    let (_umem, _free, mut socket, _kernel) = one();
    let (other, mut free) = umem(1);
    let _ = socket.send(other.write(free.pop().unwrap(), b"x").unwrap());
}

#[test]
fn sizes_that_no_kernel_takes_are_errors() {
    let base = UmemConfig::default();
    let wrong = [
        UmemConfig { frames: 0, ..base },
        UmemConfig { frames: (1 << 24) + 1, ..base },
        UmemConfig { frame_bytes: 1024, ..base },
        UmemConfig { frame_bytes: 3000, ..base },
        UmemConfig { frame_bytes: 8192, ..base },
        UmemConfig { headroom_bytes: 2048 - 256 - 63, ..base },
        UmemConfig { headroom_bytes: u32::MAX, ..base },
    ];
    for config in wrong {
        assert!(matches!(Umem::new(&config), Err(Error::Size { .. })), "{config:?}");
    }
    assert_eq!(UmemConfig { headroom_bytes: u32::MAX, ..base }.packet_bytes(), 0);
    let (umem, _free) = umem(8);
    for size in [0, 3, 12, u32::MAX] {
        let sizes = RingSizes { tx: size, ..SIZES };
        assert!(matches!(Socket::simulated(&umem, &sizes), Err(Error::Size { .. })), "{size}");
    }
}

#[test]
fn content_lies_behind_both_headrooms() {
    let config = UmemConfig { frames: 2, headroom_bytes: 128, ..UmemConfig::default() };
    let (umem, mut free) = Umem::new(&config).unwrap();
    let largest = config.packet_bytes() as usize;
    assert_eq!(largest, 2048 - 256 - 128);
    let frame = umem.write(free.pop().unwrap(), &vec![1; largest + 1]).unwrap_err();
    let frame = umem.write(frame, &[]).unwrap_err();
    let mut packet = umem.write(frame, &vec![1; largest]).unwrap();
    assert_eq!(packet.offset(), KERNEL_HEADROOM_BYTES as usize + 128);
    umem.bytes_mut(&mut packet)[0] = 7;
    assert_eq!((umem.bytes(&packet)[0], umem.bytes(&packet)[1], packet.len()), (7, 1, largest));
}

#[test]
fn a_simulated_socket_says_so() {
    let (umem, _free) =
        Umem::new(&UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::default() }).unwrap();
    assert!(!umem.huge_pages());
    let (socket, _kernel) = Socket::simulated(&umem, &SIZES).unwrap();
    assert_eq!((socket.granted(), socket.granted().name()), (Granted::Simulated, "simulated"));
    assert_eq!(socket.statistics(), Default::default());
}

#[test]
fn marks_are_used_again() {
    let (umem, mut free) = umem(1);
    for _ in 0..1000 {
        let (socket, _kernel) = Socket::simulated(&umem, &SIZES).unwrap();
        socket.close(&mut free);
    }
    let sockets: Vec<_> = (0..127).map(|_| Socket::simulated(&umem, &SIZES).unwrap()).collect();
    assert!(matches!(Socket::simulated(&umem, &SIZES), Err(Error::Size { .. })));
    assert_eq!(sockets.len(), 127);
}

#[test]
fn default_rings_can_all_be_full_at_once() {
    for (frames, size) in [(1, 64), (512, 64), (1000, 64), (16384, 2048), (20000, 2048)] {
        let config = SocketConfig::for_frames(frames);
        assert_eq!(config.rings, RingSizes { fill: size, rx: size, tx: size, completion: size });
        assert!(frames < 512 || size * 8 <= frames);
    }
}

#[test]
fn sockets_and_umem_move_to_a_worker() {
    fn sendable<T: Send>() {}
    sendable::<(Umem, Socket, FreeList, sim::Kernel)>();
}
