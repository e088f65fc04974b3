//! Frames to send.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6FlowLabel,
    Ipv6FragmentHeader, Ipv6Header, PacketBuilder, PacketBuilderStep,
};

const MAC: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

fn ends(from: &str, to: &str) -> (SocketAddr, SocketAddr) {
    let parse = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{text}` is no end"));
    (parse(from), parse(to))
}

fn ip(from: IpAddr, to: IpAddr, ttl: u8) -> PacketBuilderStep<IpHeaders> {
    let builder = PacketBuilder::ethernet2(MAC.0, MAC.1);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => builder.ipv4(from.octets(), to.octets(), ttl),
        (IpAddr::V6(from), IpAddr::V6(to)) => builder.ipv6(from.octets(), to.octets(), ttl),
        _ => panic!("two families"),
    }
}

/// A TCP segment; flags as letters (`S`, `SA`, `A`, `F`, `R`).
pub(crate) fn tcp(from: &str, to: &str, flags: &str) -> Vec<u8> {
    let (from, to) = ends(from, to);
    let mut step = ip(from.ip(), to.ip(), 64).tcp(from.port(), to.port(), 1, 1000);
    for flag in flags.chars() {
        step = match flag {
            'S' => step.syn(),
            'A' => step.ack(1),
            'F' => step.fin(),
            'R' => step.rst(),
            _ => panic!("flag {flag}"),
        };
    }
    let mut frame = Vec::new();
    step.write(&mut frame, b"payload").unwrap();
    frame
}

/// A UDP datagram.
pub(crate) fn udp(from: &str, to: &str) -> Vec<u8> {
    udp_with(from, to, b"payload!")
}

/// A UDP datagram with its payload.
pub(crate) fn udp_with(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = ends(from, to);
    let mut frame = Vec::new();
    let step = ip(from.ip(), to.ip(), 64).udp(from.port(), to.port());
    step.write(&mut frame, payload).unwrap();
    frame
}

/// An ICMP or ICMPv6 message, by the family of its ends.
pub(crate) fn icmp(from: &str, to: &str, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let number = if from.is_ipv4() { IpNumber::ICMP } else { IpNumber::IPV6_ICMP };
    raw(from, to, hop_limit, number, message)
}

/// An echo request, or its reply.
pub(crate) fn echo(from: &str, to: &str, reply: bool, id: u16) -> Vec<u8> {
    let kind = match (from.contains(':'), reply) {
        (false, false) => 8,
        (false, true) => 0,
        (true, false) => 128,
        (true, true) => 129,
    };
    let [high, low] = id.to_be_bytes();
    icmp(from, to, 64, &[kind, 0, 0, 0, high, low, 0, 1])
}

/// An ICMP error ("port unreachable") that embeds the start of a frame's packet.
pub(crate) fn error(from: &str, to: &str, embedded: &[u8], embedded_bytes: usize) -> Vec<u8> {
    let (kind, code) = if from.contains(':') { (1, 4) } else { (3, 3) };
    let packet = &embedded[14..];
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend(&packet[..embedded_bytes.min(packet.len())]);
    icmp(from, to, 64, &message)
}

/// A packet of any protocol.
pub(crate) fn raw(
    from: IpAddr,
    to: IpAddr,
    hop_limit: u8,
    number: IpNumber,
    bytes: &[u8],
) -> Vec<u8> {
    let mut frame = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ethernet(EtherType::IPV4, &mut frame);
            let len = u16::try_from(bytes.len()).unwrap();
            let mut header =
                Ipv4Header::new(len, hop_limit, number, from.octets(), to.octets()).unwrap();
            header.header_checksum = header.calc_header_checksum();
            header.write(&mut frame).unwrap();
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            ethernet(EtherType::IPV6, &mut frame);
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: u16::try_from(bytes.len()).unwrap(),
                next_header: number,
                hop_limit,
                source: from.octets(),
                destination: to.octets(),
            };
            header.write(&mut frame).unwrap();
        }
        _ => panic!("two families"),
    }
    frame.extend(bytes);
    frame
}

fn ethernet(ether_type: EtherType, frame: &mut Vec<u8>) {
    let header = Ethernet2Header { source: MAC.0, destination: MAC.1, ether_type };
    header.write(frame).unwrap();
}

/// Cuts a frame's packet into fragments at the given offsets (bytes, multiples of 8).
pub(crate) fn fragments(frame: &[u8], id: u16, cuts: &[usize]) -> Vec<Vec<u8>> {
    let header_bytes = if frame[12..14] == [0x08, 0x00] { 34 } else { 54 };
    let payload = &frame[header_bytes..];
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([payload.len()]);
    let last = payload.len();
    starts
        .zip(ends)
        .map(|(start, end)| fragment(frame, id, start, end < last, &payload[start..end]))
        .collect()
}

/// One fragment with the IP header of `frame`.
pub(crate) fn fragment(frame: &[u8], id: u16, offset: usize, more: bool, bytes: &[u8]) -> Vec<u8> {
    assert_eq!(offset % 8, 0);
    let units = IpFragOffset::try_new(u16::try_from(offset / 8).unwrap()).unwrap();
    let mut out = frame[..14].to_vec();
    if frame[12..14] == [0x08, 0x00] {
        let (mut header, _) = Ipv4Header::from_slice(&frame[14..]).unwrap();
        header.total_len = u16::try_from(20 + bytes.len()).unwrap();
        header.identification = id;
        header.fragment_offset = units;
        header.more_fragments = more;
        header.dont_fragment = false;
        header.header_checksum = header.calc_header_checksum();
        header.write(&mut out).unwrap();
    } else {
        let (mut header, _) = Ipv6Header::from_slice(&frame[14..]).unwrap();
        let next = header.next_header;
        header.payload_length = u16::try_from(8 + bytes.len()).unwrap();
        header.next_header = IpNumber::IPV6_FRAGMENTATION_HEADER;
        header.write(&mut out).unwrap();
        Ipv6FragmentHeader::new(next, units, more, u32::from(id)).write(&mut out).unwrap();
    }
    out.extend(bytes);
    out
}

/// Puts VLAN tags (type, id) between addresses and type, outermost first.
pub(crate) fn tagged(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    for (kind, id) in tags {
        out.extend(kind.to_be_bytes());
        out.extend(id.to_be_bytes());
    }
    out.extend(&frame[12..]);
    out
}

/// Puts extension headers (type, bytes without the next header field) behind the IPv6 header.
pub(crate) fn extended(frame: &[u8], headers: &[(u8, &[u8])]) -> Vec<u8> {
    let mut chain = Vec::new();
    for (i, (_, bytes)) in headers.iter().enumerate() {
        let next = headers.get(i + 1).map_or(frame[20], |(kind, _)| *kind);
        chain.push(next);
        chain.extend(*bytes);
    }
    let mut out = frame[..54].to_vec();
    let len = u16::try_from(frame.len() - 54 + chain.len()).unwrap();
    out[18..20].copy_from_slice(&len.to_be_bytes());
    out[20] = headers.first().map_or(frame[20], |(kind, _)| *kind);
    out.extend(chain);
    out.extend(&frame[54..]);
    out
}

/// Puts options (a multiple of 4 bytes) into an IPv4 header.
pub(crate) fn with_options(frame: &[u8], options: &[u8]) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let mut out = frame[..34].to_vec();
    out[14] += u8::try_from(options.len() / 4).unwrap();
    let total = u16::try_from(frame.len() - 14 + options.len()).unwrap();
    out[16..18].copy_from_slice(&total.to_be_bytes());
    out.extend(options);
    fix_checksum(&mut out);
    out.extend(&frame[34..]);
    out
}

/// Recomputes the IPv4 header checksum of a frame (at least up to the header's end).
pub(crate) fn fix_checksum(frame: &mut [u8]) {
    let header_bytes = usize::from(frame[14] & 15) * 4;
    frame[24..26].fill(0);
    let mut sum: u32 = 0;
    for pair in frame[14..14 + header_bytes].chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let checksum = !u16::try_from(sum).unwrap();
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
}
