//! Leases in a running gateway: established flows pass in the driver, and whatever ends them ends that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use af_xdp_rs::{
    FailMode, Interface, LanePlan, Program, Socket, SocketConfig, Takes, Umem, UmemConfig,
};
use common::*;
use filter::{Action, Actions, Filter, FilterConfig, Now, Shared, Timeouts};
use lookup::{Moment, Revision, Ruleset, Side};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use palisade_bench::lab::{
    CLIENT_VETH, End, Gateway, Haul, INSIDE, Lab, OUTSIDE, SERVER_VETH, Server, Service, Setup,
    Tag, Tagger, Transfer, checksum,
};
use palisade_bench::load::{Flow, Generator, Kind, Order, Random, Sent, Sink};
use rustix::process::Signal;

/// Datagrams of flows from Germany to the echo service.
fn datagrams() -> Vec<Flow> {
    drawn(32, "DE:100", (7, Kind::Udp), 5)
}

const RATE: u64 = 100_000;

fn offer(lab: &Lab, flows: &[Flow], length: Duration) -> Sent {
    let mut generator = Generator::outside(lab, flows, 64).unwrap();
    generator.run(Order { length, count: None, rate_pps: Some(RATE), core: 0 }).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A lab with a gateway, whose service everybody in Germany may use, and a sink behind it.
fn leasing(policy: &str, queues: u16) -> Option<(Lab, Gateway, Sink)> {
    let lab = site(queues)?;
    let sink = Sink::at_servers(&lab, 64).unwrap();
    let gateway = Gateway::start(&lab, &Setup::new(&lab, policy)).unwrap();
    Some((lab, gateway, sink))
}

#[test]
fn established_flows_pass_in_the_driver_and_every_packet_is_counted() {
    let Some((lab, gateway, mut sink)) = leasing(&forgiving(), 1) else { return };
    let sent = offer(&lab, &datagrams(), ms(1500));
    let status = gateway.quiet_status().unwrap();
    let arrived = sink.total().unwrap();
    assert_eq!(arrived.packets, sent.packets, "{status:#?}");
    assert!(status.leased > sent.packets * 8 / 10, "{} of {}", status.leased, sent.packets);
    assert_eq!(status.domains["external"].allowed, sent.packets);
    let moved = arrived.reordered * 1000;
    assert!(moved < sent.packets, "{} of {} out of order", arrived.reordered, sent.packets);
    settle(gateway);
}

/// What a test does while flows from Germany pass by leases on queue 0, for so long in all.
fn under_load(
    (length, queues): (Duration, u16),
    deed: impl FnOnce(&mut Gateway, &mut Sink),
) -> Option<(Lab, Gateway, Sink)> {
    let (lab, mut gateway, mut sink) = leasing(&forgiving(), queues)?;
    let flows = datagrams();
    thread::scope(|scope| {
        let load = scope.spawn(|| offer(&lab, &flows, length));
        thread::sleep(ms(600));
        assert!(gateway.status().unwrap().leased > RATE / 4);
        deed(&mut gateway, &mut sink);
        load.join().unwrap();
    });
    Some((lab, gateway, sink))
}

/// How many packets arrive from now on, for so long.
fn arriving(sink: &mut Sink, length: Duration) -> u64 {
    // What is between the gateway and the sink at this moment.
    thread::sleep(ms(5));
    sink.reset().unwrap();
    thread::sleep(length);
    sink.total().unwrap().packets
}

fn allowing(country: &str) -> String {
    forgiving().replace(r#"["DE"]"#, &format!(r#"["{country}"]"#))
}

/// When the answer to a reload is there, nothing more passes that the new policy drops.
#[test]
fn a_reload_ends_leases_before_it_is_answered() {
    let after = under_load((ms(2500), 1), |gateway, sink| {
        for (country, passes) in [("US", false), ("DE", true), ("US", false)] {
            gateway.reload(&allowing(country)).unwrap();
            assert_eq!(arriving(sink, ms(200)) > 0, passes, "{country}");
        }
    });
    let Some((_lab, gateway, _sink)) = after else { return };
    settle(gateway);
}

#[test]
fn no_lease_outlives_a_gateway_that_is_killed_or_hangs() {
    for hangs in [false, true] {
        // A lease of its own accord lasts no longer than this.
        let patience = if hangs { ms(4_200) } else { ms(0) };
        let after = under_load((ms(1200) + patience, 1), |gateway, sink| {
            if hangs {
                gateway.signal(Signal::STOP).unwrap();
            } else {
                gateway.kill().unwrap();
            }
            thread::sleep(patience);
            assert_eq!(arriving(sink, ms(300)), 0, "hangs: {hangs}");
        });
        let Some((_lab, mut gateway, _sink)) = after else { return };
        if hangs {
            gateway.kill().unwrap();
        }
    }
}

/// A worker that hangs takes no ruleset, and its leases end all the same before the change is answered.
#[test]
fn a_change_ends_the_leases_of_a_worker_that_hangs() {
    let after = under_load((ms(3200), 1), |gateway, sink| {
        let worker = hang(gateway, 0);
        assert!(arriving(sink, ms(100)) > 0, "leases go on for a moment");
        let answer = gateway.reload(&allowing("US"));
        assert_eq!(arriving(sink, ms(200)), 0, "{answer:?}");
        ptrace::detach(worker, None).unwrap();
        thread::sleep(ms(300));
        let drops = gateway.status().unwrap().dropped.values().sum::<u64>();
        assert!(drops > 0, "it judges what it finds");
    });
    let Some((_lab, gateway, _sink)) = after else { return };
    settle(gateway);
}

/// Stops a worker where it is, until its thread is let go.
fn hang(gateway: &Gateway, queue: usize) -> Pid {
    let core = gateway.status().unwrap().workers[queue].core;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let works = |task: &std::path::Path| {
        std::fs::read_to_string(task.join("comm"))
            .is_ok_and(|name| name.trim() == format!("worker-{core}"))
    };
    let task = tasks.map(|task| task.unwrap().path()).find(|task| works(task)).unwrap();
    let worker = Pid::from_raw(task.file_name().unwrap().to_str().unwrap().parse().unwrap());
    ptrace::seize(worker, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(worker).unwrap();
    waitpid(worker, Some(WaitPidFlag::__WALL)).unwrap();
    worker
}

/// Workers that take a ruleset keep their leases, also when they sleep as it comes, and when another one hangs.
#[test]
fn a_change_leaves_workers_that_take_it_their_leases() {
    let after = under_load((ms(9000), 2), |gateway, _| {
        let counts = |gateway: &Gateway| {
            let worker = &gateway.status().unwrap().workers[0];
            (worker.leased, worker.received)
        };
        for hangs in [false, true] {
            let worker = hangs.then(|| hang(gateway, 1));
            let (leased, received) = counts(gateway);
            // As many as have their answer in time, which comes after a second where a worker hangs.
            let changes = if hangs { 2 } else { 20 };
            for _ in 0..changes {
                let _ = gateway.reload(&forgiving());
                thread::sleep(ms(30));
            }
            let (leased_then, received_then) = counts(gateway);
            let (leased, received) = (leased_then - leased, received_then - received);
            assert!(received > RATE / 2, "{received} packets");
            let rest = received - leased;
            assert!(
                rest < changes * RATE / 200,
                "hangs: {hangs}: {rest} of {received} by the worker"
            );
            if let Some(worker) = worker {
                ptrace::detach(worker, None).unwrap();
            }
        }
    });
    let Some((_lab, gateway, _sink)) = after else { return };
    settle(gateway);
}

/// A veth whose far end has no NAPI takes nothing that is redirected: its flows keep to the worker, also when
/// it loses NAPI while the gateway runs.
#[test]
fn an_interface_that_takes_no_redirected_frames_gets_none() {
    let Some(lab) = site(1) else { return };
    let to = SocketAddr::new(ip(SERVER[0]), 80);
    let _echo = Server::start(&lab.servers, Service::TcpEcho, to).unwrap();
    let napi = |on: &str| {
        lab.clients.run(&format!("ethtool -K {CLIENT_VETH} gro {on}")).unwrap();
        lab.servers.run(&format!("ethtool -K {SERVER_VETH} gro {on}")).unwrap();
    };
    napi("off");
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let haul = || {
        let haul = Haul::new(Service::TcpEcho, ip(OFFICE[0]), to, 1 << 20);
        Transfer::start(&lab.clients, haul).unwrap().wait(Duration::from_secs(20)).unwrap()
    };
    assert_eq!(haul(), End::Complete);
    assert_eq!(gateway.status().unwrap().leased, 0);
    napi("on");
    thread::sleep(ms(300));
    assert_eq!(haul(), End::Complete);
    let leased = gateway.quiet_status().unwrap().leased;
    assert!(leased > 100, "{leased}");
    napi("off");
    thread::sleep(ms(300));
    assert_eq!(haul(), End::Complete);
    assert_eq!(gateway.quiet_status().unwrap().leased, leased);
    settle(gateway);
}

/// Connections over leases, both families, with and without tags, opened from either side.
#[test]
fn connections_complete_over_leases() {
    for tags in [vec![], vec![Tag::vlan(42)]] {
        let Some(lab) = site(2) else { return };
        let _taggers = (!tags.is_empty()).then(|| {
            [(&lab.clients, CLIENT_VETH), (&lab.servers, SERVER_VETH)]
                .map(|(host, veth)| Tagger::new(host, veth, &tags).unwrap())
        });
        let _servers = echoes(&lab);
        let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
        let running = transfers(&lab, 4 << 20, |haul| haul);
        for transfer in running {
            assert_eq!(transfer.wait(Duration::from_secs(30)).unwrap(), End::Complete, "{tags:?}");
        }
        let status = gateway.quiet_status().unwrap();
        assert!(status.leased > status.forwarded / 2, "{tags:?}: {status:#?}");
        settle(gateway);
    }
}

/// A frame to the echo service, or from it: Ethernet, tags, IP, UDP or TCP, some bytes.
fn frame(six: bool, tcp: bool, tags: &[u16], back: bool) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in tags {
        frame.extend(0x8100_u16.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(if six { 0x86dd_u16 } else { 0x0800 }.to_be_bytes());
    let proto = if tcp { 6 } else { 17 };
    let (port, bytes) = if tcp { (80_u16, 20 + 8) } else { (7, 8 + 8) };
    let (from, to) = (OFFICE[usize::from(six)], SERVER[usize::from(six)]);
    let (from, to) = if back { (to, from) } else { (from, to) };
    let octets = |address: &str| match ip(address) {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    };
    let at = frame.len();
    if six {
        frame.extend([0x60, 0, 0, 0, 0, bytes, proto, 64]);
    } else {
        frame.extend([0x45, 0, 0, 20 + bytes, 0, 0, 0x40, 0, 64, proto, 0, 0]);
    }
    frame.extend(octets(from));
    frame.extend(octets(to));
    if !six {
        sum(&mut frame, at);
    }
    let ports = if back { [port, 4000] } else { [4000, port] };
    frame.extend(ports.map(u16::to_be_bytes).concat());
    if tcp {
        frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        frame.extend([0, bytes, 0, 0]);
    }
    frame.extend([7; 8]);
    frame
}

/// Writes the checksum of an IPv4 header of 20 bytes.
fn sum(frame: &mut [u8], at: usize) {
    if let Some(header) = frame.get_mut(at..at + 20) {
        header[10..12].fill(0);
        let sum = checksum(header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
    }
}

/// Another frame that is nearly this one.
fn spoilt(frame: &[u8], random: &mut Random) -> Vec<u8> {
    let mut spoilt = frame.to_vec();
    let mut below = |bound: usize| random.below(bound as u128) as usize;
    for _ in 0..below(3) {
        let at = 12 + below(spoilt.len().min(70) - 12);
        let old = spoilt[at];
        spoilt[at] = [old ^ 1 << below(8), below(256) as u8, old.wrapping_add(1), 0][below(4)];
    }
    match below(4) {
        0 => spoilt.truncate(14 + below(spoilt.len() - 13)),
        1 => spoilt.extend([0; 30]),
        _ => {}
    }
    // A header that is wrong but whole.
    if below(3) > 0 {
        let at = (12..=20).step_by(4).find(|at| spoilt.get(*at..at + 2) == Some(&[8, 0]));
        at.into_iter().for_each(|at| sum(&mut spoilt, at + 2));
    }
    spoilt
}

/// The kernel runs the program over frames; each that a lease lets through is one that the filter forwards
/// as a packet of a flow that it knows, and each whole frame of a leased flow is let through.
#[test]
fn the_program_lets_through_what_the_filter_would() {
    let Some(lab) = site(1) else { return };
    lab.gateway
        .enter(|| {
            agree();
            Ok(())
        })
        .unwrap();
}

fn agree() {
    let [outside, inside] = [OUTSIDE, INSIDE].map(|name| Interface::find(name).unwrap());
    let plan = LanePlan { to: inside.index, lanes: 1, leases: 64 };
    let mut program = Program::load(FailMode::Closed, 1, Some(plan)).unwrap();
    let (umem, mut free) = Umem::new(&UmemConfig { frames: 512, ..UmemConfig::default() }).unwrap();
    let socket = Socket::bind(&umem, &outside, 0, &SocketConfig::for_frames(512)).unwrap();
    program.serve(0, &socket).unwrap();
    program.open_lanes(|_| ALL);
    let lane = program.lane(0).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, POLICY).unwrap();
    let rules = Ruleset::load(&path, Moment::default(), Revision(9)).unwrap().0;
    let config =
        FilterConfig { flows: 1024, records_per_s: 0, key: [3; 16], timeouts: Timeouts::default() };
    let mut filter = Filter::new(config, std::sync::Arc::new(Shared::new(1024, [4; 16])));
    let begin = Instant::now();
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let origin_ns = clock.tv_sec as u64 * 1_000_000_000 + clock.tv_nsec as u64;
    filter.lease_over(
        [Some(Box::new(Lane(lane.clone()))), None],
        (&rules, Now::default()),
        origin_ns,
    );

    let through = || through(&lane);
    let mut records = Vec::new();
    let mut ask = |filter: &mut Filter, frame: &[u8]| {
        let mono_ms = begin.elapsed().as_millis() as u64;
        let now = Now { unix_ns: 0, mono_ms };
        let mut actions = Actions::new();
        filter.process(&rules, now, Side::Outside, &[frame], &mut actions, &mut records);
        filter.lease(&rules, now, Side::Outside);
        filter.tend(&rules, now);
        actions[0]
    };
    let shapes = [&[][..], &[42], &[0x6000], &[7, 42], &[0, 42]];
    let kinds = [(false, false), (false, true), (true, false), (true, true)];
    let whole: Vec<_> = kinds
        .iter()
        .flat_map(|(six, tcp)| shapes.map(|tags| frame(*six, *tcp, tags, false)))
        .collect();
    for one in &whole {
        assert_eq!(program.answer(&outside, 0, one).unwrap(), 4, "to the socket");
        (0..10).for_each(|_| assert_eq!(ask(&mut filter, one), Action::Forward));
    }
    for one in &whole {
        let before = through();
        assert_eq!(program.answer(&outside, 0, one).unwrap(), 4);
        assert_eq!(through(), before + 1, "not let through: {one:02x?}");
    }
    keeps_to_the_worker(&mut program, &outside, &whole[1], &lane);
    let (mut random, mut passed, mut refused) = (Random::new(11), 0, 0);
    for turn in 0..60_000 {
        let one = spoilt(&whole[turn % whole.len()], &mut random);
        let before = through();
        program.answer(&outside, 0, &one).unwrap();
        let lets = through() > before;
        let known = filter.counters().flows;
        let action = ask(&mut filter, &one);
        let new = filter.counters().flows - known;
        if lets {
            assert_eq!((action, new), (Action::Forward, 0), "let through: {one:02x?}");
            passed += 1;
        }
        refused += u32::from(action == Action::Drop);
    }
    assert!(passed > 5_000 && refused > 5_000, "{passed} passed, {refused} refused");
    socket.close(&mut free);
}

/// A frame of a leased flow goes to the socket where the other interface would drop it, and where the term is
/// not one of the next seconds.
fn keeps_to_the_worker(
    program: &mut Program,
    outside: &Interface,
    frame: &[u8],
    lane: &af_xdp_rs::Lane,
) {
    let passes = |program: &mut Program| {
        let before = through(lane);
        assert_eq!(program.answer(outside, 0, frame).unwrap(), 4);
        through(lane) > before
    };
    let bytes = frame.len() as u32;
    for (core, cpus, frame_bytes, passed) in [
        (0, 1, bytes, true),
        (1, 1, bytes, false),
        (1, 2, bytes, true),
        (0, 0, bytes, false),
        (0, 1, bytes - 1, false),
    ] {
        assert!(core_affinity::set_for_current(core_affinity::CoreId { id: core }));
        program.open_lanes(|_| Takes { cpus, frame_bytes });
        assert_eq!(passes(program), passed, "CPU {core} of {cpus}, {bytes} of {frame_bytes} bytes");
    }
    program.open_lanes(|_| ALL);
    let shift = |ticks: i32| {
        for lease in lane.leases().iter().filter(|lease| lease[0].load(Relaxed) != 0) {
            let term = lease[0].load(Relaxed);
            let moved = ((term >> 32) as u32).wrapping_add_signed(ticks);
            lease[0].store(term & 0xffff_ffff | u64::from(moved) << 32, Relaxed);
        }
    };
    for (ticks, passed) in
        [(0, true), (-5_000, false), (5_000, false), (i32::MIN, false), (0x7000_0000, false)]
    {
        shift(ticks);
        assert_eq!(passes(program), passed, "{ticks} ticks later");
        shift(ticks.wrapping_neg());
    }
}

/// An interface that takes every frame.
const ALL: Takes = Takes { cpus: u32::MAX, frame_bytes: 1518 };

/// Packets that leases let through so far.
fn through(lane: &af_xdp_rs::Lane) -> u64 {
    lane.let_through().iter().map(|row| row.load(Relaxed)).sum()
}

/// As a worker writes it.
#[derive(Debug)]
struct Lane(af_xdp_rs::Lane);

impl filter::Lane for Lane {
    fn words(&self) -> &filter::Line {
        self.0.words()
    }

    fn leases(&self) -> &[filter::Line] {
        self.0.leases()
    }

    fn tags(&self) -> &[std::sync::atomic::AtomicU64] {
        self.0.tags()
    }

    fn let_through(&self) -> &[std::sync::atomic::AtomicU64] {
        self.0.let_through()
    }
}
