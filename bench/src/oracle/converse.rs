//! Conversations for a router's ruleset: what the inside opens, who may answer, and who may not.
//!
//! Each is a short sequence about one pair of ends: the opening, its reply, and the same reply from
//! another address, port or id, which nobody asked for. Replies need state, so both judges see every
//! packet in the same order. Whatever crossed may be followed by an ICMP error about it, from anywhere.

use std::net::IpAddr;

use lookup::{Geo, Policy, Side};

use super::judge::Judge;
use super::packet::{Extra, Packet, flag, proto};
use super::probe::Probes;

/// About so many packets, as sequences. `judge` says which of them cross.
pub(super) fn converse(
    policy: &Policy,
    geo: &Geo,
    judge: &mut Judge,
    (seed, packets): (u64, usize),
) -> Vec<Vec<Packet>> {
    let mut probes = Probes::of(policy, geo, seed.rotate_left(17));
    let mut sequences = Vec::new();
    let mut count = 0;
    while count < packets {
        let mut sequence = Vec::new();
        // No two conversations share a remote port or an id: what a closed connection leaves behind in
        // the kernel is no matter of the policy.
        let number = 10_000 + (sequences.len() % 50_000) as u16;
        for packet in self::sequence(&mut probes, number) {
            let error = judge.say(&packet).crosses.then(|| error(&mut probes, &packet)).flatten();
            sequence.push(packet);
            sequence.extend(error);
        }
        count += sequence.len();
        sequences.push(sequence);
    }
    sequences
}

/// An error about a packet that crossed, now and then: unreachable, too big, time exceeded. Only about
/// one that the kernel tracks whatever came before it; of the others it knows no connection.
fn error(probes: &mut Probes, packet: &Packet) -> Option<Packet> {
    let tracked = match packet.proto {
        proto::TCP => packet.flags == flag::SYN,
        proto::ICMP | proto::ICMPV6 => matches!(packet.ports.0, 8 | 13 | 128),
        _ => true,
    };
    if !tracked {
        return None;
    }
    let from = probes.pair().0;
    let kinds: [u16; 3] = if packet.src.is_ipv4() { [3, 11, 12] } else { [1, 2, 3] };
    let kind = kinds.get(usize::from(probes.port() % 8))?;
    let fits = from.is_ipv4() == packet.src.is_ipv4() && routable(from, packet.src);
    fits.then(|| packet.error(from, *kind))
}

fn sequence(probes: &mut Probes, number: u16) -> Vec<Packet> {
    let packet = loop {
        let packet = probes.packet();
        if routable(packet.src, packet.dst) && plain(packet.proto) {
            break Packet { extra: Extra::None, ..packet };
        }
    };
    let packet = opening(numbered(packet, number));
    let mut sequence = vec![packet.clone()];
    if packet.side == Side::Outside {
        // To a service or to nobody; its reply is judged by the pair, known or not.
        sequence.extend([packet.reply(), packet.clone()]);
        return sequence;
    }
    let reply = answer(&packet);
    sequence.extend(strangers(probes, &reply));
    sequence.push(reply.clone());
    if packet.proto == proto::TCP {
        sequence.push(Packet { flags: flag::ACK, ..packet.clone() });
        sequence.push(Packet { flags: flag::ACK, ..reply.clone() });
    }
    sequence.extend(strangers(probes, &reply));
    sequence.push(packet);
    sequence
}

/// With this remote port, or id of a query. What has neither stays out of VLANs: the kernel would take
/// an answer from any of them, as the export says.
fn numbered(packet: Packet, number: u16) -> Packet {
    let proto = lookup::Proto(packet.proto).folded();
    let tag = packet.tag.filter(|_| proto.has_ports() || proto == lookup::Proto::ICMP);
    let (src, dst) = packet.ports;
    let ports = match (packet.proto, packet.side) {
        (proto::ICMP | proto::ICMPV6, _) | (_, Side::Inside) => (src, number),
        (_, Side::Outside) => (number, dst),
    };
    Packet { ports, tag, ..packet }
}

/// As the first packet of its connection would be.
fn opening(packet: Packet) -> Packet {
    match (packet.proto, packet.src) {
        (proto::TCP, _) => Packet { flags: flag::SYN, ..packet },
        (proto::ICMP | proto::ICMPV6, IpAddr::V4(_)) => {
            Packet { proto: proto::ICMP, ports: (8, packet.ports.1), ..packet }
        }
        (proto::ICMP | proto::ICMPV6, IpAddr::V6(_)) => {
            Packet { proto: proto::ICMPV6, ports: (128, packet.ports.1), ..packet }
        }
        _ => packet,
    }
}

fn answer(packet: &Packet) -> Packet {
    let reply = packet.reply();
    match reply.proto {
        proto::TCP => Packet { flags: flag::SYN | flag::ACK, ..reply },
        _ => reply,
    }
}

/// The reply as somebody would send it who was not asked.
fn strangers(probes: &mut Probes, reply: &Packet) -> Vec<Packet> {
    let mut strangers = Vec::new();
    let (src, port) = (probes.pair().0, probes.port());
    if src.is_ipv4() == reply.src.is_ipv4() && routable(src, reply.dst) {
        strangers.push(Packet { src, ..reply.clone() });
    }
    let (first, second) = reply.ports;
    if matches!(reply.proto, proto::ICMP | proto::ICMPV6) {
        strangers.push(Packet { ports: (first, second ^ 1), ..reply.clone() });
    } else if matches!(reply.proto, proto::TCP | proto::UDP | proto::UDP_LITE) {
        strangers.push(Packet { ports: (port, second), ..reply.clone() });
        strangers.push(Packet { ports: (first, port), ..reply.clone() });
    }
    strangers
}

/// Protocols whose connections the kernel and Palisade see alike without a handshake of their own.
fn plain(number: u8) -> bool {
    !matches!(number, proto::SCTP | proto::DCCP)
}

/// Whether a router forwards packets between these two at all.
fn routable(src: IpAddr, dst: IpAddr) -> bool {
    let ends = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            first != 0 && first != 127 && !(224..240).contains(&first) && !v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            bits > 1
                && !v6.is_multicast()
                && !v6.is_unicast_link_local()
                && v6.to_ipv4_mapped().is_none()
        }
    };
    ends(src) && ends(dst) && src != dst
}
