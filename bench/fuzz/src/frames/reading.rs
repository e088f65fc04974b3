//! A second, slow reader of frames, on etherparse's layers: what a packet is to a policy.
//!
//! It shares no line with the filter's parser. Where a frame could mean other ends than its headers
//! name (source routes, home addresses), or is no sound packet, there is no reading: such a frame
//! may not be forwarded.

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Slice, IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice,
    Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanSlice,
};
use lookup::Side;

/// Both ends of what is judged, and what tells it from other pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) remote: IpAddr,
    pub(super) local: IpAddr,
    pub(super) remote_port: u16,
    pub(super) local_port: u16,
    pub(super) proto: u8,
    pub(super) kind: Kind,
}

/// What a pair stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Flow,
    /// An ICMP query of this type, asked from this side, and its answers.
    Query(u8, Side),
    /// Other ICMP.
    Notice,
}

/// One fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: u32,
    /// Where it begins and ends in its datagram, bytes.
    pub(super) offset: usize,
    pub(super) end: usize,
    /// IPv4 tells datagrams apart by protocol, too.
    pub(super) proto: u8,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// ARP, neighbour or listener discovery.
    Link,
    /// A fragment that is not the first.
    Later(Piece),
    /// A packet that is judged by this pair.
    Packet { pair: Pair, opens: bool, first: Option<Piece> },
}

/// A frame's reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) what: What,
    pub(super) vlan: u16,
    /// As the IP header says; the unspecified address where there is none.
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
}

/// An IP packet up to its payload.
struct Packet<'a> {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    piece: Option<Piece>,
    bytes: &'a [u8],
}

pub(super) fn read(side: Side, frame: &[u8]) -> Option<Reading> {
    let link = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let (mut kind, mut bytes, mut vlan) = (link.ether_type(), link.payload_slice(), 0);
    while matches!(kind, EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING) {
        let tag = SingleVlanSlice::from_slice(bytes).ok()?;
        if vlan == 0 {
            vlan = tag.vlan_identifier().value();
        }
        (kind, bytes) = (tag.ether_type(), tag.payload_slice());
    }
    let nobody = IpAddr::from([0, 0, 0, 0]);
    let packet = match kind {
        EtherType::ARP => {
            return Some(Reading { what: What::Link, vlan, src: nobody, dst: nobody });
        }
        EtherType::IPV4 => v4(bytes)?,
        EtherType::IPV6 => v6(bytes)?,
        _ => return None,
    };
    let Packet { src, dst, .. } = packet;
    Some(Reading { what: what(side, &packet)?, vlan, src, dst })
}

fn v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
    let mut options = header.options();
    while let [kind, rest @ ..] = options {
        options = match (kind, rest) {
            (0, _) => &[],
            (1, _) => rest,
            (131 | 137, _) => return None,
            (_, [len, ..]) => rest.get(usize::from(*len).checked_sub(1)?..)?,
            _ => return None,
        };
    }
    let len = header.slice().len();
    let payload = bytes.get(len..usize::from(header.total_len()))?;
    let offset = usize::from(header.fragments_offset().value()) * 8;
    let (id, proto) = (header.identification().into(), header.protocol().0);
    let piece = Piece { id, offset, end: offset + payload.len(), proto };
    Some(Packet {
        src: header.source_addr().into(),
        dst: header.destination_addr().into(),
        proto,
        piece: (offset > 0 || header.more_fragments()).then_some(piece),
        bytes: payload,
    })
}

fn v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    let payload = bytes.get(40..)?.get(..usize::from(header.payload_length()))?;
    let (proto, piece, bytes) = chain(header.next_header().0, payload)?;
    let (src, dst) = (header.source_addr().into(), header.destination_addr().into());
    Some(Packet { src, dst, proto, piece, bytes })
}

/// Protocol, fragment and payload behind the extension headers.
fn chain(mut next: u8, mut bytes: &[u8]) -> Option<(u8, Option<Piece>, &[u8])> {
    let mut piece = None;
    loop {
        let (proto, len) = match next {
            0 | 60 | 43 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(bytes).ok()?;
                let body = header.payload();
                let travelled = next != 43 || (body[0] != 0 && body[1] == 0);
                if !travelled || next != 43 && !options_sound(body) {
                    return None;
                }
                (header.next_header(), header.slice().len())
            }
            44 => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes).ok()?;
                if header.is_fragmenting_payload() {
                    let offset = usize::from(header.fragment_offset().value()) * 8;
                    let (id, end) = (header.identification(), offset + bytes.len() - 8);
                    piece = Some(Piece { id, offset, end, proto: 0 });
                    if offset > 0 {
                        return Some((header.next_header().0, piece, &[]));
                    }
                }
                (header.next_header(), 8)
            }
            51 => {
                let header = IpAuthHeaderSlice::from_slice(bytes).ok()?;
                (header.next_header(), header.slice().len())
            }
            _ => return Some((next, piece, bytes)),
        };
        next = proto.0;
        bytes = &bytes[len..];
    }
}

/// No jumbo payload and no home address among the options.
fn options_sound(mut body: &[u8]) -> bool {
    while let [kind, rest @ ..] = body {
        body = match (kind, rest) {
            (0, _) => rest,
            (0xc2 | 0xc9, _) => return false,
            (_, [len, rest @ ..]) if rest.len() >= usize::from(*len) => &rest[usize::from(*len)..],
            _ => return false,
        };
    }
    true
}

fn what(side: Side, packet: &Packet<'_>) -> Option<What> {
    let &Packet { src, dst, proto, piece, bytes } = packet;
    if let Some(piece) = piece.filter(|piece| piece.offset > 0) {
        return Some(What::Later(piece));
    }
    let icmp = if src.is_ipv4() { 1 } else { 58 };
    if proto == icmp {
        return message(side, packet);
    }
    let (src_port, dst_port) = ports(proto, bytes)?;
    let opens = proto != 6 || {
        let flags = bytes.get(13)?;
        let (end, syn_ack) = (flags & 5 != 0, flags & 0x12 == 0x12);
        !end && !syn_ack
    };
    let pair = pair(side, (src, dst), (src_port, dst_port), (proto, Kind::Flow));
    Some(What::Packet { pair, opens, first: piece })
}

fn ports(proto: u8, bytes: &[u8]) -> Option<(u16, u16)> {
    if !matches!(proto, 6 | 17 | 33 | 132 | 136) {
        return Some((0, 0));
    }
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    Some((word(0)?, word(2)?))
}

/// The pair of a packet that travels from `side`.
fn pair(
    side: Side,
    (src, dst): (IpAddr, IpAddr),
    (src_port, dst_port): (u16, u16),
    (proto, kind): (u8, Kind),
) -> Pair {
    match side {
        Side::Outside => Pair {
            remote: src,
            local: dst,
            remote_port: src_port,
            local_port: dst_port,
            proto,
            kind,
        },
        Side::Inside => Pair {
            remote: dst,
            local: src,
            remote_port: dst_port,
            local_port: src_port,
            proto,
            kind,
        },
    }
}

fn other(side: Side) -> Side {
    if side == Side::Outside { Side::Inside } else { Side::Outside }
}

/// ICMP: a query or its answer by who asked, an error by what it embeds.
fn message(side: Side, packet: &Packet<'_>) -> Option<What> {
    let &Packet { src, dst, proto, piece, bytes } = packet;
    let v4 = src.is_ipv4();
    let kind = *bytes.first()?;
    if !v4 && matches!(kind, 130..=137 | 143) {
        return Some(What::Link);
    }
    if matches!((v4, kind), (true, 3 | 4 | 11 | 12) | (false, 1..=4)) {
        let pair = embedded(other(side), bytes.get(8..)?, dst)?;
        return Some(What::Packet { pair, opens: false, first: None });
    }
    let pair = match query(v4, kind) {
        Some((query, answer)) => {
            let asked = if answer { other(side) } else { side };
            let id = u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]);
            let pair = pair(side, (src, dst), (0, 0), (proto, Kind::Query(query, asked)));
            Pair { remote_port: id, ..pair }
        }
        None => pair(side, (src, dst), (0, 0), (proto, Kind::Notice)),
    };
    let opens = matches!(query(v4, kind), Some((_, false)));
    Some(What::Packet { pair, opens, first: piece })
}

/// The query's type, and whether this is the answer.
fn query(v4: bool, kind: u8) -> Option<(u8, bool)> {
    match (v4, kind) {
        (true, 8) | (false, 128) => Some((8, false)),
        (true, 0) | (false, 129) => Some((8, true)),
        (true, 13) => Some((13, false)),
        (true, 14) => Some((13, true)),
        _ => None,
    }
}

/// The pair of the packet that an error embeds, which went from `side` and was sent by `sender`.
fn embedded(side: Side, bytes: &[u8], sender: IpAddr) -> Option<Pair> {
    let (src, dst, proto, start): (IpAddr, IpAddr, u8, &[u8]) = if sender.is_ipv4() {
        let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
        let (src, dst) = (header.source_addr(), header.destination_addr());
        (src.into(), dst.into(), header.protocol().0, bytes.get(header.slice().len()..)?)
    } else {
        let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
        let (proto, _, start) = chain(header.next_header().0, bytes.get(40..)?)?;
        (header.source_addr().into(), header.destination_addr().into(), proto, start)
    };
    let icmp = if sender.is_ipv4() { 1 } else { 58 };
    if src != sender || start.len() < 8 {
        return None;
    }
    if proto != icmp {
        return Some(pair(side, (src, dst), ports(proto, start)?, (proto, Kind::Flow)));
    }
    let (kind, answer) = query(sender.is_ipv4(), start[0])?;
    let asked = if answer { other(side) } else { side };
    let id = u16::from_be_bytes([start[4], start[5]]);
    let pair = pair(side, (src, dst), (0, 0), (proto, Kind::Query(kind, asked)));
    Some(Pair { remote_port: id, ..pair })
}
