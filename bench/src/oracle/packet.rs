//! Packets as they are asked about, and the frames that carry them.

use std::fmt;
use std::net::IpAddr;

use lookup::Side;

/// One packet, before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Where it arrives.
    pub side: Side,
    /// The tag control information of an 802.1Q tag: priority and id.
    pub tag: Option<u16>,
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// The protocol, as the header has it.
    pub proto: u8,
    /// Source and destination port; type and id of ICMP; nothing for other protocols.
    pub ports: (u16, u16),
    /// Flags of TCP.
    pub flags: u8,
    /// What stands between the IP header and the transport header.
    pub extra: Extra,
    /// What the packet carries: an ICMP error's embedded packet.
    pub payload: Vec<u8>,
}

/// Options and extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extra {
    /// Nothing.
    None,
    /// Harmless ones: record route, or destination options.
    Options,
    /// A route of the sender's choice: loose source route, or a routing header with a way to go.
    Route,
    /// Strict source route, or a routing header of type 0 at its end.
    OldRoute,
    /// Timestamps, or a routing header of type 2 at its end, which is no matter any more.
    Arrived,
}

/// TCP flags.
pub mod flag {
    /// Opens.
    pub const SYN: u8 = 0x02;
    /// Acknowledges.
    pub const ACK: u8 = 0x10;
    /// Ends.
    pub const FIN: u8 = 0x01;
}

/// Protocol numbers (IANA).
pub mod proto {
    #![allow(missing_docs, reason = "the names say it")]
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const ICMPV6: u8 = 58;
    pub const OSPF: u8 = 89;
    pub const SCTP: u8 = 132;
    pub const UDP_LITE: u8 = 136;
}

/// The MAC addresses of the two ends, so that the bridge never answers for either.
const OUTSIDE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xc0];
const INSIDE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x50];

impl Packet {
    /// A packet of UDP without anything special.
    #[must_use]
    pub fn udp(side: Side, src: IpAddr, dst: IpAddr, ports: (u16, u16)) -> Self {
        let (tag, proto, flags, extra) = (None, proto::UDP, 0, Extra::None);
        Self { side, tag, src, dst, proto, ports, flags, extra, payload: Vec::new() }
    }

    /// The id of its VLAN; 0 without a tag.
    #[must_use]
    pub fn vlan(&self) -> u16 {
        self.tag.unwrap_or(0) & 0x0fff
    }

    /// An ICMP error about this packet, from somewhere on its way.
    #[must_use]
    pub fn error(&self, from: IpAddr, kind: u16) -> Self {
        let proto = if self.src.is_ipv4() { proto::ICMP } else { proto::ICMPV6 };
        let packet = Self { extra: Extra::None, ..self.reply() };
        Self { src: from, proto, ports: (kind, 0), payload: self.ip(), ..packet }
    }

    /// The packet that answers this one.
    #[must_use]
    pub fn reply(&self) -> Self {
        let side = match self.side {
            Side::Outside => Side::Inside,
            Side::Inside => Side::Outside,
        };
        let (first, second) = self.ports;
        let ports = match (self.proto, first) {
            // From query to answer, with the same id.
            (proto::ICMP, 8) => (0, second),
            (proto::ICMP, 13) => (14, second),
            (proto::ICMPV6, 128) => (129, second),
            (proto::ICMP | proto::ICMPV6, _) => (first, second),
            _ => (second, first),
        };
        Self { side, src: self.dst, dst: self.src, ports, ..self.clone() }
    }

    /// As a frame on the wire.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let (dst, src) = match self.side {
            Side::Outside => (INSIDE_MAC, OUTSIDE_MAC),
            Side::Inside => (OUTSIDE_MAC, INSIDE_MAC),
        };
        let mut frame = [dst, src].concat();
        if let Some(tag) = self.tag {
            frame.extend(0x8100_u16.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        let ethertype: u16 = if self.src.is_ipv4() { 0x0800 } else { 0x86dd };
        frame.extend(ethertype.to_be_bytes());
        frame.extend(self.ip());
        frame
    }

    /// From the IP header on.
    #[must_use]
    pub fn ip(&self) -> Vec<u8> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.v4(src.octets(), dst.octets()),
            (src, dst) => self.v6(sixteen(src), sixteen(dst)),
        }
    }

    fn v4(&self, src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
        let options: &[u8] = match self.extra {
            Extra::None => &[],
            Extra::Options => &[7, 7, 4, 0, 0, 0, 0, 0],
            Extra::Route => &[131, 7, 4, 192, 0, 2, 1, 0],
            Extra::OldRoute => &[137, 7, 4, 192, 0, 2, 1, 0],
            Extra::Arrived => &[68, 8, 5, 0, 0, 0, 0, 0],
        };
        let transport = self.transport();
        let words = (20 + options.len()) / 4;
        let total = 20 + options.len() + transport.len();
        let mut packet = vec![0x40 | words as u8, 0];
        packet.extend((total as u16).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, self.proto, 0, 0]);
        packet.extend(src);
        packet.extend(dst);
        packet.extend(options);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(transport);
        packet
    }

    fn v6(&self, src: [u8; 16], dst: [u8; 16]) -> Vec<u8> {
        let (next, header): (u8, Vec<u8>) = match self.extra {
            Extra::None => (self.proto, Vec::new()),
            Extra::Options => (60, vec![self.proto, 0, 1, 4, 0, 0, 0, 0]),
            // Segment routing, one segment left.
            Extra::Route => (43, routing(self.proto, 4, 1)),
            Extra::OldRoute => (43, routing(self.proto, 0, 0)),
            Extra::Arrived => (43, routing(self.proto, 2, 0)),
        };
        let transport = self.transport();
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(((header.len() + transport.len()) as u16).to_be_bytes());
        packet.extend([next, 64]);
        packet.extend(src);
        packet.extend(dst);
        packet.extend(header);
        packet.extend(transport);
        packet
    }

    fn transport(&self) -> Vec<u8> {
        let (src, dst) = self.ports;
        let mut bytes: Vec<u8> = [src.to_be_bytes(), dst.to_be_bytes()].concat();
        match self.proto {
            proto::TCP => {
                bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
            }
            proto::UDP => {
                bytes.extend(((8 + self.payload.len()) as u16).to_be_bytes());
                bytes.extend([0, 0]);
            }
            // A checksum of 0 is an error there (RFC 3828), a wrong one is not looked at.
            proto::UDP_LITE => bytes.extend([0, 8, 0xff, 0xff]),
            proto::SCTP | proto::DCCP => bytes.extend([0; 12]),
            // Type and id: `ports` are those of a query.
            proto::ICMP | proto::ICMPV6 => {
                bytes = vec![src as u8, 0, 0, 0];
                bytes.extend(dst.to_be_bytes());
                bytes.extend([0, 0]);
            }
            _ => bytes = vec![0; 16],
        }
        bytes.extend(&self.payload);
        bytes
    }
}

/// A routing header of 24 bytes: one address, the loopback's.
fn routing(next: u8, kind: u8, left: u8) -> Vec<u8> {
    let mut header = vec![next, 2, kind, left, 0, 0, 0, 0];
    header.extend([0; 15]);
    header.push(1);
    header
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// RFC 1071.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|two| {
        let low = two.get(1).copied().unwrap_or(0);
        u32::from(two[0]) << 8 | u32::from(low)
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, src, dst, proto, ports, extra, .. } = self;
        write!(f, "{side:?}: {src} {} -> {dst} {} proto {proto}", ports.0, ports.1)?;
        if let Some(tag) = self.tag {
            write!(f, " vlan {} prio {}", tag & 0x0fff, tag >> 13)?;
        }
        if *extra != Extra::None {
            write!(f, " {extra:?}")?;
        }
        Ok(())
    }
}
