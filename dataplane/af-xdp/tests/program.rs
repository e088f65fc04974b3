//! The XDP program on real veth interfaces: fail modes, what survives a killed process, and whose
//! program may be replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod lab;

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use af_xdp_rs::live::{self, Ingress};
use af_xdp_rs::{
    AttachMode, Attached, Error, FailMode, Interface, Program, Socket, SocketConfig, Umem,
    UmemConfig, Unserved, attached,
};
use aya::Ebpf;
use aya::maps::{Array, PerCpuArray, XskMap};
use aya::programs::{Xdp, XdpMode};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/palisade.bpf.o");

fn gate() -> [Interface; 2] {
    ["f0", "f1"].map(|name| Interface::find(name).unwrap())
}

/// Programs attached to both interfaces, with no socket behind them.
fn guard(fail_open: bool, attach: AttachMode) -> [Program; 2] {
    let interfaces = gate();
    let [f0, f1] = &interfaces;
    [(f0, f1), (f1, f0)].map(|(interface, other)| {
        let fail = if fail_open { FailMode::Open { to: other.index } } else { FailMode::Closed };
        let mut program = Program::load(fail, interface.rx_queues, None).unwrap();
        program.attach(interface, attach).unwrap();
        program
    })
}

#[test]
fn closed_drops_what_nobody_serves() {
    lab::run("closed_drops_what_nobody_serves", 1, |lab| {
        for attach in [AttachMode::Native, AttachMode::Generic] {
            let mut programs = guard(false, attach);
            let echo = lab.echo();
            assert_eq!(lab.ping(64, 1), 0);
            assert_eq!(echo.stop(), 0);
            // ARP does not get through, so nothing but ARP is sent.
            let Unserved { dropped, bridged } = programs[0].unserved().unwrap();
            assert!(dropped > 0 && bridged == 0, "dropped {dropped} bridged {bridged}");
            for program in &mut programs {
                assert!(program.detach().unwrap());
            }
        }
    });
}

#[test]
fn open_bridges_what_nobody_serves() {
    lab::run("open_bridges_what_nobody_serves", 1, |lab| {
        for attach in [AttachMode::Native, AttachMode::Generic] {
            let mut programs = guard(true, attach);
            let echo = lab.echo();
            assert_eq!(lab.ping(1000, 1), 1000, "{attach:?}");
            assert_eq!(echo.stop(), 1000);
            for program in &mut programs {
                let Unserved { dropped, bridged } = program.unserved().unwrap();
                assert!(bridged >= 1000 && dropped == 0, "dropped {dropped} bridged {bridged}");
                assert!(program.detach().unwrap());
            }
        }
    });
}

#[test]
fn the_fail_mode_holds_for_a_queue_taken_from_its_socket() {
    lab::run("the_fail_mode_holds_for_a_queue_taken_from_its_socket", 1, |lab| {
        let mut programs = guard(true, AttachMode::Native);
        let (umem, mut free) =
            Umem::new(&UmemConfig { frames: 1024, ..UmemConfig::default() }).unwrap();
        let interfaces = gate();
        let config = SocketConfig::for_frames(1024);
        let mut socket = Socket::bind(&umem, &interfaces[0], 0, &config).unwrap();
        socket.refill(&mut free);
        let echo = lab.echo();
        programs[0].serve(0, &socket).unwrap();
        assert_eq!(lab.ping(16, 1), 0, "the socket has them, and nobody forwards");
        assert!(socket.counts().rx > 0);
        programs[0].unserve(0).unwrap();
        programs[0].unserve(0).unwrap();
        assert_eq!(lab.ping(16, 1), 16, "bridged");
        programs[0].serve(0, &socket).unwrap();
        socket.close(&mut free);
        assert_eq!(lab.ping(16, 1), 16, "a closed socket leaves the map by itself");
        echo.stop();
        assert_eq!(free.len(), 1024);
        for program in &mut programs {
            program.detach().unwrap();
        }
    });
}

#[test]
fn what_is_attached_survives_a_kill() {
    const NAME: &str = "what_is_attached_survives_a_kill";
    lab::run(NAME, 1, |lab| {
        if lab::role().is_some() {
            let _programs = guard(true, AttachMode::Auto);
            println!("attached");
            loop {
                thread::sleep(Duration::from_secs(1));
            }
        }
        let mut victim = lab.process(NAME, "victim").spawn().unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("attached")));
        victim.kill().unwrap();
        victim.wait().unwrap();

        let [f0, f1] = gate();
        let stale = attached(&f0).unwrap().unwrap();
        assert_eq!((stale.name.as_str(), stale.ours), ("palisade_xdp", true));
        let echo = lab.echo();
        assert_eq!(lab.ping(100, 1), 100, "the declared fail mode holds on");
        echo.stop();

        // A new gateway takes its place, also in another mode, and leaves nothing behind.
        for attach in [AttachMode::Native, AttachMode::Generic, AttachMode::Native] {
            let old = attached(&f0).unwrap().unwrap();
            let programs = guard(false, attach);
            assert_ne!(attached(&f0).unwrap().unwrap().id, old.id);
            drop(programs);
        }
        let mut programs = guard(false, AttachMode::Native);
        for program in &mut programs {
            assert!(program.detach().unwrap());
        }
        assert_eq!((attached(&f0).unwrap(), attached(&f1).unwrap()), (None, None));
    });
}

#[test]
fn a_clean_stop_leaves_the_program_of_its_successor() {
    lab::run("a_clean_stop_leaves_the_program_of_its_successor", 1, |_| {
        let mut first = guard(false, AttachMode::Native);
        let mut second = guard(false, AttachMode::Native);
        for program in &mut first {
            assert!(!program.detach().unwrap());
        }
        for program in &mut second {
            assert!(program.detach().unwrap());
        }
    });
}

#[test]
fn a_refused_mode_leaves_the_program_of_a_killed_gateway() {
    lab::run("a_refused_mode_leaves_the_program_of_a_killed_gateway", 1, |_| {
        // The loopback interface runs generic programs only.
        let lo = Interface::find("lo").unwrap();
        let mut stale = Program::load(FailMode::Closed, 1, None).unwrap();
        stale.attach(&lo, AttachMode::Generic).unwrap();
        drop(stale);
        let before = attached(&lo).unwrap();
        assert!(before.is_some());
        let mut next = Program::load(FailMode::Closed, 1, None).unwrap();
        assert!(matches!(next.attach(&lo, AttachMode::Native), Err(Error::Link { .. })));
        assert_eq!(attached(&lo).unwrap(), before);
        assert_eq!(next.attach(&lo, AttachMode::Auto).unwrap(), Attached::Generic);
        assert_ne!(attached(&lo).unwrap(), before);
        assert!(next.detach().unwrap());
        assert_eq!(attached(&lo).unwrap(), None);
    });
}

#[test]
fn a_foreign_program_is_refused_and_left_alone() {
    lab::run("a_foreign_program_is_refused_and_left_alone", 1, |_| {
        let [f0, _] = gate();
        // The same object under another name: `palisade_xdp` and `stranger_xdp` are equally long.
        let mut object = OBJECT.to_vec();
        let (ours, theirs) = (b"palisade_xdp", b"stranger_xdp");
        for at in 0..object.len() - ours.len() {
            if object[at..].starts_with(ours) {
                object[at..at + ours.len()].copy_from_slice(theirs);
            }
        }
        for (mode, word) in [(XdpMode::Driver, "xdp off"), (XdpMode::Skb, "xdpgeneric off")] {
            let mut ebpf = Ebpf::load(&object).unwrap();
            let xdp: &mut Xdp = ebpf.program_mut("stranger_xdp").unwrap().try_into().unwrap();
            xdp.load().unwrap();
            let link = xdp.attach("f0", mode).unwrap();
            let mut program = Program::load(FailMode::Closed, 1, None).unwrap();
            let error = program.attach(&f0, AttachMode::Auto).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("f0 already runs XDP program `stranger_xdp`"), "{said}");
            assert!(said.contains(word), "{said}");
            assert!(matches!(error, Error::Foreign { .. }));
            assert!(!program.detach().unwrap());
            assert_eq!(attached(&f0).unwrap().unwrap().name, "stranger_xdp");
            xdp.detach(link).unwrap();
        }
    });
}

#[test]
fn live_frames_pass_through_the_program() {
    lab::run("live_frames_pass_through_the_program", 1, |_| {
        let mut ebpf = Ebpf::load(OBJECT).unwrap();
        let xdp: &mut Xdp = ebpf.program_mut("palisade_xdp").unwrap().try_into().unwrap();
        xdp.load().unwrap();
        let run = live::run(xdp, &[0; 64], Ingress::default(), 10_000, 64).unwrap();
        assert!(run.duration_ns > 0);
        let unserved: PerCpuArray<_, u64> = ebpf.map("unserved").unwrap().try_into().unwrap();
        assert_eq!(unserved.get(&0, 0).unwrap().iter().sum::<u64>(), 10_000);

        let xdp: &mut Xdp = ebpf.program_mut("palisade_xdp").unwrap().try_into().unwrap();
        let error = live::run(xdp, &[0; 4], Ingress::default(), 1, 0).unwrap_err();
        assert!(error.to_string().starts_with("cannot run live frames"), "{error}");
    });
}

/// A frame: link addresses, tags, and what stands under this ethertype.
fn frame(tags: &[u16], ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let tags = tags.iter().flat_map(|kind| [kind.to_be_bytes(), [0, 42]].concat());
    [&[2; 12][..], &tags.collect::<Vec<_>>(), &ethertype.to_be_bytes(), packet].concat()
}

/// IPv4 with so many words of options, at this fragment offset.
fn v4(protocol: u8, options: u8, offset: u8, payload: &[u8]) -> Vec<u8> {
    let header =
        [0x45 + options, 0, 0, 60, 0, 0, 0, offset, 64, protocol, 0, 0, 5, 9, 0, 9, 10, 1, 0, 9];
    [&header[..], &vec![1; usize::from(options) * 4], payload].concat()
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x60, 0, 0, 0, 0, 20, next, 64][..], &[0x20; 32], payload].concat()
}

#[test]
fn openers_over_the_limit_are_held_back_and_nothing_else() {
    lab::run("openers_over_the_limit_are_held_back_and_nothing_else", 1, |_| {
        let mut ebpf = Ebpf::load(OBJECT).unwrap();
        let xdp: &mut Xdp = ebpf.program_mut("palisade_xdp").unwrap().try_into().unwrap();
        xdp.load().unwrap();
        // Never bound: the kernel drops what is redirected to it.
        let socket =
            socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
        let mut xsks = XskMap::try_from(ebpf.map_mut("xsks").unwrap()).unwrap();
        xsks.set(0, socket.as_raw_fd(), 0).unwrap();

        let tcp = |flags| [&[0; 12][..], &[5 << 4, flags], &[0; 6]].concat();
        let (syn, ip, ip6) = (tcp(0x02), 0x0800, 0x86dd);
        let cases = [
            ("SYN", frame(&[], ip, &v4(6, 0, 0, &syn)), true),
            ("SYN with ECN", frame(&[], ip, &v4(6, 0, 0, &tcp(0xc2))), true),
            ("behind options", frame(&[], ip, &v4(6, 10, 0, &syn)), true),
            ("tagged", frame(&[0x8100], ip, &v4(6, 0, 0, &syn)), true),
            ("tagged twice", frame(&[0x88a8, 0x8100], ip6, &v6(6, &syn)), true),
            ("SYN over IPv6", frame(&[], ip6, &v6(6, &syn)), true),
            ("SYN-ACK", frame(&[], ip, &v4(6, 0, 0, &tcp(0x12))), false),
            ("ACK", frame(&[], ip6, &v6(6, &tcp(0x10))), false),
            ("RST", frame(&[], ip, &v4(6, 0, 0, &tcp(0x04))), false),
            ("a later fragment", frame(&[], ip, &v4(6, 0, 9, &syn)), false),
            ("UDP", frame(&[], ip, &v4(17, 0, 0, &syn)), false),
            ("UDP over IPv6", frame(&[], ip6, &v6(17, &syn)), false),
            ("ARP", frame(&[], 0x0806, &v4(6, 0, 0, &syn)), false),
            ("cut short", frame(&[], ip, &v4(6, 0, 0, &syn[..13])), false),
            ("three tags", frame(&[0x8100; 3], ip, &v4(6, 0, 0, &syn)), false),
        ];
        for (limit, held_back) in [(0, false), (2, true)] {
            let mut limits: Array<_, u32> = ebpf.map_mut("limits").unwrap().try_into().unwrap();
            limits.set(0, limit, 0).unwrap();
            for (what, frame, opens) in &cases {
                let before = shed(&ebpf);
                let xdp: &mut Xdp = ebpf.program_mut("palisade_xdp").unwrap().try_into().unwrap();
                live::run(xdp, frame, Ingress::default(), 1000, 64).unwrap();
                let held = shed(&ebpf) - before;
                if held_back && *opens {
                    // Two a millisecond pass, however long the machine took.
                    assert!((1..=998).contains(&held), "{what}: {held} of 1,000");
                } else {
                    assert_eq!(held, 0, "{what} at limit {limit}");
                }
            }
        }
    });
}

fn shed(ebpf: &Ebpf) -> u64 {
    let valves: Array<_, [u64; 3]> = ebpf.map("valves").unwrap().try_into().unwrap();
    valves.get(&0, 0).unwrap()[2]
}

#[test]
fn features_are_asked_for_and_set_by_name() {
    lab::run("features_are_asked_for_and_set_by_name", 1, |_| {
        const TAGS: [&str; 2] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];
        let f0 = Interface::find("f0").unwrap();
        assert_eq!(f0.features(&TAGS).unwrap(), TAGS);
        assert_eq!(f0.set_features(&TAGS[..1], false).unwrap(), Vec::<&str>::new());
        assert_eq!(f0.features(&TAGS).unwrap(), TAGS[1..]);
        assert_eq!(f0.set_features(&TAGS, true).unwrap(), TAGS);
        assert_eq!(f0.features(&["no-such-feature"]).unwrap(), Vec::<&str>::new());
        // What no driver of this kind can change stays, without an error.
        let fixed = ["vlan-challenged"];
        assert_eq!(f0.set_features(&fixed, true).unwrap_or_default(), Vec::<&str>::new());
        assert!(f0.set_features(&["no-such-feature"], false).is_err());
        let gone = Interface { index: 9999, ..f0 };
        assert!(matches!(gone.features(&TAGS), Err(Error::Link { .. })));
    });
}

#[test]
fn promiscuous_mode_is_set_and_taken_back() {
    lab::run("promiscuous_mode_is_set_and_taken_back", 1, |_| {
        for on in [true, true, false] {
            Interface::find("f0").unwrap().set_promiscuous(on).unwrap();
            assert_eq!(Interface::find("f0").unwrap().promiscuous, on);
        }
        assert!(matches!(Interface::find("f9"), Err(Error::Interface { .. })));
    });
}
