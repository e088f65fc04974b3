//! What is told of a packet beside its verdict, and the frame that the filter is given.
//!
//! The filter parses frames itself; this reads the few fields that a line about a packet shows, and
//! never decides anything but the side that it came from.

use std::net::IpAddr;

use lookup::{Ask, Proto, Side};

use super::capture::Record;

/// LINKTYPE_… of captures that can be judged.
const ETHERNET: u16 = 1;
const RAW: u16 = 101;
const COOKED: u16 = 113;
const RAW_V4: u16 = 228;
const RAW_V6: u16 = 229;
const COOKED_2: u16 = 276;

/// An Ethernet header for packets that were captured without one.
const HEADER: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// Makes the frame of a record: as it was on the wire, with zeros for what was not kept. `false` when
/// the link is of a kind that is not known.
pub(super) fn frame(record: &Record<'_>, frame: &mut Vec<u8>) -> bool {
    frame.clear();
    let bytes = record.bytes;
    let (header, ethertype) = match record.link {
        ETHERNET => (0, None),
        RAW | RAW_V4 | RAW_V6 => {
            let version = bytes.first().map_or(0, |byte| byte >> 4);
            (0, Some(if version == 6 { [0x86, 0xdd] } else { [0x08, 0x00] }))
        }
        COOKED => (16, bytes.get(14..16).and_then(|it| it.try_into().ok())),
        COOKED_2 => (20, bytes.get(0..2).and_then(|it| it.try_into().ok())),
        _ => return false,
    };
    if record.link != ETHERNET {
        frame.extend(HEADER);
        frame.extend(ethertype.unwrap_or([0, 0]));
    }
    frame.extend(bytes.get(header..).unwrap_or_default());
    let missing = record.wire_bytes.saturating_sub(bytes.len() as u32);
    let missing = missing.min(super::capture::PACKET_BYTES) as usize;
    frame.resize(frame.len() + missing, 0);
    true
}

/// The ends of a packet, as far as they can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) proto: u8,
    pub(super) vlan: u16,
}

impl Ends {
    /// The address on the outside.
    pub(super) fn remote(&self, side: Side) -> IpAddr {
        match side {
            Side::Outside => self.src,
            Side::Inside => self.dst,
        }
    }

    /// The question that the packet puts to a policy.
    pub(super) fn ask(&self, side: Side) -> Ask {
        let has_port = side == Side::Inside && Proto(self.proto).has_ports();
        Ask {
            from: self.src,
            from_port: has_port.then_some(self.src_port),
            to: self.dst,
            to_port: self.dst_port,
            proto: Proto(self.proto).folded(),
            side,
            vlan: self.vlan,
        }
    }

    /// The ends of a frame; `None` when it is neither IPv4 nor IPv6, or too short to say.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let (mut at, mut vlan) = (12, 0);
        let ethertype = loop {
            let kind = u16_at(frame, at)?;
            if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
                break kind;
            }
            let id = u16_at(frame, at + 2)? & 0x0fff;
            if vlan == 0 {
                vlan = id;
            }
            at += 4;
        };
        let packet = frame.get(at + 2..)?;
        let (src, dst, proto, rest) = match ethertype {
            0x0800 => v4(packet)?,
            0x86dd => v6(packet)?,
            _ => return None,
        };
        let ports = Proto(proto).has_ports();
        let port = |at| rest.filter(|_| ports).and_then(|rest| u16_at(rest, at)).unwrap_or(0);
        Some(Self { src, dst, src_port: port(0), dst_port: port(2), proto, vlan })
    }
}

type Read<'a> = (IpAddr, IpAddr, u8, Option<&'a [u8]>);

fn v4(packet: &[u8]) -> Option<Read<'_>> {
    let address = |at: usize| {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(IpAddr::from(bytes))
    };
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let later = u16_at(packet, 6)? & 0x1fff != 0;
    let rest = packet.get(header..).filter(|_| !later);
    Some((address(12)?, address(16)?, *packet.get(9)?, rest))
}

fn v6(packet: &[u8]) -> Option<Read<'_>> {
    let address = |at: usize| {
        let bytes: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::from(bytes))
    };
    let (src, dst) = (address(8)?, address(24)?);
    let mut proto = *packet.get(6)?;
    let mut rest = packet.get(40..);
    // Each turn leaves at least eight bytes behind.
    while let Some(header) = rest.filter(|_| matches!(proto, 0 | 43 | 44 | 51 | 60)) {
        let (Some(&next), Some(&length)) = (header.first(), header.get(1)) else { break };
        let bytes = match proto {
            44 if u16_at(header, 2).is_some_and(|word| word & 0xfff8 != 0) => {
                return Some((src, dst, next, None));
            }
            44 => 8,
            51 => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        (proto, rest) = (next, header.get(bytes..));
    }
    Some((src, dst, proto, rest))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
