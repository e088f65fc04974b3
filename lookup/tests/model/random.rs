//! Random models over a small part of the address space, so that everything overlaps.

use std::net::IpAddr;

use super::model::{
    Domain, Group, Model, Net, Override, PROTOS, Service, address, bits, has_ports,
};

/// SplitMix64 (Steele, Lea, Flood 2014): a seed names a case for ever.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn some<T: Clone>(&mut self, list: &[T], most: usize) -> Vec<T> {
        let mut rest = list.to_vec();
        let count = self.below(most + 1).min(rest.len());
        (0..count).map(|_| rest.swap_remove(self.below(rest.len()))).collect()
    }
}

const BASES: [&str; 12] = [
    "10.2.0.0",
    "10.2.3.0",
    "192.0.2.0",
    "203.0.113.77",
    "100.64.0.0",
    "0.0.0.0",
    "255.255.255.255",
    "2001:db8::",
    "2001:db8:0:7::9",
    "fc00::",
    "::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const COUNTRIES: [&str; 5] = ["DE", "FR", "US", "XK", "JP"];
const ASNS: [u32; 4] = [1, 3320, 64500, u32::MAX];
/// Ends of the ids, of a word of ids, and neighbours.
const VLANS: [u16; 9] = [0, 1, 2, 10, 11, 63, 64, 4093, 4094];

pub(crate) fn any_address(rng: &mut Rng) -> IpAddr {
    let base: IpAddr = rng.pick(&BASES).parse().unwrap();
    let (value, width) = bits(base);
    let noise = (u128::from(rng.next()) << 64) | u128::from(rng.next());
    let keep = [8, 16, 20, 24, 32][rng.below(5)].min(u32::from(width) - 1);
    let noise = if width == 32 { noise & 0xffff_ffff } else { noise };
    address(value ^ (noise >> keep & (u128::MAX >> (128 - u32::from(width)))), width)
}

fn net(rng: &mut Rng) -> Net {
    let inside = if rng.one_in(3) { any_address(rng) } else { rng.pick(&BASES).parse().unwrap() };
    let lens: &[u8] = match inside {
        IpAddr::V4(_) => &[0, 1, 7, 8, 15, 16, 23, 24, 25, 31, 32],
        IpAddr::V6(_) => &[0, 1, 7, 32, 48, 63, 64, 65, 96, 127, 128],
    };
    // Networks of everything drown the rest: seldom.
    let skip = if rng.one_in(8) { 0 } else { 3 };
    Net::around(inside, lens[skip + rng.below(lens.len() - skip)])
}

fn nets(rng: &mut Rng, most: usize) -> Vec<Net> {
    let mut nets: Vec<Net> = Vec::new();
    for _ in 0..=rng.below(most) {
        let net = net(rng);
        if !nets.contains(&net) {
            nets.push(net);
        }
    }
    nets
}

fn group(rng: &mut Rng, known: &[String], name: String) -> Group {
    let mut group = Group { name, ..Group::default() };
    if rng.one_in(3) {
        group.any_of = Some(rng.some(known, 3));
        group.any_of.as_mut().filter(|parts| parts.is_empty()).iter_mut().for_each(|parts| {
            parts.push(known[0].clone());
        });
    } else {
        let axes = 1 + rng.below(7);
        group.networks = (axes & 1 != 0).then(|| nets(rng, 4));
        group.countries = (axes & 2 != 0).then(|| {
            let mut list = rng.some(&COUNTRIES, 2);
            if list.is_empty() {
                list.push("DE");
            }
            list
        });
        group.asns = (axes & 4 != 0).then(|| vec![*rng.pick(&ASNS)]);
    }
    if rng.one_in(3) {
        group.except = rng.some(known, 2);
    }
    group
}

fn service(rng: &mut Rng, name: String) -> Service {
    let (proto, number) = if rng.one_in(5) { ("any", 6) } else { *rng.pick(&PROTOS) };
    let ports = (has_ports(number) && !rng.one_in(3)).then(|| {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for _ in 0..=rng.below(3) {
            let first = *rng.pick(&[1, 2, 80, 255, 256, 257, 511, 512, 1000, 65280, 65535]);
            let length = *rng.pick(&[0, 1, 255, 256, 700]);
            let range = (first, u16::saturating_add(first, length));
            if !ranges.contains(&range) {
                ranges.push(range);
            }
        }
        ranges
    });
    Service { name, networks: nets(rng, 3), proto, ports, carve_out: rng.one_in(2) }
}

fn vlans(rng: &mut Rng) -> Vec<u16> {
    // In the order of the dice, and now and then all that there are.
    if rng.one_in(20) {
        return (0..=4094).collect();
    }
    let mut list = rng.some(&VLANS, 4);
    if list.is_empty() {
        list.push(10);
    }
    list
}

/// A model, most often without conflicts.
pub(crate) fn model(seed: u64) -> Model {
    let rng = &mut Rng(seed);
    let mut model = Model { failsafe: nets(rng, 2), ..Model::default() };
    if rng.one_in(2) {
        model.failsafe.clear();
    }
    model.countries.push((Net::around("8.8.8.8".parse().unwrap(), 24), "US"));
    model.operators.push((Net::around("8.8.8.8".parse().unwrap(), 24), 3320));
    for net in nets(rng, 10) {
        model.countries.push((net, *rng.pick(&COUNTRIES)));
    }
    for net in nets(rng, 6) {
        model.operators.push((net, *rng.pick(&ASNS)));
    }
    for network in nets(rng, 3) {
        let axes = 1 + rng.below(3);
        let country = (axes & 1 != 0).then(|| *rng.pick(&COUNTRIES));
        let asn = (axes & 2 != 0).then(|| *rng.pick(&ASNS));
        model.overrides.push(Override { network, country, asn });
    }
    let mut known: Vec<String> = ["anyone", "private", "unknown"].map(str::to_owned).to_vec();
    for index in 0..rng.below(7) {
        let name = format!("g{index}");
        model.groups.push(group(rng, &known, name.clone()));
        known.push(name);
    }
    // The file's order is not the order of evaluation.
    model.groups.reverse();
    for index in 0..1 + rng.below(4) {
        let (allow, deny) = (rng.some(&known, 3), rng.some(&known, 1));
        let (name, shadow) = (format!("d{index}"), rng.one_in(4));
        let vlans = rng.one_in(2).then(|| vlans(rng));
        model.domains.push(Domain { name, shadow, allow, deny, vlans, services: Vec::new() });
        for number in 0..rng.below(5) {
            let service = service(rng, format!("s{number}"));
            model.domains[index].services.push(service);
            if model.conflict() && !rng.one_in(4) {
                model.domains[index].services.pop();
            }
        }
    }
    model.egress = rng.one_in(2).then(|| (rng.some(&known, 2), rng.some(&known, 1)));
    model
}
