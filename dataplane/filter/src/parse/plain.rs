//! Plain packets, as nearly all are: TCP or UDP in an IPv4 packet without options, or in IPv6 without extension
//! headers, whole and well formed.
//!
//! They are read apart from the rest, by the same rules, because what is known of them need not be asked again:
//! that takes less than half of the instructions. What is not plain is left as it was, for the rest to read.

use lookup::{Proto, Side};

use super::ether::{self, Link};
use super::transport::{self, Ports};
use super::{Fate, Head, Packet, Payload, be16, ipv4, ipv6};
use crate::Family;
use crate::flow::Key;

/// Reads a plain packet; nothing of another one.
#[inline(always)]
pub(super) fn read(frame: &[u8], side: Side, packet: &mut Packet) -> bool {
    let plain = ether::read(frame).ok().and_then(|link| match link.ethertype {
        ether::IPV4 => v4(&link, side, packet),
        ether::IPV6 => v6(&link, side, packet),
        _ => None,
    });
    plain.is_some()
}

// These write in place what they found: moved about, it would cost more than it takes to read.

#[inline(always)]
fn v4(link: &Link<'_>, side: Side, packet: &mut Packet) -> Option<()> {
    let (fixed, _) = link.bytes.split_first_chunk::<20>()?;
    let bytes = link.bytes.get(20..usize::from(be16!(fixed, 2)))?;
    let whole = be16!(fixed, 6) & (ipv4::OFFSET | ipv4::MORE_FRAGMENTS) == 0;
    let (src, dst) = ipv4::addresses(fixed);
    if fixed[0] != 0x45 || !whole || !ipv4::checksum_ok(fixed) || ipv4::bad_source(src) {
        return None;
    }
    behind((link, Family::V4, side), (src, dst), (fixed[9], bytes), packet)
}

#[inline(always)]
fn v6(link: &Link<'_>, side: Side, packet: &mut Packet) -> Option<()> {
    let (fixed, rest) = link.bytes.split_first_chunk::<40>()?;
    let bytes = rest.get(..usize::from(be16!(fixed, 4)))?;
    let (src, dst) = ipv6::addresses(fixed);
    if fixed[0] >> 4 != 6 || ipv6::bad_source(src) {
        return None;
    }
    behind((link, Family::V6, side), (src, dst), (fixed[6], bytes), packet)
}

#[inline(always)]
fn behind(
    (link, family, side): (&Link<'_>, Family, Side),
    (src, dst): (u128, u128),
    (proto, bytes): (u8, &[u8]),
    packet: &mut Packet,
) -> Option<()> {
    let payload = Payload { proto, hop_limit: 0, fragmented: false, piece: None, bytes };
    let ports = match Proto(proto) {
        Proto::TCP => transport::tcp(&payload),
        Proto::UDP => transport::udp(&payload),
        _ => return None,
    };
    let Ports { src: src_port, dst: dst_port, step } = ports.ok().filter(|_| src != dst)?;
    let head = Head { src, dst, src_port, dst_port, vlan: link.vlan, proto, family };
    let key = Key::new(side, &head, proto, (src_port, dst_port));
    *packet = Packet { head, key, piece: None, step, fate: Fate::Judge };
    Some(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// A frame that is plain, or nearly: what it is made of, and bytes that are then overwritten.
    #[derive(Clone, Debug)]
    struct Made {
        six: bool,
        tcp: bool,
        tags: Vec<u16>,
        /// Words of the IPv4 header, and of the TCP header.
        words: (u8, u8),
        body: usize,
        spoilt: Vec<(usize, u8)>,
        /// The header's checksum is put right after that.
        sound: bool,
        /// Bytes that the frame has less, or more.
        off: isize,
    }

    fn made() -> impl Strategy<Value = Made> {
        let tag = prop_oneof![Just(0_u16), Just(42), Just(4095)];
        let tags = prop::collection::vec(tag, 0..=3);
        let words = prop_oneof![4 => Just(5_u8), 1 => 4..=7_u8];
        let byte = prop_oneof![Just(0_u8), Just(1), Just(0x45), Just(0xff), any::<u8>()];
        let spoilt = prop::collection::vec((0..90_usize, byte), 0..=3);
        let off = prop_oneof![4 => Just(0_isize), 1 => -30..30_isize];
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        (flags, tags, (words.clone(), words), 0..20_usize, spoilt, off).prop_map(
            |((six, tcp, sound), tags, words, body, spoilt, off)| Made {
                six,
                tcp,
                tags,
                words,
                body,
                spoilt,
                sound,
                off,
            },
        )
    }

    fn frame(made: &Made) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in &made.tags {
            frame.extend([0x81, 0x00]);
            frame.extend(tag.to_be_bytes());
        }
        let header = if made.tcp { usize::from(made.words.1) * 4 } else { 8 };
        let payload = header + made.body;
        let proto = if made.tcp { Proto::TCP.0 } else { Proto::UDP.0 };
        let ip = frame.len() + 2;
        let ends = if made.six {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, payload as u8, proto, 64]);
            frame.extend([[0x20; 16], [0x21; 16]].concat());
            40
        } else {
            let words = made.words.0;
            let total = usize::from(words) * 4 + payload;
            frame.extend([8, 0, 0x40 | words, 0, 0, total as u8, 0, 1, 0x40, 0, 64, proto, 0, 0]);
            frame.extend([198, 51, 100, 1, 10, 2, 0, 1]);
            frame.resize(ip + usize::from(words).max(5) * 4, 1);
            20
        };
        let mut transport = vec![0x03, 0xe7, 0, 53, 0, payload as u8];
        transport.resize(payload, 0);
        if let (true, Some(offset)) = (made.tcp, transport.get_mut(12)) {
            *offset = made.words.1 << 4;
        }
        frame.extend(transport);
        for &(at, byte) in &made.spoilt {
            if let Some(place) = frame.get_mut(at + 12) {
                *place = byte;
            }
        }
        if let (true, Some(header)) = (made.sound && !made.six, frame.get_mut(ip..ip + ends)) {
            header[10..12].fill(0);
            let words = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
            let sum: u32 = words.sum();
            let sum = !((sum >> 16) + (sum & 0xffff)) as u16;
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        frame.resize(frame.len().saturating_add_signed(made.off), 0);
        frame
    }

    #[test]
    fn a_plain_packet_is_what_it_is_to_the_rest() {
        let plain = Cell::new([0_u32; 2]);
        let config = ProptestConfig::with_cases(60_000);
        proptest!(config, |(made in made(), outside in any::<bool>())| {
            let frame = frame(&made);
            let side = if outside { Side::Outside } else { Side::Inside };
            // What stood there before is gone.
            let mut packet = Packet { step: super::super::Step::Error, ..Packet::UNREAD };
            packet.head.src = 7;
            if read(&frame, side, &mut packet) {
                let mut other = Packet::UNREAD;
                other.fate = super::super::read(&frame, side, &mut other).unwrap_or_else(Fate::Drop);
                prop_assert_eq!(format!("{packet:?}"), format!("{other:?}"));
                let [v4, v6] = plain.get();
                plain.set(if made.six { [v4, v6 + 1] } else { [v4 + 1, v6] });
            } else {
                prop_assert_eq!(packet.head.src, 7, "left as it was");
            }
        });
        let [v4, v6] = plain.get();
        assert!(v4.min(v6) > 5_000, "{v4} and {v6} plain packets");
    }
}
