//! A worker over the simulated kernel: packets in, packets out, and where every frame is.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use af_xdp_rs::{SocketConfig, UmemConfig, sim::Kernel};
use etherparse::PacketBuilder;
use filter::{DropReason, DropRecord, Filter, FilterConfig, Shared, Timeouts};
use lookup::{Moment, Revision, Ruleset};
use rtrb::Consumer;

use super::*;
use crate::{
    Poll,
    board::Board,
    clock::Clock,
    mail::{self, Post},
    pace::Pace,
    publish::Publisher,
    pulse::Pulse,
    records,
    spent::Spent,
};

const FRAMES: u32 = 1024;
const SERVICE: [u8; 4] = [10, 1, 0, 80];
const FRIEND: [u8; 4] = [198, 51, 100, 9];
const STRANGER: [u8; 4] = [203, 0, 113, 9];

const POLICY: &str = r#"
[group.friends]
networks = ["198.51.100.0/24"]

[domain.web]
exposure = "external"
allow = ["friends"]

[[domain.web.service]]
name = "http"
networks = ["10.1.0.80/32"]
proto = "tcp"
ports = ["80"]
"#;

/// A worker on its own thread, and everything around it.
struct Bench {
    kernels: [Kernel; 2],
    publisher: Publisher,
    board: Board<Snapshot>,
    drops: Consumer<DropRecord>,
    post: Post,
    orders: Orders,
    thread: JoinHandle<Mind>,
}

fn ruleset(policy: &str, revision: u32) -> Ruleset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    Ruleset::load(&path, Moment::default(), Revision(revision)).unwrap().0
}

impl Bench {
    fn start(records_per_s: u32, ring: usize) -> Self {
        let config = UmemConfig { frames: FRAMES, ..UmemConfig::default() };
        let (umem, free) = Umem::new(&config).unwrap();
        let sizes = SocketConfig::for_frames(FRAMES).rings;
        let (outside, outside_kernel) = Socket::simulated(&umem, &sizes).unwrap();
        let (inside, inside_kernel) = Socket::simulated(&umem, &sizes).unwrap();
        let (records, drops) = records::ring(ring);
        let (inbox, post) = mail::pair();
        let mut publisher = Publisher::new(ruleset(POLICY, 1));
        let board = Board::new(Snapshot::default());
        // No test's worker is pinned: it runs where it starts.
        let orders = Orders::new(0, Poll::Busy, 64);
        orders.stand(0, true);
        let filter = FilterConfig {
            flows: 1024,
            records_per_s,
            key: [7; 16],
            timeouts: Timeouts::default(),
        };
        let mind = Mind {
            filter: Filter::new(filter, Arc::new(Shared::new(1024, [9; 16]))),
            rules: publisher.reader(),
            records,
            inbox,
            clock: Clock::new(Instant::now()),
            board: board.clone(),
            pulse: Pulse::default(),
            kernel_dropped: [0; 2],
            longest_pause_ms: 0,
            in_bulk: 0,
            pace: Pace::default(),
            spent: Spent::default(),
        };
        let worker = Worker::new(Wires::of_sockets(umem, free, [outside, inside]), mind);
        let told = orders.clone();
        let thread = thread::spawn(move || worker.run(&told));
        Self {
            kernels: [outside_kernel, inside_kernel],
            publisher,
            board,
            drops,
            post,
            orders,
            thread,
        }
    }

    /// Offers `packets` on a side until the worker has taken all; answers what left the other one.
    fn exchange(&mut self, side: usize, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let before = self.board.read().counters.received;
        let mut left = Vec::new();
        let mut offered = 0;
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.board.read().counters.received < before + packets.len() as u64 {
            assert!(Instant::now() < deadline, "the worker does not take its packets");
            offered += self.kernels[side].inject_all(packets[offered..].iter().map(Vec::as_slice));
            self.kernels[1 - side].drain(|bytes| left.push(bytes.to_vec()));
            thread::yield_now();
        }
        self.kernels[1 - side].drain(|bytes| left.push(bytes.to_vec()));
        left
    }

    /// Stops the worker; its last snapshot, and the drop records that are in the ring.
    fn stop(mut self) -> (Snapshot, Vec<DropRecord>) {
        self.orders.set_end(End::Now);
        self.thread.join().unwrap();
        let records = std::iter::from_fn(|| self.drops.pop().ok()).collect();
        (self.board.read(), records)
    }
}

fn tcp(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(from.0, to.0, 64)
        .tcp(from.1, to.1, 1, 1024)
        .syn();
    let mut bytes = Vec::new();
    builder.write(&mut bytes, b"").unwrap();
    bytes
}

#[test]
fn a_friend_crosses_unchanged_and_a_stranger_does_not() {
    let mut bench = Bench::start(1000, 1024);
    let (come, go) = (tcp((FRIEND, 999), (SERVICE, 80)), tcp((STRANGER, 999), (SERVICE, 80)));
    assert_eq!(bench.exchange(0, &[come.clone(), go]), [come]);
    let reply = tcp((SERVICE, 80), (FRIEND, 999));
    assert_eq!(bench.exchange(1, std::slice::from_ref(&reply)), [reply]);

    let (last, records) = bench.stop();
    assert!(last.counters.balanced(), "{:?}", last.counters);
    assert_eq!((last.counters.received, last.counters.forwarded), (3, 2));
    assert!(last.frames.balanced(), "{:?}", last.frames);
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.reason(), Some(DropReason::NotAllowed));
    assert_eq!(record.src().unwrap().to_string(), "203.0.113.9");
}

#[test]
fn a_flood_is_counted_to_the_last_packet() {
    const PACKETS: u16 = 20_000;
    // A ring of 32 and no reader: most records find no room.
    for (rate, ring) in [(0, 32), (1_000_000, 32), (100, 4096)] {
        let mut bench = Bench::start(rate, ring);
        let flood: Vec<_> = (0..PACKETS).map(|port| tcp((STRANGER, port), (SERVICE, 80))).collect();
        assert!(bench.exchange(0, &flood).is_empty(), "a stranger got through");
        let (last, records) = bench.stop();
        let counters = &last.counters;
        assert!(counters.balanced(), "{counters:?}");
        assert_eq!(counters.received, u64::from(PACKETS));
        assert_eq!(counters.records.recorded, records.len() as u64, "{rate} {ring}");
        let suppressed: u64 = records.iter().map(|record| u64::from(record.suppressed)).sum();
        assert_eq!(counters.records.suppressed, suppressed, "{rate} {ring}");
        assert!(last.frames.balanced(), "{:?}", last.frames);
    }
}

#[test]
fn a_packet_that_finds_no_room_to_leave_is_a_counted_drop() {
    let mut bench = Bench::start(1000, 1024);
    let packets: Vec<_> = (0..2000).map(|port| tcp((FRIEND, port), (SERVICE, 80))).collect();
    let mut offered = 0;
    let deadline = Instant::now() + Duration::from_secs(20);
    // Nobody drains the inside: its TX ring fills up.
    while bench.board.read().counters.received < 2000 {
        assert!(Instant::now() < deadline, "the worker stopped taking packets");
        offered += bench.kernels[0].inject_all(packets[offered..].iter().map(Vec::as_slice));
        thread::yield_now();
    }
    let (last, records) = bench.stop();
    let counters = &last.counters;
    assert!(
        !records.is_empty() && records.iter().all(|one| one.reason() == Some(DropReason::TxFull))
    );
    let full = counters.dropped[DropReason::TxFull.index()];
    assert!(full > 0 && counters.forwarded > 0, "{counters:?}");
    assert_eq!(counters.received, counters.forwarded + full);
    assert!(counters.balanced(), "{counters:?}");
    assert!(last.frames.balanced(), "{:?}", last.frames);
}

#[test]
fn what_is_in_the_rings_is_judged_before_a_worker_leaves_its_queue() {
    for _ in 0..20 {
        let mut bench = Bench::start(1000, 1024);
        let packets: Vec<_> = (0..200).map(|port| tcp((FRIEND, port), (SERVICE, 80))).collect();
        // Its fill rings have frames from its first round on.
        bench.exchange(0, &packets[..1]);
        let offered = bench.kernels[0].inject_all(packets.iter().map(Vec::as_slice));
        bench.orders.set_end(End::Drained);
        let mut left = 0;
        while !bench.thread.is_finished() {
            left += bench.kernels[1].drain(|_| ());
            thread::yield_now();
        }
        let (last, _) = bench.stop();
        // As many as the rings hold, or the worker has taken meanwhile.
        assert!(offered > 50 && left <= 200, "{offered} {left}");
        let all = offered as u64 + 1;
        assert_eq!((last.counters.received, last.counters.forwarded), (all, all));
        assert!(last.frames.balanced() && last.frames.rx == 0, "{:?}", last.frames);
    }
}

#[test]
fn a_burst_is_no_larger_than_ordered_and_none_is_lost() {
    let mut bench = Bench::start(1000, 1024);
    let packets: Vec<_> = (0..500).map(|port| tcp((FRIEND, port), (SERVICE, 80))).collect();
    for burst in [1, 7, 64] {
        bench.orders.set_burst(burst);
        for some in packets.chunks(64) {
            assert_eq!(bench.exchange(0, some).len(), some.len(), "bursts of {burst}");
        }
    }
    let (last, _) = bench.stop();
    assert_eq!(last.counters.received, 1500);
}

#[test]
fn a_new_ruleset_judges_the_next_burst_and_the_old_one_is_freed_by_its_publisher() {
    let mut bench = Bench::start(1000, 1024);
    let packet = tcp((FRIEND, 999), (SERVICE, 80));
    assert_eq!(bench.exchange(0, std::slice::from_ref(&packet)).len(), 1);
    bench.publisher.publish(ruleset(&POLICY.replace("198.51.100", "192.0.2"), 2));
    assert!(bench.exchange(0, &[packet]).is_empty(), "an allowed flow outlived its permission");
    assert_eq!(bench.publisher.collect(), 0, "a superseded ruleset is still held");
    let (last, records) = bench.stop();
    assert_eq!(last.revision, 2);
    assert_eq!(records[0].revision, Revision(2));
}

#[test]
fn a_worker_tells_its_flows_between_two_bursts() {
    const FLOWS: u16 = 700;
    let mut bench = Bench::start(1000, 1024);
    let packets: Vec<_> = (1..=FLOWS).map(|port| tcp((FRIEND, port), (SERVICE, 80))).collect();
    // No more at a time than the rings hold, however late the worker comes.
    for some in packets.chunks(64) {
        assert_eq!(bench.exchange(0, some).len(), some.len());
    }
    let mut ports = Vec::new();
    assert!(bench.post.all(|flow| {
        ports.push(flow.pair.remote_port);
        true
    }));
    ports.sort_unstable();
    assert_eq!(ports, (1..=FLOWS).collect::<Vec<_>>());
    // Whoever has enough is not in the way of who asks next.
    let mut some = 0;
    assert!(bench.post.all(|_| {
        some += 1;
        some < 10
    }));
    let one = bench.post.one(pair(7)).unwrap().unwrap();
    assert_eq!((one.pair, one.packets), (pair(7), 1));
    assert_eq!(bench.post.one(pair(FLOWS + 1)), Ok(None));
    let Bench { mut post, orders, thread, .. } = bench;
    orders.set_end(End::Now);
    thread.join().unwrap();
    assert!(!post.all(|_| true), "nobody is there to answer");
}

fn pair(port: u16) -> filter::Pair {
    filter::Pair {
        remote: FRIEND.into(),
        local: SERVICE.into(),
        remote_port: port,
        local_port: 80,
        proto: lookup::Proto::TCP,
        vlan: lookup::Vlan::NONE,
    }
}
