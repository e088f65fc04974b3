//! Frame to flow key, beside etherparse.
//!
//! Ours reads more than the others are asked for here: fragments, extension headers, checks of every
//! length and of addresses that no packet may have.

use std::hint::black_box;
use std::net::IpAddr;

use etherparse::{
    Ethernet2Slice, InternetSlice, Ipv4Slice, Ipv6Slice, PacketBuilder, SlicedPacket,
    TransportSlice, UdpSlice, ether_type,
};
use filter::bare::FlowKey;
use lookup::Side;

use super::spent::spent_ns;
use super::{NS, Tables, differ};
use crate::Result;
use crate::load::Random;
use crate::record::{Record, Row};

const FRAMES: usize = 1024;
/// Times that all frames are read in a round.
const TURNS: usize = 256;

/// UDP frames of 60 bytes, or 62 with IPv6.
fn frames(six: bool) -> Vec<Vec<u8>> {
    let mut random = Random::new(3);
    let mut frame = || {
        let (bits, port) = (random.next_u64(), 1024 | random.next_u64() as u16);
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let [a, b, c, d, ..] = bits.to_be_bytes();
        let builder = if six {
            let mut source = [0x20; 16];
            source[8..].copy_from_slice(&bits.to_be_bytes());
            ethernet.ipv6(source, [0x24; 16], 64)
        } else {
            ethernet.ipv4([1 | a & 63, b, c, d], [10, 1, 0, 1], 64)
        };
        let mut bytes = Vec::new();
        // A Vec takes every write.
        let _ = builder.udp(port, 443).write(&mut bytes, &[0; 18][..if six { 0 } else { 18 }]);
        bytes
    };
    (0..FRAMES).map(|_| frame()).collect()
}

fn ours(frame: &[u8]) -> Option<FlowKey> {
    FlowKey::read(frame, Side::Outside)
}

/// Layer by layer: the fastest way through etherparse.
fn layers(frame: &[u8]) -> Option<FlowKey> {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let payload = ethernet.payload_slice();
    let (source, target, transport): (IpAddr, IpAddr, _) = match ethernet.ether_type() {
        ether_type::IPV4 => {
            let ip = Ipv4Slice::from_slice(payload).ok()?;
            let header = ip.header();
            let ends = (header.source_addr().into(), header.destination_addr().into());
            (ends.0, ends.1, ip.payload().payload)
        }
        ether_type::IPV6 => {
            let ip = Ipv6Slice::from_slice(payload).ok()?;
            let header = ip.header();
            let ends = (header.source_addr().into(), header.destination_addr().into());
            (ends.0, ends.1, ip.payload().payload)
        }
        _ => return None,
    };
    let udp = UdpSlice::from_slice(transport).ok()?;
    Some(FlowKey::udp((source, udp.source_port()), (target, udp.destination_port())))
}

/// The whole packet at once, as most programs call it.
fn whole(frame: &[u8]) -> Option<FlowKey> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, target): (IpAddr, IpAddr) = match packet.net? {
        InternetSlice::Ipv4(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        InternetSlice::Ipv6(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        _ => return None,
    };
    let TransportSlice::Udp(udp) = packet.transport? else { return None };
    Some(FlowKey::udp((source, udp.source_port()), (target, udp.destination_port())))
}

/// Nanoseconds a frame.
fn round(frames: &[Vec<u8>], read: impl Fn(&[u8]) -> Option<FlowKey>) -> f64 {
    let (ns, ()) = spent_ns(|| {
        for _ in 0..TURNS {
            for frame in frames {
                black_box(read(black_box(frame)));
            }
        }
    });
    ns / (TURNS * frames.len()) as f64
}

pub(super) fn measure(terms: &Tables) -> Result<Record> {
    let mut record = Record::begin("parse");
    record
        .notes
        .push(format!("{FRAMES} UDP frames in cache, from the first byte to the flow key."));
    for (six, family) in [(false, "IPv4"), (true, "IPv6")] {
        let frames = frames(six);
        for (name, theirs) in [("layers", layers as fn(&[u8]) -> _), ("whole", whole)] {
            if let Some(frame) = frames.iter().find(|frame| ours(frame) != theirs(frame)) {
                return Err(differ("parse", name, frame));
            }
        }
        let mut times: [Vec<f64>; 3] = Default::default();
        for _ in 0..terms.rounds.max(1) * 2 {
            times[0].push(round(&frames, ours));
            times[1].push(round(&frames, layers));
            times[2].push(round(&frames, whole));
        }
        let [own, layers, whole] = times;
        let what = format!("{family} frame to flow key");
        for (peer, theirs) in
            [("etherparse, slices by layer", layers), ("etherparse, SlicedPacket", whole)]
        {
            record.rows.push(Row::beside(&what, peer, NS, own.clone(), theirs));
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_read_the_same_key_from_every_frame() {
        for six in [false, true] {
            for frame in frames(six) {
                let key = ours(&frame);
                assert!(key.is_some(), "{frame:x?}");
                assert_eq!((layers(&frame), whole(&frame)), (key, key), "{frame:x?}");
            }
        }
    }
}
