//! A lab for one test: three network namespaces and two veth pairs, removed at the end.
//!
//! ```text
//!   src: e0 ---- f0 :gate: f1 ---- e1 :dst      e0 10.9.0.1/24, e1 10.9.0.2/24
//! ```
//! The test's body runs in a child process within `gate`, so that sysfs shows that namespace too;
//! end hosts are threads that move into `src` and `dst`.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use af_xdp_rs::{FreeList, Packet, Socket};
use arrayvec::ArrayVec;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const LAB: &str = "AF_XDP_LAB";
const PORT: u16 = 9000;

/// The namespaces of one test, by the start of their names.
pub(crate) struct Lab {
    base: String,
}

/// Runs `body` in the gateway namespace of a fresh lab. `name` is the test's own, for the child.
pub(crate) fn run(name: &str, queues: u32, body: impl FnOnce(&Lab)) {
    if let Ok(base) = std::env::var(LAB) {
        return body(&Lab { base });
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {name} needs root for network namespaces");
        return;
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let lab = Lab { base: format!("afxdp-{}-{number}", std::process::id()) };
    let removal = Removal(&lab);
    lab.build(queues);
    let child = lab.child(name).env(LAB, &lab.base).status().expect("ip netns exec");
    drop(removal);
    assert!(child.success(), "{name} failed in its namespace");
}

struct Removal<'a>(&'a Lab);

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        for host in ["src", "gate", "dst"] {
            let _ = Command::new("ip").args(["netns", "del", &self.0.host(host)]).status();
        }
    }
}

impl Lab {
    fn host(&self, host: &str) -> String {
        format!("{}-{host}", self.base)
    }

    fn build(&self, queues: u32) {
        let [src, gate, dst] = ["src", "gate", "dst"].map(|host| self.host(host));
        for host in [&src, &gate, &dst] {
            sh(&format!("ip netns add {host}"));
            sh(&format!("ip -n {host} link set lo up"));
        }
        let size = format!("numrxqueues {queues} numtxqueues {queues}");
        for (end, host, gate_end) in [("e0", &src, "f0"), ("e1", &dst, "f1")] {
            sh(&format!(
                "ip -n {host} link add name {end} {size} type veth peer {size} name {gate_end} netns {gate}"
            ));
            sh(&format!("ip -n {gate} link set {gate_end} up"));
        }
        for (end, host, address) in [("e0", &src, "10.9.0.1/24"), ("e1", &dst, "10.9.0.2/24")] {
            sh(&format!("ip -n {host} addr add {address} dev {end}"));
            sh(&format!("ip -n {host} link set {end} up"));
            // Checksums must be in the packet, and a redirect into veth needs NAPI behind it: GRO
            // counts only when it is switched on while both ends are up.
            sh(&format!("ip netns exec {host} ethtool -K {end} tx off tso off gso off gro on"));
        }
    }

    /// This test binary again, in the gateway's namespace, for this one test.
    fn child(&self, name: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host("gate")]);
        command.arg(std::env::current_exe().expect("own path"));
        command.args([name, "--exact", "--nocapture"]);
        command
    }

    /// Another process of the same test, which sees `role` in [`role`].
    pub(crate) fn process(&self, name: &str, role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("own path"));
        command.args([name, "--exact", "--nocapture"]).env("AF_XDP_ROLE", role);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// A thread within `src` or `dst`.
    pub(crate) fn at<T: Send + 'static>(
        &self,
        host: &str,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let place = File::open(format!("/run/netns/{}", self.host(host))).expect("namespace");
        thread::spawn(move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&place), network).expect("setns");
            body()
        })
    }

    /// A UDP server in `dst` that sends everything back, until dropped.
    pub(crate) fn echo(&self) -> Echo {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = self.at("dst", move || {
            let socket = UdpSocket::bind(("10.9.0.2", PORT)).expect("bind");
            socket.set_read_timeout(Some(Duration::from_millis(20))).expect("timeout");
            let (mut buffer, mut count) = ([0; 2048], 0);
            while !stopping.load(Ordering::Relaxed) {
                if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                    count += 1;
                    let _ = socket.send_to(&buffer[..len], from);
                }
            }
            count
        });
        Echo { stop, thread }
    }

    /// Sends `packets` to the echo server over this many flows, at most 32 at a time on their way,
    /// and answers how many different ones came back. Gives up after two silent seconds.
    pub(crate) fn ping(&self, packets: u32, flows: u16) -> u32 {
        // Neighbours that did not answer before would be asked again only after a while.
        for host in ["src", "dst"] {
            sh(&format!("ip -n {} neigh flush all", self.host(host)));
        }
        let thread = self.at("src", move || {
            (0..u32::from(flows)).map(|flow| one_flow(flow, packets / u32::from(flows))).sum()
        });
        thread.join().expect("ping")
    }
}

/// What a process of a test was started for.
pub(crate) fn role() -> Option<String> {
    std::env::var("AF_XDP_ROLE").ok()
}

fn one_flow(flow: u32, packets: u32) -> u32 {
    let socket = UdpSocket::bind(("10.9.0.1", 0)).expect("bind");
    socket.connect(("10.9.0.2", PORT)).expect("connect");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("timeout");
    let mut back = vec![false; packets as usize];
    let (mut sent, mut received, mut heard) = (0, 0, Instant::now());
    while received < packets && heard.elapsed() < Duration::from_secs(2) {
        while sent < packets && sent - received < 32 {
            let mut payload = vec![(sent % 251) as u8; 18 + (sent as usize * 7) % 1400];
            payload[..4].copy_from_slice(&sent.to_be_bytes());
            payload[4..8].copy_from_slice(&flow.to_be_bytes());
            socket.send(&payload).expect("send");
            sent += 1;
        }
        let mut buffer = [0; 2048];
        match socket.recv(&mut buffer) {
            Ok(len) => {
                let number = u32::from_be_bytes(buffer[..4].try_into().expect("4 bytes"));
                assert_eq!(len, 18 + (number as usize * 7) % 1400, "packet {number} changed");
                assert!(buffer[8..len].iter().all(|byte| *byte == (number % 251) as u8));
                if !std::mem::replace(&mut back[number as usize], true) {
                    received += 1;
                }
                heard = Instant::now();
            }
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            ),
        }
    }
    received
}

/// A running echo server.
pub(crate) struct Echo {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Echo {
    /// Stops it; answers how many packets it saw.
    pub(crate) fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("echo")
    }
}

/// A worker that forwards between the pairs of sockets, checking the frames' identity every turn.
pub(crate) struct Worker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

/// What a worker did.
pub(crate) struct Report {
    pub(crate) sockets: Vec<[Socket; 2]>,
    pub(crate) free: FreeList,
    /// Packets received by each socket.
    pub(crate) received: Vec<[u64; 2]>,
    pub(crate) refused: u64,
}

impl Worker {
    /// Starts forwarding; all sockets share the UMEM that `free` belongs to.
    pub(crate) fn start(sockets: Vec<[Socket; 2]>, free: FreeList, frames: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let received = vec![[0; 2]; sockets.len()];
        let mut report = Report { sockets, free, received, refused: 0 };
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                report.turn();
                let held: u64 = report.sockets.iter().flatten().map(|s| s.counts().total()).sum();
                assert_eq!(report.free.len() as u64 + held, frames, "frames lost");
                thread::yield_now();
            }
            report
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("worker")
    }
}

impl Report {
    fn turn(&mut self) {
        let Self { sockets, free, received, refused } = self;
        for ([a, b], [from_a, from_b]) in sockets.iter_mut().zip(received) {
            *from_a += forward(a, b, free, refused);
            *from_b += forward(b, a, free, refused);
        }
    }

    /// Closes all sockets; answers how many frames are home.
    pub(crate) fn close(self) -> usize {
        let Self { sockets, mut free, .. } = self;
        for socket in sockets.into_iter().flatten() {
            assert_eq!(socket.faults(), af_xdp_rs::Faults::default());
            socket.close(&mut free);
        }
        free.len()
    }
}

fn forward(from: &mut Socket, to: &mut Socket, free: &mut FreeList, refused: &mut u64) -> u64 {
    let mut burst = ArrayVec::<Packet, 64>::new();
    to.reclaim(free);
    let received = from.receive(&mut burst);
    for packet in burst {
        if let Err(packet) = to.send(packet) {
            *refused += 1;
            free.push(packet.into_frame());
        }
    }
    to.commit();
    from.refill(free);
    received as u64
}

fn sh(command: &str) {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a command");
    let output = Command::new(program).args(words).output().expect(program);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
}
