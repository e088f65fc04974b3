//! Random bytes, mutated packets, and random traffic over one and two workers.

use filter::Action;
use lookup::Side::{self, Inside, Outside};
use proptest::prelude::*;

use crate::frames::*;
use crate::lab::Lab;

/// Honest packets of every kind, to be spoiled.
fn honest() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for [de, server, client] in [
        ["198.51.100.1", "10.2.0.1", "10.3.0.5"],
        ["[2001:db8:de::1]", "[fd00:2::1]", "[fd00:3::5]"],
    ] {
        let bare = |host: &str| host.trim_matches(['[', ']']).to_owned();
        let (remote, http) = (format!("{de}:999"), format!("{server}:80"));
        let segment = tcp(&remote, &http, "S");
        let datagram = udp_with(&remote, &format!("{server}:53"), &[7; 64]);
        let reply = udp(&format!("{client}:4000"), &remote);
        frames.push(echo(&bare(de), &bare(server), false, 3));
        frames.push(error(&bare(de), &bare(client), &reply, 500));
        frames.push(tagged(&segment, &[(0x88a8, 4), (0x8100, 5)]));
        frames.extend(fragments(&datagram, 7, &[24, 48]));
        if de.starts_with('[') {
            frames.push(extended(&segment, &[(0, &[0, 1, 4, 0, 0, 0, 0]), (60, &[0; 7])]));
            frames.push(icmp("fe80::1", "ff02::1", 255, &[135, 0, 0, 0, 0, 0, 0, 0]));
        } else {
            frames.push(with_options(&segment, &[148, 4, 0, 0, 1, 1, 1, 0]));
        }
        frames.extend([segment, datagram, reply]);
    }
    frames
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Outside), Just(Inside)]
}

#[derive(Clone, Debug)]
enum Spoil {
    Cut(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Grow(u8),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Spoil::Cut),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, to)| Spoil::Set(at, to)),
        any::<u8>().prop_map(Spoil::Grow),
    ]
}

fn spoiled(mut frame: Vec<u8>, spoils: &[Spoil], mend: bool) -> Vec<u8> {
    for spoil in spoils {
        match spoil {
            _ if frame.is_empty() => {}
            Spoil::Cut(at) => frame.truncate(at.index(frame.len())),
            Spoil::Set(at, to) => {
                let at = at.index(frame.len());
                frame[at] = *to;
            }
            Spoil::Grow(by) => frame.extend(std::iter::repeat_n(0xaa, usize::from(*by))),
        }
    }
    let header_bytes = frame.get(14).map_or(0, |first| usize::from(first & 15) * 4);
    if mend && header_bytes >= 20 && frame.len() >= 14 + header_bytes && frame[12] == 8 {
        fix_checksum(&mut frame);
    }
    frame
}

#[test]
fn no_bytes_panic_or_unbalance() {
    let mut lab = Lab::with("policy", 1, 64, 50);
    let honest = honest();
    let frame = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (prop::sample::select(honest), prop::collection::vec(spoil(), 0..4), any::<bool>(),)
            .prop_map(|(frame, spoils, mend)| spoiled(frame, &spoils, mend)),
    ];
    let lab = std::cell::RefCell::new(&mut lab);
    let config = ProptestConfig::with_cases(4_000);
    proptest!(config, |(frames in prop::collection::vec(frame, 1..20), side in side(), wait in 0..5_000_u64)| {
        let mut lab = lab.borrow_mut();
        lab.now_ms += wait;
        // `burst` asserts the identities.
        let actions = lab.burst(0, side, &frames);
        prop_assert_eq!(actions.len(), frames.len());
        let now = lab.now();
        let Lab { workers, records, .. } = &mut **lab;
        workers[0].housekeep(now, records);
        records.clear();
    });
}

/// One packet of a small world: few ends, so that packets meet flows.
#[derive(Clone, Debug)]
struct Packet {
    inside: bool,
    remote: u8,
    local: u8,
    port: u8,
    kind: u8,
    wait_ms: u64,
    reload: bool,
}

fn packet() -> impl Strategy<Value = Packet> {
    let wait = prop_oneof![9 => 0..3_000_u64, 1 => 20_000..70_000_u64];
    (any::<bool>(), 0..4_u8, 0..3_u8, 0..4_u8, 0..7_u8, wait, prop::bool::weighted(0.02)).prop_map(
        |(inside, remote, local, port, kind, wait_ms, reload)| Packet {
            inside,
            remote,
            local,
            port,
            kind,
            wait_ms,
            reload,
        },
    )
}

fn build(packet: &Packet) -> (Side, Vec<u8>) {
    let remote = ["198.51.100.1", "192.0.2.1", "203.0.113.1", "203.0.113.7"];
    let remote = remote[usize::from(packet.remote)];
    let local = ["10.2.0.1", "10.2.0.2", "10.3.0.5"][usize::from(packet.local)];
    let port = [80, 5432, 53, 4000][usize::from(packet.port)];
    let (far, near) = (format!("{remote}:999"), format!("{local}:{port}"));
    let (side, from, to) =
        if packet.inside { (Inside, &near, &far) } else { (Outside, &far, &near) };
    let frame = match packet.kind {
        0 => tcp(from, to, "S"),
        1 => tcp(from, to, "SA"),
        2 | 3 => tcp(from, to, "A"),
        4 => tcp(from, to, "F"),
        _ => udp(from, to),
    };
    (side, frame)
}

/// From the outside, only what a service, failsafe or an opening from the inside allows; whatever
/// happened before.
#[test]
fn nothing_unasked_comes_in() {
    let config = ProptestConfig::with_cases(300);
    proptest!(config, |(packets in prop::collection::vec(packet(), 1..150))| {
        let mut lab = Lab::with("policy", 2, 64, 1000);
        let mut opened = std::collections::HashSet::new();
        for packet in &packets {
            if packet.reload {
                let to = if lab.rules.revision().0 % 2 == 1 { "without-db" } else { "policy" };
                lab.reload(to);
            }
            lab.now_ms += packet.wait_ms;
            let (side, frame) = build(packet);
            let action = lab.send_to(usize::from(packet.inside), side, &frame);
            let proto = packet.kind >= 5;
            let pair = (packet.remote, packet.local, packet.port, proto);
            let served = packet.local < 2 && match packet.port {
                0 => !proto,
                1 => !proto,
                2 => proto,
                _ => false,
            };
            if packet.inside {
                let judged_egress = !served || packet.port == 1;
                if judged_egress && action == Action::Forward {
                    opened.insert(pair);
                }
            } else if action == Action::Forward {
                let failsafe = packet.remote == 3;
                prop_assert!(failsafe || served || opened.contains(&pair), "{:?}", packet);
                if served && !failsafe && packet.port != 1 {
                    prop_assert_ne!(packet.remote, 2, "China has no service");
                }
            }
        }
    });
}
