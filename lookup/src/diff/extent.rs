//! How much flips: counted in addresses (IPv4) and in /48s (IPv6), by country, with the largest
//! spans as examples.
//!
//! A /48 is what one site has in IPv6 (RFC 6177); it counts once, however little of it flips.

use std::collections::HashMap;

use ipnet::IpNet;
use serde::Serialize;

use crate::{Address, Country};

/// How many examples are shown of each direction and family.
const EXAMPLES: usize = 5;

/// Addresses that flip in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// IPv4 addresses.
    pub ipv4: u64,
    /// IPv6 networks of 48 bits with an address that flips.
    pub ipv6_48s: u64,
    /// The same by country, the most first.
    pub countries: Vec<ByCountry>,
    /// The largest spans of each family.
    pub examples: Vec<Example>,
}

/// What flips in one country, or on its way from one to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByCountry {
    /// The country; `None` when it is not known.
    pub country: Option<String>,
    /// The country before.
    pub before: Option<String>,
    /// IPv4 addresses.
    pub ipv4: u64,
    /// IPv6 networks of 48 bits.
    pub ipv6_48s: u64,
}

/// One span that flips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its first address.
    pub first: String,
    /// Its last address.
    pub last: String,
    /// The country; `None` when it is not known.
    pub country: Option<String>,
    /// The country before.
    pub before: Option<String>,
    /// The rule that decided before; `None` when there was no service.
    pub rule_before: Option<String>,
    /// The rule that decides now; `None` when there is no service.
    pub rule: Option<String>,
}

impl Extent {
    /// Nothing flips.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4 == 0 && self.ipv6_48s == 0
    }
}

/// What the addresses of a span have in common, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub(super) country: [Option<Country>; 2],
    pub(super) rule: [Option<&'a str>; 2],
}

/// What is counted of an address: itself in IPv4, its /48 in IPv6.
pub(super) trait Unit: Address {
    fn unit(self) -> u64;
}

impl Unit for u32 {
    fn unit(self) -> u64 {
        u64::from(self)
    }
}

impl Unit for u128 {
    fn unit(self) -> u64 {
        (self >> 80) as u64
    }
}

/// Counts units of spans that come in ascending order, each unit once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) units: u64,
    /// The first unit that was not counted yet.
    next: u64,
}

impl Count {
    pub(super) fn add<A: Unit>(&mut self, first: A, last: A) {
        let (from, to) = (first.unit().max(self.next), last.unit());
        if from <= to {
            self.units += to - from + 1;
            self.next = to + 1;
        }
    }
}

/// The spans of one family and direction, taken in ascending order.
#[derive(Debug)]
pub(super) struct Tally<'a, A> {
    count: Count,
    countries: HashMap<[Option<Country>; 2], Count>,
    open: Option<(A, A, Note<'a>)>,
    /// With their sizes, the largest first.
    largest: Vec<(u128, A, A, Note<'a>)>,
}

impl<A> Default for Tally<'_, A> {
    fn default() -> Self {
        Self { count: Count::default(), countries: HashMap::new(), open: None, largest: Vec::new() }
    }
}

impl<'a, A: Unit + Into<u128>> Tally<'a, A> {
    pub(super) fn add(&mut self, first: A, last: A, note: Note<'a>) {
        self.count.add(first, last);
        self.countries.entry(note.country).or_default().add(first, last);
        match &mut self.open {
            Some((_, end, same)) if *same == note && end.successor() == Some(first) => *end = last,
            _ => {
                self.close();
                self.open = Some((first, last, note));
            }
        }
    }

    fn close(&mut self) {
        let Some((first, last, note)) = self.open.take() else { return };
        let size = last.into() - first.into();
        let at = self.largest.partition_point(|(other, ..)| *other >= size);
        if at < EXAMPLES {
            self.largest.insert(at, (size, first, last, note));
            self.largest.truncate(EXAMPLES);
        }
    }

    fn examples(mut self) -> Vec<Example> {
        self.close();
        let text = |address: A| match address.network(A::BITS) {
            IpNet::V4(net) => net.addr().to_string(),
            IpNet::V6(net) => net.addr().to_string(),
        };
        let example = |(_, first, last, note): (_, A, A, Note<'_>)| Example {
            first: text(first),
            last: text(last),
            country: note.country[1].map(|it| it.to_string()),
            before: note.country[0].map(|it| it.to_string()),
            rule_before: note.rule[0].map(str::to_owned),
            rule: note.rule[1].map(str::to_owned),
        };
        self.largest.into_iter().map(example).collect()
    }
}

/// Both families of one direction together.
pub(super) fn extent(v4: Tally<'_, u32>, v6: Tally<'_, u128>) -> Extent {
    let mut sums: HashMap<[Option<Country>; 2], [u64; 2]> = HashMap::new();
    for (country, count) in &v4.countries {
        sums.entry(*country).or_default()[0] = count.units;
    }
    for (country, count) in &v6.countries {
        sums.entry(*country).or_default()[1] = count.units;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(country, [v4, v6])| (std::cmp::Reverse((*v4, *v6)), *country));
    let text = |country: Option<Country>| country.map(|it| it.to_string());
    let countries = sums.into_iter().map(|([before, after], [ipv4, ipv6_48s])| ByCountry {
        country: text(after),
        before: text(before),
        ipv4,
        ipv6_48s,
    });
    let (ipv4, ipv6_48s) = (v4.count.units, v6.count.units);
    let countries = countries.collect();
    let examples = [v4.examples(), v6.examples()].concat();
    Extent { ipv4, ipv6_48s, countries, examples }
}
