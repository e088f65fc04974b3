//! Sound packets of a small world, each of four bytes: few ends, so that packets meet.
//!
//! ```text
//!  byte 0: remote (3 bits), local (2), family (1), tagged (2)
//!  byte 1: local port (3), remote port (2)      byte 2: kind      byte 3: id
//! ```

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
use lookup::Side;

const REMOTES: [[&str; 2]; 8] = [
    ["198.51.100.1", "2001:db8:de::1"],
    ["192.0.2.1", "2001:db8:f::1"],
    ["203.0.113.1", "2001:db8:c::1"],
    ["203.0.113.7", "2001:db8:c::7"],
    ["203.0.113.65", "2001:db8:f:1::1"],
    ["192.0.2.129", "2001:db8:de:1::1"],
    ["9.9.9.9", "2620:fe::9"],
    ["100.64.0.1", "fe80::1"],
];
const LOCALS: [[&str; 2]; 4] = [
    ["10.2.0.1", "fd00:2::1"],
    ["10.2.0.2", "fd00:2::2"],
    ["10.3.0.5", "fd00:3::5"],
    ["10.2.0.255", "fd00:2::ffff"],
];
const PORTS: [u16; 8] = [80, 443, 53, 5432, 6005, 7001, 4000, 22];
const TAGS: [&[u16]; 4] = [&[], &[10], &[0], &[20, 10]];

/// The packet that `choice` names, travelling from `side`.
pub(super) fn frame(side: Side, choice: &[u8]) -> Vec<u8> {
    let byte = |at: usize| choice.get(at).copied().unwrap_or(0);
    let (who, ports, kind, id) = (byte(0), byte(1), byte(2), byte(3));
    let family = usize::from(who >> 5 & 1);
    let at = |host: &str, port| -> SocketAddr {
        SocketAddr::new(host.parse().expect("an address"), port)
    };
    let remote_port = 999 + u16::from(ports >> 3 & 3);
    let remote = at(REMOTES[usize::from(who & 7)][family], remote_port);
    let local = at(LOCALS[usize::from(who >> 3 & 3)][family], PORTS[usize::from(ports & 7)]);
    let (from, to) = if side == Side::Outside { (remote, local) } else { (local, remote) };
    let bare = packet(from, to, kind, id);
    tagged(&bare, TAGS[usize::from(who >> 6)])
}

fn packet(from: SocketAddr, to: SocketAddr, kind: u8, id: u8) -> Vec<u8> {
    match kind % 20 {
        0..=6 => tcp(from, to, ["S", "SA", "A", "F", "R", "SF", ""][usize::from(kind % 20)]),
        7 | 8 => udp(from, to, &[id; 40]),
        9 => echo(from, to, false, id),
        10 => echo(from, to, true, id),
        // An error of this end about a packet of the other one.
        11 => error(from, to, &tcp(to, from, "A")),
        12 => error(from, to, &udp(to, from, &[id; 8])),
        13 => error(from, to, &echo(to, from, false, id)),
        14 => piece(&udp(from, to, &[id; 40]), id, 0, 24, true),
        15 => piece(&udp(from, to, &[id; 40]), id, 24, 48, false),
        16 => piece(&tcp(from, to, "A"), id, 8 * usize::from(id % 3), 24, true),
        17 => raw(from, to, 132, &[&ports(from, to)[..], &[0; 12]].concat()),
        18 => raw(from, to, 47, &[0, 0, 8, 0]),
        _ => raw(from, to, 136, &[&ports(from, to)[..], &[0; 4]].concat()),
    }
}

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<IpHeaders> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => builder.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => builder.ipv6(from.octets(), to.octets(), 64),
        _ => unreachable!("both of one family"),
    }
}

pub(super) fn tcp(from: SocketAddr, to: SocketAddr, flags: &str) -> Vec<u8> {
    let mut step = ip(from.ip(), to.ip()).tcp(from.port(), to.port(), 1, 1000);
    for flag in flags.chars() {
        step = match flag {
            'S' => step.syn(),
            'A' => step.ack(1),
            'F' => step.fin(),
            _ => step.rst(),
        };
    }
    let mut frame = Vec::new();
    step.write(&mut frame, b"payload").expect("room in a vector");
    frame
}

pub(super) fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let step = ip(from.ip(), to.ip()).udp(from.port(), to.port());
    step.write(&mut frame, payload).expect("room in a vector");
    frame
}

fn ports(from: SocketAddr, to: SocketAddr) -> [u8; 4] {
    let ([a, b], [c, d]) = (from.port().to_be_bytes(), to.port().to_be_bytes());
    [a, b, c, d]
}

/// A packet of any protocol.
pub(super) fn raw(from: SocketAddr, to: SocketAddr, proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = udp(from, to, &[0; 4]);
    if from.is_ipv4() {
        frame[23] = proto;
        frame.truncate(34);
    } else {
        frame[20] = proto;
        frame.truncate(54);
    }
    frame.extend(payload);
    sized(frame)
}

/// Makes the length of the IP header that of the frame, and its checksum right.
fn sized(mut frame: Vec<u8>) -> Vec<u8> {
    let len = frame.len();
    if frame[12..14] == [8, 0] {
        frame[16..18].copy_from_slice(&(len as u16 - 14).to_be_bytes());
        mend(&mut frame);
    } else {
        frame[18..20].copy_from_slice(&(len as u16 - 54).to_be_bytes());
    }
    frame
}

fn icmp(from: SocketAddr, to: SocketAddr, message: &[u8]) -> Vec<u8> {
    raw(from, to, if from.is_ipv4() { 1 } else { 58 }, message)
}

fn echo(from: SocketAddr, to: SocketAddr, reply: bool, id: u8) -> Vec<u8> {
    let kind = [[8, 128], [0, 129]][usize::from(reply)][usize::from(from.is_ipv6())];
    icmp(from, to, &[kind, 0, 0, 0, 0, id, 0, 1])
}

fn error(from: SocketAddr, to: SocketAddr, about: &[u8]) -> Vec<u8> {
    let (kind, code) = if from.is_ipv4() { (3, 3) } else { (1, 4) };
    icmp(from, to, &[&[kind, code, 0, 0, 0, 0, 0, 0], &about[14..]].concat())
}

/// The bytes from `start` to `end` of a frame's IP payload as a fragment.
pub(super) fn piece(frame: &[u8], id: u8, start: usize, end: usize, more: bool) -> Vec<u8> {
    let word = |shift: u32| ((start as u16 / 8) << shift).to_be_bytes();
    let head = if frame[12..14] == [8, 0] { 34 } else { 54 };
    let payload = &frame[head..];
    let payload = &payload[start.min(payload.len())..end.min(payload.len())];
    let payload = if more { &payload[..payload.len() / 8 * 8] } else { payload };
    let mut out = frame[..head].to_vec();
    if head == 34 {
        out[18..20].copy_from_slice(&[0, id]);
        let [high, low] = word(0);
        out[20..22].copy_from_slice(&[high | if more { 0x20 } else { 0 }, low]);
    } else {
        let [high, low] = word(3);
        out.extend([out[20], 0, high, low | u8::from(more), 0, 0, 0, id]);
        out[20] = 44;
    }
    out.extend(payload);
    sized(out)
}

/// Puts 802.1Q tags between addresses and type, outermost first.
pub(super) fn tagged(frame: &[u8], ids: &[u16]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    for id in ids {
        out.extend([0x81, 0x00]);
        out.extend(id.to_be_bytes());
    }
    out.extend(&frame[12..]);
    out
}

/// Makes the IPv4 header checksum of a frame right, if there is one behind the tags.
pub(super) fn mend(frame: &mut [u8]) {
    let mut at = 12;
    while let Some([0x81, 0x00] | [0x88, 0xa8]) = frame.get(at..at + 2) {
        at += 4;
    }
    if frame.get(at..at + 2) != Some(&[8, 0]) {
        return;
    }
    let Some(packet) = frame.get_mut(at + 2..) else { return };
    let len = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    let Some(header) = packet.get_mut(..len).filter(|header| header.len() >= 20) else { return };
    header[10..12].fill(0);
    let words =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}
