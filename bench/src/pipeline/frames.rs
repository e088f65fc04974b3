//! Frames of many flows, written over one template: only what differs between flows is written.

use std::net::IpAddr;

use etherparse::PacketBuilder;
use lookup::{Address, Country, Geo, OriginKeys, Ranges};

use crate::load::Random;

/// Where an IPv4 header stands in an untagged frame.
const IP: usize = 14;

/// UDP from many sources to one service.
pub(super) struct Flows {
    template: Vec<u8>,
    sources: Vec<(IpAddr, u16)>,
}

impl Flows {
    /// `count` flows from random addresses of the countries to `service`, without payload that counts.
    pub(super) fn new(
        geo: &Geo,
        countries: &[Country],
        service: (IpAddr, u16),
        count: usize,
    ) -> Self {
        let all = geo.keys();
        let mut random = Random::new(count as u64 + 1);
        let sources = match service.0 {
            IpAddr::V4(_) => {
                let spans = spans(&all.v4, &all, countries);
                (0..count).map(|n| (pick4(&spans, &mut random), port(n))).collect()
            }
            IpAddr::V6(_) => {
                let spans = spans(&all.v6, &all, countries);
                (0..count).map(|n| (pick6(&spans, &mut random), port(n))).collect()
            }
        };
        Self { template: template(service), sources }
    }

    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Writes frames `first..first + frames.len()`, beginning anew after the last flow.
    pub(super) fn write(&self, first: usize, frames: &mut [Vec<u8>]) {
        for (place, frame) in (first..).zip(frames) {
            frame.clear();
            frame.extend_from_slice(&self.template);
            let (source, port) = self.sources[place % self.sources.len()];
            match source {
                IpAddr::V4(source) => {
                    frame[IP + 12..IP + 16].copy_from_slice(&source.octets());
                    frame[IP + 20..IP + 22].copy_from_slice(&port.to_be_bytes());
                    checksum(&mut frame[IP..IP + 20]);
                }
                IpAddr::V6(source) => {
                    frame[IP + 8..IP + 24].copy_from_slice(&source.octets());
                    frame[IP + 40..IP + 42].copy_from_slice(&port.to_be_bytes());
                }
            }
        }
    }
}

fn port(flow: usize) -> u16 {
    1024 + (flow % 60_000) as u16
}

/// First and last address of each range of the countries.
fn spans<A: Address + Into<u128>>(
    ranges: &Ranges<A, lookup::OriginId>,
    all: &OriginKeys,
    countries: &[Country],
) -> Vec<(u128, u128)> {
    // What IPv6 has below 2000::/3 stands for IPv4.
    let low = if A::BITS == 128 { 0x2000 << 112 } else { 1 << 24 };
    let theirs = |id: &lookup::OriginId| {
        let country = all.keys.get(id.0 as usize).and_then(|key| key.country);
        country.is_some_and(|country| countries.contains(&country))
    };
    let wide = ranges.iter().filter(|(_, _, id)| theirs(id)).map(|it| (it.0.into(), it.1.into()));
    wide.filter(|(first, _)| *first >= low).collect()
}

fn pick(spans: &[(u128, u128)], random: &mut Random) -> u128 {
    let place = random.below(spans.len() as u128) as usize;
    let (first, last) = spans.get(place).copied().unwrap_or_default();
    first + random.below(last - first + 1)
}

fn pick4(spans: &[(u128, u128)], random: &mut Random) -> IpAddr {
    IpAddr::V4((pick(spans, random) as u32).into())
}

fn pick6(spans: &[(u128, u128)], random: &mut Random) -> IpAddr {
    IpAddr::V6(pick(spans, random).into())
}

fn template((target, port): (IpAddr, u16)) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let mut frame = Vec::new();
    // A Vec takes every write.
    let _ = match target {
        IpAddr::V4(target) => {
            let builder = ethernet.ipv4([0; 4], target.octets(), 64).udp(0, port);
            builder.write(&mut frame, &[0; 18])
        }
        IpAddr::V6(target) => {
            let builder = ethernet.ipv6([0; 16], target.octets(), 64).udp(0, port);
            builder.write(&mut frame, &[])
        }
    };
    frame
}

/// The checksum of an IPv4 header (RFC 1071).
fn checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let word = |pair: &[u8]| pair.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let mut sum: u32 = header.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket};
    use lookup::GeoFiles;

    #[test]
    fn frames_are_sound_and_of_their_country() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        let country = Country::new("DE").unwrap();
        let ends: [(IpAddr, u16); 2] =
            [([10, 1, 0, 1].into(), 443), ("2001:db8::1".parse().unwrap(), 443)];
        for service in ends {
            let flows = Flows::new(&geo, &[country], service, 500);
            let mut frames = vec![Vec::new(); 600];
            flows.write(0, &mut frames);
            assert_eq!(frames[0], frames[500]);
            for frame in &frames {
                let packet = SlicedPacket::from_ethernet(frame).unwrap();
                let source: IpAddr = match packet.net.unwrap() {
                    NetSlice::Ipv4(ip) => {
                        let header = ip.header();
                        assert_eq!(
                            header.header_checksum(),
                            header.to_header().calc_header_checksum()
                        );
                        header.source_addr().into()
                    }
                    NetSlice::Ipv6(ip) => ip.header().source_addr().into(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(geo.origin(source).country, Some(country), "{source}");
            }
        }
    }
}
