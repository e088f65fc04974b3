//! Real sockets on real veth interfaces: what is forwarded, in which modes, and what goes home.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod lab;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use af_xdp_rs::{
    AttachMode, Attached, Error, FailMode, Granted, Interface, Mode, Program, Socket, SocketConfig,
    Umem, UmemConfig,
};
use lab::{Lab, Worker};

const FRAMES: u32 = 4096;

fn umem() -> (Umem, af_xdp_rs::FreeList) {
    Umem::new(&UmemConfig { frames: FRAMES, ..UmemConfig::default() }).unwrap()
}

fn gate() -> [Interface; 2] {
    ["f0", "f1"].map(|name| Interface::find(name).unwrap())
}

fn config(mode: Mode) -> SocketConfig {
    SocketConfig { mode, ..SocketConfig::for_frames(FRAMES) }
}

/// Forwards 10,000 packets to and fro in this mode, and counts them at every place.
fn forward(lab: &Lab, mode: Mode, attach: AttachMode, granted: Granted, attached: Attached) {
    let interfaces = gate();
    let (umem, free) = umem();
    let [f0, f1] = &interfaces;
    let sockets = Socket::pair(&umem, [(f0, 0), (f1, 0)], &config(mode)).unwrap();
    let mut programs = Vec::new();
    for (interface, socket) in interfaces.iter().zip(&sockets) {
        assert_eq!(socket.granted(), granted);
        let mut program = Program::load(FailMode::Closed, interface.rx_queues, None).unwrap();
        program.serve(0, socket).unwrap();
        assert_eq!(program.attach(interface, attach).unwrap(), attached);
        programs.push(program);
    }
    let worker = Worker::start(vec![sockets], free, FRAMES.into());
    let echo = lab.echo();
    assert_eq!(lab.ping(10_000, 1), 10_000);
    assert_eq!(echo.stop(), 10_000);
    for mut program in programs {
        assert!(program.detach().unwrap());
        assert!(!program.detach().unwrap(), "it was detached before");
    }
    let report = worker.stop();
    // Beside the 10,000 there is ARP, and IPv6's own chatter.
    assert!(report.received[0].iter().all(|count| *count >= 10_000), "{:?}", report.received);
    assert_eq!(report.refused, 0);
    assert_eq!(report.close(), FRAMES as usize);
}

#[test]
fn forwards_in_copy_mode() {
    lab::run("forwards_in_copy_mode", 1, |lab| {
        forward(lab, Mode::Copy, AttachMode::Native, Granted::Copy, Attached::Native);
    });
}

#[test]
fn forwards_in_skb_mode() {
    lab::run("forwards_in_skb_mode", 1, |lab| {
        forward(lab, Mode::Skb, AttachMode::Generic, Granted::Skb, Attached::Generic);
    });
}

#[test]
fn auto_takes_what_veth_grants() {
    lab::run("auto_takes_what_veth_grants", 1, |lab| {
        forward(lab, Mode::Auto, AttachMode::Auto, Granted::Copy, Attached::Native);
    });
}

#[test]
fn zero_copy_is_refused_where_the_driver_has_none() {
    lab::run("zero_copy_is_refused_where_the_driver_has_none", 1, |_| {
        let [f0, _] = gate();
        let (umem, _free) = umem();
        let error = Socket::bind(&umem, &f0, 0, &config(Mode::ZeroCopy)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("f0 queue 0") && said.contains("try mode \"copy\""), "{said}");
    });
}

#[test]
fn two_queues_share_one_umem() {
    lab::run("two_queues_share_one_umem", 2, |lab| {
        let [f0, f1] = &gate();
        assert_eq!((f0.rx_queues, f1.rx_queues), (2, 2));
        let (umem, free) = umem();
        let config = SocketConfig::for_frames(FRAMES / 2);
        // The second pair binds to interfaces that the UMEM has a socket on already.
        let pairs: Vec<_> = [0, 1]
            .map(|queue| Socket::pair(&umem, [(f0, queue), (f1, queue)], &config).unwrap())
            .into();
        let mut programs = [f0, f1].map(|interface| {
            let mut program = Program::load(FailMode::Closed, interface.rx_queues, None).unwrap();
            program.attach(interface, AttachMode::Native).unwrap();
            program
        });
        for (queue, sockets) in (0..).zip(&pairs) {
            for (program, socket) in programs.iter_mut().zip(sockets) {
                program.serve(queue, socket).unwrap();
            }
        }
        let worker = Worker::start(pairs, free, FRAMES.into());
        let echo = lab.echo();
        assert_eq!(lab.ping(6400, 64), 6400);
        assert_eq!(echo.stop(), 6400);
        let report = worker.stop();
        assert!(report.received.iter().flatten().all(|count| *count > 100), "one queue idle");
        assert_eq!(report.close(), FRAMES as usize);
    });
}

#[test]
fn a_queue_that_is_not_there_is_an_error() {
    lab::run("a_queue_that_is_not_there_is_an_error", 1, |_| {
        let [f0, _] = gate();
        assert_eq!(f0.driver, "veth");
        assert_eq!((f0.mtu_bytes, f0.up), (1500, true));
        let (umem, _free) = umem();
        let error = Socket::bind(&umem, &f0, 1, &config(Mode::Auto)).unwrap_err();
        assert!(error.to_string().starts_with("f0 has no queue 1: it uses 1"), "{error}");
        assert!(matches!(error, Error::Queue { has: 1, asked: 1, .. }));
    });
}

#[test]
fn a_busy_queue_is_waited_for_a_bounded_time() {
    lab::run("a_busy_queue_is_waited_for_a_bounded_time", 1, |_| {
        let [f0, _] = gate();
        let open = |umem: &Umem| Socket::bind(umem, &f0, 0, &config(Mode::Copy));
        let (first, _first_free) = umem();
        let (second, mut free) = umem();
        let holder = open(&first).unwrap();

        let start = Instant::now();
        let error = open(&second).unwrap_err();
        assert!(error.to_string().contains("another process serves this queue"), "{error}");
        assert!((2..4).contains(&start.elapsed().as_secs()));

        let start = Instant::now();
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(400));
            drop(holder);
        });
        let mut socket = open(&second).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(400));
        closing.join().unwrap();
        socket.refill(&mut free);
        assert!(free.len() < FRAMES as usize);
        socket.close(&mut free);
        assert_eq!(free.len(), FRAMES as usize);
    });
}

#[test]
fn a_socket_that_is_closed_while_another_waits_is_closed() {
    lab::run("a_socket_that_is_closed_while_another_waits_is_closed", 1, |_| {
        let [f0, f1] = gate();
        let (other, _other_free) = umem();
        let _holder = Socket::bind(&other, &f1, 0, &config(Mode::Copy)).unwrap();
        let (umem, mut free) = umem();
        let mut socket = Socket::bind(&umem, &f0, 0, &config(Mode::Copy)).unwrap();
        socket.refill(&mut free);
        // It vouches for the UMEM of one that waits two seconds for the other's queue.
        let waiting = thread::spawn(move || Socket::bind(&umem, &f1, 0, &config(Mode::Copy)));
        thread::sleep(Duration::from_millis(300));
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        socket.close(&mut free);
        // The one that waits may have given up too: nobody vouches for its UMEM any more.
        assert!(open() < before, "the kernel has frames");
        assert_eq!(free.len(), FRAMES as usize);
        assert!(waiting.join().unwrap().is_err());
    });
}

#[test]
fn a_umem_outlives_the_socket_that_registered_it() {
    lab::run("a_umem_outlives_the_socket_that_registered_it", 2, |_| {
        let [f0, f1] = &gate();
        let (umem, mut free) = umem();
        let open = |interface, queue| Socket::bind(&umem, interface, queue, &config(Mode::Copy));
        let first = open(f0, 0).unwrap();
        let second = open(f1, 0).unwrap();
        first.close(&mut free);
        // The second one vouches now; and when none is left, the UMEM is registered anew.
        let third = open(f0, 1).unwrap();
        second.close(&mut free);
        third.close(&mut free);
        let fourth = open(f1, 1).unwrap();
        fourth.close(&mut free);
        assert_eq!(free.len(), FRAMES as usize);
    });
}
