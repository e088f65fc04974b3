//! Random packets, biased to the boundaries of a policy: the ends of every network and of some of
//! the geo data's ranges, and the addresses next to them; the ends of every port range, likewise.

use std::net::IpAddr;

use ipnet::IpNet;
use lookup::policy::{Body, PRIVATE, Policy, Protos, Service};
use lookup::{Address, Geo, Ranges, Side};

use super::draft::Dice;
use super::packet::{Extra, Packet, flag, proto};
use crate::load::Random;

/// Packets about one policy.
pub struct Probes {
    dice: Dice,
    targets: Vec<Target>,
    /// Ends of services, and next to them.
    local: Vec<IpAddr>,
    /// Ends of everything else, likewise.
    remote: Vec<IpAddr>,
    ports: Vec<u16>,
    protos: Vec<u8>,
    vlans: Vec<u16>,
}

/// The boundaries of one service.
struct Target {
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
    proto: Option<u8>,
    vlans: Vec<u16>,
    /// Sources of its domain's exceptions, which few others are near.
    excepted: Vec<IpAddr>,
}

impl Target {
    fn of(policy: &Policy, service: &Service) -> Self {
        let exceptions = policy.exceptions.iter();
        let exceptions = exceptions.filter(|exception| exception.domain == service.domain);
        let networks = service.networks.iter();
        let ranges = service.ports.ranges().iter();
        Self {
            addresses: networks.flat_map(|network| edges(network.get_ref())).collect(),
            ports: ranges.flat_map(|&(first, last)| around(first, last)).collect(),
            proto: match service.proto {
                Protos::One(proto) => Some(proto.0),
                Protos::Any => None,
            },
            vlans: policy.domains[usize::from(service.domain.0)].vlans.clone().unwrap_or_default(),
            excepted: exceptions
                .flat_map(|exception| &exception.networks)
                .flat_map(edges)
                .collect(),
        }
    }
}

/// Ranges of the geo data whose ends are tried.
const GEO_RANGES: usize = 200;

impl Probes {
    /// The boundaries of a policy.
    #[must_use]
    pub fn of(policy: &Policy, geo: &Geo, seed: u64) -> Self {
        let mut dice = Dice(Random::new(seed));
        let targets: Vec<Target> =
            policy.services.iter().map(|service| Target::of(policy, service)).collect();
        let local: Vec<IpAddr> =
            targets.iter().flat_map(|target| &target.addresses).copied().collect();
        let keys = geo.keys();
        let mut remote: Vec<IpAddr> = Vec::new();
        ends(&mut dice, &keys.v4, |address| IpAddr::V4(address.into()), &mut remote);
        ends(&mut dice, &keys.v6, |address| IpAddr::V6(address.into()), &mut remote);
        // As often as all of the geo data: groups are what the policy is about.
        for _ in 0..4 {
            remote.extend(networks(policy).flat_map(edges));
        }
        let fixed = PRIVATE.iter().chain(&PRIVATE).chain(&UNSENDABLE);
        let fixed = fixed.filter_map(|text| text.parse().ok());
        remote.extend(fixed.flat_map(|network: IpNet| edges(&network)));
        let ranges = policy.services.iter().flat_map(|service| service.ports.ranges());
        let mut ports: Vec<u16> = ranges.flat_map(|&(first, last)| around(first, last)).collect();
        ports.push(40_000);
        let mut protos = vec![proto::TCP, proto::TCP, proto::UDP, proto::UDP, proto::ICMP];
        protos.extend([proto::SCTP, proto::UDP_LITE, proto::DCCP, proto::GRE, proto::ESP, 254]);
        protos.extend(policy.services.iter().filter_map(|service| match service.proto {
            Protos::One(proto) => Some(proto.0),
            Protos::Any => None,
        }));
        let mut vlans: Vec<u16> = policy
            .domains
            .iter()
            .flat_map(|domain| domain.vlans.iter().flatten())
            .copied()
            .collect();
        vlans.extend([0, 2, 11, 4095]);
        Self { dice, targets, local, remote, ports, protos, vlans }
    }

    /// One packet; from either side.
    pub fn packet(&mut self) -> Packet {
        let side = if self.dice.one_in(2) { Side::Outside } else { Side::Inside };
        let (mut remote, mut local) = self.pair();
        // A source that no packet has tells little: seldom.
        while unsendable(if side == Side::Outside { remote } else { local }) && !self.dice.one_in(8)
        {
            (remote, local) = self.pair();
        }
        let (remote_port, mut local_port) = (self.port(), self.port());
        let mut number = *self.dice.pick(&self.protos);
        let mut vlans = &self.vlans;
        // Most often somebody's service, or just beside it.
        let mine = |target: &&Target| target.addresses.contains(&local);
        let near: Vec<&Target> = self.targets.iter().filter(mine).collect();
        if !near.is_empty() && !self.dice.one_in(4) {
            let target = *self.dice.pick(&near);
            number = target.proto.unwrap_or(number);
            local_port = *self.dice.pick(&target.ports);
            vlans = if target.vlans.is_empty() { vlans } else { &target.vlans };
            let excepted = target.excepted.iter();
            let excepted: Vec<_> =
                excepted.filter(|source| source.is_ipv4() == local.is_ipv4()).collect();
            if !excepted.is_empty() && self.dice.one_in(4) {
                remote = **self.dice.pick(&excepted);
            }
        }
        let (src, dst, ports) = match side {
            Side::Outside => (remote, local, (remote_port, local_port)),
            Side::Inside => (local, remote, (local_port, remote_port)),
        };
        let mut packet = Packet { proto: number, ..Packet::udp(side, src, dst, ports) };
        if self.dice.one_in(2) {
            let priority = self.dice.below(8) as u16;
            packet.tag = Some(priority << 13 | *self.dice.pick(vlans));
        }
        packet.flags = *self.dice.pick(&[flag::SYN, flag::ACK, flag::SYN | flag::ACK, flag::FIN]);
        if matches!(number, proto::ICMP | proto::ICMPV6) {
            self.icmp(&mut packet);
        }
        if self.dice.one_in(16) {
            let extras = [Extra::Options, Extra::Route, Extra::OldRoute, Extra::Arrived];
            packet.extra = *self.dice.pick(&extras);
        }
        packet
    }

    /// A remote and a local address of one family, not the same.
    pub(super) fn pair(&mut self) -> (IpAddr, IpAddr) {
        loop {
            let local = self.address(false);
            let remote = self.address(true);
            if local.is_ipv4() == remote.is_ipv4() && local != remote {
                return (remote, local);
            }
        }
    }

    fn address(&mut self, remote: bool) -> IpAddr {
        let list = match self.dice.below(16) {
            0 => &[],
            // An address of the wrong end: a service's as a source, a stranger's as a destination.
            1 => [&*self.remote, &*self.local][usize::from(remote)],
            _ => [&*self.local, &*self.remote][usize::from(remote)],
        };
        if list.is_empty() { self.dice.address() } else { *self.dice.pick(list) }
    }

    pub(super) fn port(&mut self) -> u16 {
        match self.dice.below(8) {
            0 => self.dice.below(65536) as u16,
            _ => *self.dice.pick(&self.ports),
        }
    }

    /// Types of ICMP that are judged as what they are: no errors, which are judged by what they
    /// embed, and no discovery, which is the link's.
    fn icmp(&mut self, packet: &mut Packet) {
        let (number, kinds): (u8, &[u16]) = match packet.src {
            IpAddr::V4(_) => (proto::ICMP, &[0, 8, 13, 14, 5, 9, 17, 40, 255]),
            IpAddr::V6(_) => (proto::ICMPV6, &[128, 129, 100, 138, 144, 200, 255]),
        };
        // Now and then the other family's number, which is the same protocol to a policy.
        if self.dice.one_in(8) {
            packet.proto = if number == proto::ICMP { proto::ICMPV6 } else { proto::ICMP };
        } else {
            packet.proto = number;
        }
        packet.ports = (*self.dice.pick(kinds), self.dice.below(3) as u16);
    }
}

/// Networks whose addresses send nothing.
const UNSENDABLE: [&str; 5] = ["0.0.0.0/8", "224.0.0.0/4", "::/127", "::ffff:0:0/96", "ff00::/8"];

/// Sources that Palisade refuses whatever the policy says.
fn unsendable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_broadcast() || matches!(v4.octets()[0], 0 | 127)
        }
        IpAddr::V6(v6) => v6.to_bits() <= 1 || v6.is_multicast() || v6.to_ipv4_mapped().is_some(),
    }
}

/// All networks that a policy names, services apart.
fn networks(policy: &Policy) -> impl Iterator<Item = &IpNet> {
    let groups = policy.groups.iter().flat_map(|group| match &group.body {
        Body::Axes { networks: Some(networks), .. } => networks.as_slice(),
        _ => &[],
    });
    let overrides = policy.overrides.iter().map(|item| &item.network);
    groups.chain(&policy.failsafe).chain(overrides)
}

/// First and last address of a network, and those next to them.
fn edges(network: &IpNet) -> Vec<IpAddr> {
    match network {
        IpNet::V4(net) => around::<u32>(net.network().into(), net.broadcast().into())
            .into_iter()
            .map(|bits| IpAddr::V4(bits.into()))
            .collect(),
        IpNet::V6(net) => around::<u128>(net.network().into(), net.broadcast().into())
            .into_iter()
            .map(|bits| IpAddr::V6(bits.into()))
            .collect(),
    }
}

/// What has a next and a one before.
trait Step: Copy {
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
}

macro_rules! step {
    ($($int:ty),*) => {$(
        impl Step for $int {
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    )*};
}
step!(u16, u32, u128);

fn around<T: Step>(first: T, last: T) -> Vec<T> {
    let outer = [first.before(), last.after()].into_iter().flatten();
    outer.chain([first, last]).collect()
}

fn ends<A: Address + Step, V: PartialEq>(
    dice: &mut Dice,
    ranges: &Ranges<A, V>,
    address: impl Fn(A) -> IpAddr,
    list: &mut Vec<IpAddr>,
) {
    let all: Vec<(A, A)> = ranges.iter().map(|(first, last, _)| (first, last)).collect();
    let few = all.len() <= GEO_RANGES;
    for index in 0..all.len().min(GEO_RANGES) {
        let (first, last) = if few { all[index] } else { *dice.pick(&all) };
        list.extend(around(first, last).into_iter().map(&address));
    }
}
