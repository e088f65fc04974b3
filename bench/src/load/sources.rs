//! Source addresses by country and by verdict: `DE:50,denied:30,unknown:20` over a geo database.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use lookup::{Country, OriginKeys};

use super::random::Random;
use crate::{Error, Result};

/// Where sources are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A country of the database.
    Country(Country),
    /// Public addresses that the database has no country for.
    Unknown,
    /// Any country that the fence lets in.
    Allowed,
    /// Any country that the fence keeps out.
    Denied,
    /// Any public address.
    Anywhere,
}

/// A part of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Where it is from.
    pub origin: Origin,
    /// Its weight among the others.
    pub weight: u32,
}

/// The parts of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares(pub Vec<Share>);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => country.fmt(f),
            Self::Unknown => f.write_str("unknown"),
            Self::Allowed => f.write_str("allowed"),
            Self::Denied => f.write_str("denied"),
            Self::Anywhere => f.write_str("anywhere"),
        }
    }
}

impl FromStr for Shares {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |part: &str| {
            Error::Usage(format!(
                "`{part}`: write shares of countries, unknown, allowed, denied, anywhere, as DE:50,unknown:20"
            ))
        };
        let share = |part: &str| {
            let (name, weight) = part.split_once(':').ok_or_else(|| wrong(part))?;
            let origin = match (name, Country::new(name)) {
                (_, Some(country)) => Origin::Country(country),
                ("unknown", _) => Origin::Unknown,
                ("allowed", _) => Origin::Allowed,
                ("denied", _) => Origin::Denied,
                ("anywhere", _) => Origin::Anywhere,
                _ => return Err(wrong(part)),
            };
            let weight = weight.parse().ok().filter(|weight| *weight > 0);
            Ok(Share { origin, weight: weight.ok_or_else(|| wrong(part))? })
        };
        text.split(',').map(share).collect::<Result<_>>().map(Self)
    }
}

impl Shares {
    /// Deals `total` out by weight; the first shares take what does not divide.
    #[must_use]
    pub fn deal(&self, total: usize) -> Vec<usize> {
        let all: u64 = self.0.iter().map(|share| u64::from(share.weight)).sum();
        let mut left = total;
        let mut weight_left = all;
        let part = |share: &Share| {
            let weight = u64::from(share.weight);
            let part = (left as u64 * weight).div_ceil(weight_left.max(1)) as usize;
            left -= part;
            weight_left -= weight;
            part
        };
        self.0.iter().map(part).collect()
    }
}

/// The networks of one origin, to draw addresses from.
#[derive(Debug)]
pub struct Sources {
    v4: Pool<u32>,
    v6: Pool<u128>,
}

/// Ranges with the number of addresses up to and with each.
#[derive(Debug)]
struct Pool<A> {
    ranges: Vec<(A, A)>,
    sums: Vec<u128>,
}

impl Sources {
    /// The networks of an origin, with a fence that lets some countries in; `None` when the database
    /// has none in either family.
    #[must_use]
    pub fn of(keys: &OriginKeys, origin: Origin, welcome: &[Country]) -> Option<Self> {
        let welcomes = |country: &Country| welcome.contains(country);
        let wanted: Vec<bool> = keys
            .keys
            .iter()
            .map(|key| match origin {
                Origin::Country(country) => key.country == Some(country),
                Origin::Unknown => key.country.is_none(),
                Origin::Allowed => key.country.is_some_and(|country| welcomes(&country)),
                Origin::Denied => key.country.is_some_and(|country| !welcomes(&country)),
                Origin::Anywhere => true,
            })
            .collect();
        let holds = |id: u32| wanted.get(id as usize).copied().unwrap_or(false);
        let v4 =
            keys.v4.iter().filter(|(.., id)| holds(id.0)).flat_map(|(a, z, _)| public_v4(a, z));
        let v6 =
            keys.v6.iter().filter(|(.., id)| holds(id.0)).flat_map(|(a, z, _)| public_v6(a, z));
        // A family's smaller networks should not vanish beside one giant, so IPv6 ranges weigh alike.
        let v4 = Pool::new(v4.map(|(a, z)| ((a, z), u128::from(z - a) + 1)));
        let v6 = Pool::new(v6.map(|range| (range, 1)));
        (!v4.ranges.is_empty() || !v6.ranges.is_empty()).then_some(Self { v4, v6 })
    }

    /// An IPv4 address, where there is one.
    pub fn v4(&self, random: &mut Random) -> Option<IpAddr> {
        let (first, last) = self.v4.range(random)?;
        let offset = random.below(u128::from(last - first) + 1) as u32;
        Some(IpAddr::V4(Ipv4Addr::from(first + offset)))
    }

    /// The first and last address of a range of IPv4 addresses, where there is one.
    pub fn v4_range(&self, random: &mut Random) -> Option<(IpAddr, IpAddr)> {
        let (first, last) = self.v4.range(random)?;
        Some((Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into()))
    }

    /// An IPv6 address, where there is one.
    pub fn v6(&self, random: &mut Random) -> Option<IpAddr> {
        let (first, last) = self.v6.range(random)?;
        let offset = random.below((last - first).saturating_add(1));
        Some(IpAddr::V6(Ipv6Addr::from(first + offset)))
    }
}

impl<A: Copy> Pool<A> {
    fn new(weighed: impl Iterator<Item = ((A, A), u128)>) -> Self {
        let mut total = 0;
        let (ranges, sums) = weighed
            .map(|(range, weight)| {
                total += weight;
                (range, total)
            })
            .unzip();
        Self { ranges, sums }
    }

    fn range(&self, random: &mut Random) -> Option<(A, A)> {
        let ticket = random.below(*self.sums.last()?);
        self.ranges.get(self.sums.partition_point(|sum| *sum <= ticket)).copied()
    }
}

/// The parts of a range that a host on the internet could have: 1.0.0.0 to 223.255.255.255 without
/// the special networks of RFC 6890.
fn public_v4(first: u32, last: u32) -> Vec<(u32, u32)> {
    const HOLES: [(u32, u32); 12] = [
        (0x0000_0000, 0x00ff_ffff),
        (0x0a00_0000, 0x0aff_ffff),
        (0x6440_0000, 0x647f_ffff),
        (0x7f00_0000, 0x7fff_ffff),
        (0xa9fe_0000, 0xa9fe_ffff),
        (0xac10_0000, 0xac1f_ffff),
        (0xc000_0000, 0xc000_00ff),
        (0xc000_0200, 0xc000_02ff),
        (0xc0a8_0000, 0xc0a8_ffff),
        (0xc612_0000, 0xc613_ffff),
        (0xc633_6400, 0xc633_64ff),
        (0xcb00_7100, 0xcb00_71ff),
    ];
    let mut parts = Vec::new();
    let mut begin = first;
    let last = last.min(0xdfff_ffff);
    for (hole_first, hole_last) in HOLES {
        if begin < hole_first && begin <= last {
            parts.push((begin, last.min(hole_first - 1)));
        }
        if begin <= hole_last {
            begin = begin.max(hole_last + 1);
        }
    }
    if begin <= last {
        parts.push((begin, last));
    }
    parts
}

/// The parts of a range in 2000::/3, without documentation's 2001:db8::/32.
fn public_v6(first: u128, last: u128) -> impl Iterator<Item = (u128, u128)> {
    const PARTS: [(u128, u128); 2] =
        [(0x2000 << 112, (0x2001_0db8 << 96) - 1), (0x2001_0db9 << 96, (0x4000 << 112) - 1)];
    PARTS
        .into_iter()
        .map(move |(a, z)| (first.max(a), last.min(z)))
        .filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_parse_or_say_how() {
        let shares: Shares = "DE:50,us:30,unknown:20".parse().unwrap();
        let names: Vec<String> = shares.0.iter().map(|share| share.origin.to_string()).collect();
        assert_eq!(names, ["DE", "US", "unknown"]);
        for bad in ["", "DE", "DE:", "DE:0", "DE:x", "Germany:5", "DE:50,,US:1", "DE:-1"] {
            assert!(bad.parse::<Shares>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_deal_everything_out() {
        for text in ["DE:1", "DE:50,US:30,unknown:20", "DE:1,US:1,FR:1", "DE:4000000000,US:1"] {
            let shares: Shares = text.parse().unwrap();
            for total in [0, 1, 2, 7, 100, 100_000] {
                assert_eq!(shares.deal(total).iter().sum::<usize>(), total, "{text} {total}");
            }
        }
        let shares: Shares = "DE:50,US:30,unknown:20".parse().unwrap();
        assert_eq!(shares.deal(100), [50, 30, 20]);
    }

    #[test]
    fn private_space_is_cut_out() {
        type Parts = Vec<(u32, u32)>;
        let cases: [((u32, u32), Parts); 5] = [
            ((0, 0x00ff_ffff), vec![]),
            (
                (0x0900_0000, 0x0b00_0000),
                vec![(0x0900_0000, 0x09ff_ffff), (0x0b00_0000, 0x0b00_0000)],
            ),
            ((0x0a00_0001, 0x0a00_0002), vec![]),
            ((0x0800_0000, 0x0800_00ff), vec![(0x0800_0000, 0x0800_00ff)]),
            ((0xdfff_ff00, 0xffff_ffff), vec![(0xdfff_ff00, 0xdfff_ffff)]),
        ];
        for ((first, last), parts) in cases {
            assert_eq!(public_v4(first, last), parts, "{first:x}-{last:x}");
        }
        let whole = public_v4(0, u32::MAX);
        assert_eq!(whole.len(), 12);
        assert_eq!(public_v6(0, u128::MAX).count(), 2);
        assert_eq!(public_v6(0, 5).count(), 0);
        assert_eq!(public_v6(0x2001_0db8 << 96, (0x2001_0db8 << 96) + 5).count(), 0);
    }
}
