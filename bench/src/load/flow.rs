//! A flow of the generator: addresses and ports, and the header that they make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a flow stands for, by the caller's own numbering: a country, allowed or denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u8);

/// The most flows that one generator can have.
pub const MAX_FLOWS: usize = 1_000_000;

/// Bits of the flow's index in a mark; the class has the rest (`bpf/marker.h`).
const FLOW_BITS: u32 = 26;
/// Bytes of a mark.
const MARK_BYTES: usize = 16;
const ETHERNET_BYTES: usize = 14;
const UDP_BYTES: usize = 8;
const TCP_BYTES: usize = 20;
/// Room for the longest header: Ethernet, IPv6, TCP, in words of eight bytes.
const HEADER_BYTES: usize = 80;
/// The frame check sequence, which is on the wire but not in memory.
const FCS_BYTES: usize = 4;

/// What the frames of a flow are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// UDP datagrams.
    #[default]
    Udp,
    /// TCP segments that open a connection, again and again. The mark is their payload, which
    /// a server may ignore (RFC 9293, 3.10.7.2).
    Syn,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Udp => UDP_BYTES,
            Self::Syn => TCP_BYTES,
        }
    }

    fn protocol(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Syn => 6,
        }
    }
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source address.
    pub source: IpAddr,
    /// Destination address; of the source's family.
    pub target: IpAddr,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub target_port: u16,
    /// What it stands for.
    pub class: Class,
    /// What its frames are.
    pub kind: Kind,
}

/// A flow as the map of the BPF program has it (`struct flow`): ten words of header, then
/// `header_bytes`, `frame_bytes`, `checksum`, `tag`, and the sequence.
pub(super) type Entry = [u64; 12];

impl Flow {
    /// Bytes of its frames in memory, for a size on the wire of 64 to 1518 (FCS included, as in
    /// RFC 2544); more where the headers and the mark need it.
    #[must_use]
    pub fn frame_bytes(&self, wire_bytes: usize) -> usize {
        wire_bytes.saturating_sub(FCS_BYTES).max(self.header_bytes() + MARK_BYTES)
    }

    fn header_bytes(&self) -> usize {
        ETHERNET_BYTES + self.kind.bytes() + if self.source.is_ipv4() { 20 } else { 40 }
    }

    /// The entry of the map; `None` when the two addresses are not of one family.
    pub(super) fn entry(&self, index: usize, macs: Macs, wire_bytes: usize) -> Option<Entry> {
        let frame = self.frame_bytes(wire_bytes);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend(macs.to);
        header.extend(macs.from);
        let checksum = match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => self.v4(&mut header, source, target, frame),
            (IpAddr::V6(source), IpAddr::V6(target)) => self.v6(&mut header, source, target, frame),
            _ => return None,
        };
        let header_bytes = header.len() as u64;
        header.resize(HEADER_BYTES, 0);
        let mut entry = Entry::default();
        for (word, bytes) in entry.iter_mut().zip(header.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().ok()?);
        }
        let tag = u64::from(self.class.0) << FLOW_BITS | index as u64;
        entry[10] = header_bytes | (frame as u64) << 16 | u64::from(checksum) << 32;
        entry[11] = tag & u64::from(u32::MAX);
        Some(entry)
    }

    /// UDP goes without a checksum (RFC 768 allows it), so there is none to keep up.
    fn v4(&self, header: &mut Vec<u8>, source: Ipv4Addr, target: Ipv4Addr, frame: usize) -> u16 {
        let total = word(frame - ETHERNET_BYTES);
        let protocol = self.kind.protocol();
        let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
        ip.extend(source.octets());
        ip.extend(target.octets());
        let checksum = (!fold(sum(&ip))).to_be_bytes();
        ip[10..12].copy_from_slice(&checksum);
        header.extend(0x0800_u16.to_be_bytes());
        header.extend(ip);
        let length = frame - ETHERNET_BYTES - 20;
        let ends = [source.octets(), target.octets()].concat();
        match self.kind {
            Kind::Udp => {
                self.transport(header, length, 0);
                0
            }
            Kind::Syn => self.summed(header, ends, length),
        }
    }

    fn v6(&self, header: &mut Vec<u8>, source: Ipv6Addr, target: Ipv6Addr, frame: usize) -> u16 {
        let payload = frame - ETHERNET_BYTES - 40;
        let length = word(payload);
        header.extend(0x86dd_u16.to_be_bytes());
        header.extend([0x60, 0, 0, 0, length[0], length[1], self.kind.protocol(), 64]);
        header.extend(source.octets());
        header.extend(target.octets());
        let ends = [source.octets(), target.octets()].concat();
        self.summed(header, ends, payload)
    }

    /// The transport header with the checksum of all but the mark (a pseudo header's fields stand
    /// in another order for IPv6, which changes no sum); the same as its two bytes lie in memory.
    fn summed(&self, header: &mut Vec<u8>, ends: Vec<u8>, length: usize) -> u16 {
        let mut pseudo = ends;
        pseudo.extend(word(length));
        pseudo.extend([0, self.kind.protocol()]);
        self.transport(&mut pseudo, length, 0);
        let checksum = !fold(sum(&pseudo));
        self.transport(header, length, checksum);
        u16::from_ne_bytes(checksum.to_be_bytes())
    }

    fn transport(&self, header: &mut Vec<u8>, length: usize, checksum: u16) {
        header.extend(self.source_port.to_be_bytes());
        header.extend(self.target_port.to_be_bytes());
        match self.kind {
            Kind::Udp => header.extend(word(length)),
            // Sequence number, no acknowledgement, five words of header, SYN, a window.
            Kind::Syn => header.extend([0x5a, 0x11, 0, 1, 0, 0, 0, 0, 5 << 4, 2, 0xfa, 0xf0]),
        }
        header.extend(checksum.to_be_bytes());
        if self.kind == Kind::Syn {
            header.extend([0, 0]); // nothing urgent
        }
    }
}

/// Link-layer addresses of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Macs {
    /// Source.
    pub(super) from: [u8; 6],
    /// Destination.
    pub(super) to: [u8; 6],
}

/// So many flows of one class, from consecutive ports and then consecutive addresses of a source.
#[must_use]
pub fn spread(first: Flow, flows: usize) -> Vec<Flow> {
    const PORTS: usize = 60_000;
    let shift = |address: IpAddr, by: usize| match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4).wrapping_add(by as u32))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6).wrapping_add(by as u128))),
    };
    (0..flows.min(MAX_FLOWS))
        .map(|flow| Flow {
            source: shift(first.source, flow / PORTS),
            source_port: first.source_port.wrapping_add((flow % PORTS) as u16),
            ..first
        })
        .collect()
}

fn word(bytes: usize) -> [u8; 2] {
    (bytes as u16).to_be_bytes()
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: Macs = Macs { from: [2, 0, 0, 0, 0, 1], to: [2, 0, 0, 0, 0, 2] };

    fn flow(source: &str, target: &str) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            source_port: 1000,
            target_port: 53,
            class: Class(5),
            kind: Kind::Udp,
        }
    }

    fn bytes(entry: &Entry) -> Vec<u8> {
        entry[..10].iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_v4_header_is_whole() {
        let entry = flow("192.0.2.1", "198.51.100.2").entry(7, MACS, 64).unwrap();
        let header = bytes(&entry);
        assert_eq!(header[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        assert_eq!(header[16..18], [0, 46], "total length");
        assert_eq!(fold(sum(&header[14..34])), 0xffff, "header checksum");
        assert_eq!(header[34..42], [0x03, 0xe8, 0, 53, 0, 26, 0, 0]);
        assert_eq!(entry[10], 42 | 60 << 16);
        assert_eq!(entry[11], 5 << 26 | 7);
    }

    #[test]
    fn a_v6_datagram_of_zeros_has_a_right_checksum() {
        let flow = flow("2001:db8::1", "2001:db8:1::2");
        let entry = flow.entry(0, MACS, 64).unwrap();
        let header = bytes(&entry);
        assert_eq!(entry[10] & 0xffff, 62);
        assert_eq!(entry[10] >> 16 & 0xffff, 78, "grown for the mark");
        let mut pseudo = header[22..54].to_vec();
        pseudo.extend([0, 0, 0, 24, 0, 0, 0, 17]);
        pseudo.extend(&header[54..62]);
        assert_eq!(fold(sum(&pseudo)), 0xffff);
    }

    #[test]
    fn a_syn_of_zeros_has_a_right_checksum() {
        for (source, target, ip, header_bytes) in
            [("192.0.2.1", "198.51.100.2", 20, 54), ("2001:db8::1", "2001:db8:1::2", 40, 74)]
        {
            let flow = Flow { kind: Kind::Syn, ..flow(source, target) };
            let entry = flow.entry(0, MACS, 64).unwrap();
            let header = bytes(&entry);
            let tcp = &header[14 + ip..14 + ip + 20];
            assert_eq!(entry[10] & 0xffff, header_bytes);
            assert_eq!(entry[10] >> 16 & 0xffff, header_bytes + 16, "grown for the mark");
            assert_eq!(tcp[..4], [0x03, 0xe8, 0, 53]);
            assert_eq!(tcp[12..14], [0x50, 2], "five words, SYN");
            let ends = if ip == 20 { &header[26..34] } else { &header[22..54] };
            let pseudo = [ends, &[0, 6, 0, 36], tcp].concat();
            assert_eq!(fold(sum(&pseudo)), 0xffff, "{source}");
        }
    }

    #[test]
    fn families_do_not_mix() {
        assert_eq!(flow("192.0.2.1", "2001:db8::1").entry(0, MACS, 64), None);
    }

    #[test]
    fn spread_flows_are_distinct() {
        let flows = spread(flow("192.0.2.1", "198.51.100.2"), 150_000);
        let mut pairs: Vec<_> = flows.iter().map(|f| (f.source, f.source_port)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), 150_000);
    }
}
