//! Which service a packet meets before and which it meets now, for every address, VLAN, protocol and
//! port at once.
//!
//! ```text
//!  networks of both --> chains around an address --> by VLAN --> by protocol --> spans of ports
//!                                                                                [before, now]
//! ```
//! Two policies claim the inside by networks, VLANs, protocols and ports, and a wide service stands where
//! no narrower one does. So their claims are laid over each other, and what is one piece for both is one
//! [`Meeting`] of two services, or of one and none; nothing is sampled. Costs: for each distinct chain of
//! networks its VLANs times its services, and a search in the ports of each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use super::written::ports;
use crate::policy::{Policy, Protos, Service, chains};
use crate::{Proto, ServiceId};

/// Services that are met by the same packets: before, now.
pub(super) type Pair = [Option<ServiceId>; 2];

/// Services that are met by the same packets, and by which: nothing where their domain is one.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) services: Pair,
    pub(super) traffic: Vec<String>,
}

/// A service with its policy: 0 is the old one, 1 the new.
type At = (usize, ServiceId);

/// A VLAN; `None` for all that no domain around names.
type Seen = Option<u16>;

/// A span of a protocol's ports.
type Span = (Slot, (u16, u16));

/// All of them, those of the old policy's services first.
pub(super) fn meetings(old: &Policy, new: &Policy) -> Vec<Meeting> {
    let both = [old, new];
    let entries = [0, 1].into_iter().flat_map(|side| {
        both[side].services.iter().zip(0..).flat_map(move |(service, id)| {
            let networks = service.networks.iter().map(toml::Spanned::get_ref);
            networks.map(move |network| (*network, (side, ServiceId(id))))
        })
    });
    let distinct: HashSet<Vec<At>> = inhabited(chains(entries)).collect();
    let mut ground = Ground { both, found: BTreeMap::new() };
    distinct.iter().for_each(|chain| ground.lay(chain));
    let traffic = |spans: BTreeSet<(Span, String)>| spans.into_iter().map(|(_, text)| text);
    ground
        .found
        .into_iter()
        .map(|((_, services), spans)| Meeting { services, traffic: traffic(spans).collect() })
        .collect()
}

/// Chains of networks that hold an address beside all networks within them.
fn inhabited<T>(chains: Vec<(IpNet, Vec<T>)>) -> impl Iterator<Item = Vec<T>> {
    // Of 2^128 addresses the count goes round to 0, as does the sum of what fills them.
    let size = |network: &IpNet| {
        let bits = u32::from(network.max_prefix_len() - network.prefix_len());
        1_u128.checked_shl(bits).unwrap_or(0)
    };
    let mut open: Vec<usize> = Vec::new();
    let mut within: Vec<Option<u128>> = vec![None; chains.len()];
    for (at, (network, _)) in chains.iter().enumerate() {
        while open.last().is_some_and(|&around| !chains[around].0.contains(network)) {
            open.pop();
        }
        if let Some(&around) = open.last() {
            within[around] = Some(within[around].unwrap_or(0).wrapping_add(size(network)));
        }
        open.push(at);
    }
    let left = move |((network, chain), within)| (within != Some(size(&network))).then_some(chain);
    chains.into_iter().zip(within).filter_map(left)
}

/// A protocol that some service names, or all others, with ports or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Slot {
    proto: Option<Proto>,
    ported: bool,
}

impl Slot {
    fn of(protos: Protos) -> Vec<Self> {
        match protos {
            Protos::One(proto) => vec![Self { proto: Some(proto), ported: proto.has_ports() }],
            Protos::Any => [true, false].map(|ported| Self { proto: None, ported }).to_vec(),
        }
    }

    fn takes(self, protos: Protos) -> bool {
        protos == Protos::Any || self.proto.is_some_and(|proto| protos == Protos::One(proto))
    }

    fn text(self, range: (u16, u16)) -> String {
        let name = self.proto.map_or("other protocols".to_owned(), |it| Protos::One(it).name());
        match (self.ported, range) {
            (false, _) => name + if self.proto.is_none() { " without ports" } else { "" },
            (true, (0, u16::MAX)) => name,
            (true, range) => format!("{name} {}", ports(range)),
        }
    }
}

/// What is met, so far: by whether there is no service before, and the two services.
struct Ground<'a> {
    both: [&'a Policy; 2],
    found: BTreeMap<(bool, Pair), BTreeSet<(Span, String)>>,
}

impl<'a> Ground<'a> {
    fn service(&self, (side, id): At) -> &'a Service {
        &self.both[side].services[usize::from(id.0)]
    }

    fn domain(&self, side: usize, id: Option<ServiceId>) -> Option<&'a str> {
        let domain = self.service((side, id?)).domain;
        Some(&self.both[side].domains[usize::from(domain.0)].name)
    }

    fn vlans(&self, at: At) -> Option<&'a [u16]> {
        let domain = self.service(at).domain;
        self.both[at.0].domains[usize::from(domain.0)].vlans.as_deref()
    }

    /// What packets to the addresses of one chain meet.
    fn lay(&mut self, chain: &[At]) {
        let named: BTreeSet<u16> =
            chain.iter().filter_map(|&at| self.vlans(at)).flatten().copied().collect();
        let all: Vec<Seen> = named.into_iter().map(Some).chain([None]).collect();
        let mut rows: HashMap<Vec<At>, Vec<Seen>> = HashMap::new();
        for &vlan in &all {
            let here = |at: &&At| match (self.vlans(**at), vlan) {
                (None, _) => true,
                (Some(ids), Some(vlan)) => ids.binary_search(&vlan).is_ok(),
                (Some(_), None) => false,
            };
            rows.entry(chain.iter().filter(here).copied().collect()).or_default().push(vlan);
        }
        let mut met: HashMap<(Pair, Span), Vec<Seen>> = HashMap::new();
        for (row, vlans) in rows {
            for piece in self.pieces(&row) {
                met.entry(piece).or_default().extend(&vlans);
            }
        }
        for ((pair, span), vlans) in met {
            let moved = self.domain(0, pair[0]) != self.domain(1, pair[1]);
            let spans = self.found.entry((pair[0].is_none(), pair)).or_default();
            if moved {
                spans.insert((span, span.0.text(span.1) + &place(vlans, all.len())));
            }
        }
    }

    /// What packets of one VLAN meet, protocol by protocol.
    fn pieces(&self, row: &[At]) -> Vec<(Pair, Span)> {
        let slots: BTreeSet<Slot> =
            row.iter().flat_map(|&at| Slot::of(self.service(at).proto)).collect();
        let mut pieces = Vec::new();
        for slot in slots {
            let here = |at: &&At| slot.takes(self.service(**at).proto);
            let row: Vec<At> = row.iter().filter(here).copied().collect();
            let mut edges = vec![0, if slot.ported { 1 << 16 } else { 1 }];
            if slot.ported {
                let ranges = row.iter().flat_map(|&at| self.service(at).ports.ranges());
                edges.extend(ranges.flat_map(|&(first, last)| [first.into(), u32::from(last) + 1]));
                edges.sort_unstable();
                edges.dedup();
            }
            let owners = self.owners(&row, &edges);
            let mut spans = owners.iter().zip(edges.windows(2)).peekable();
            while let Some((pair, edge)) = spans.next() {
                let mut end = edge[1];
                while let Some((_, more)) = spans.next_if(|(next, _)| *next == pair) {
                    end = more[1];
                }
                if *pair != [None, None] {
                    pieces.push((*pair, (slot, (edge[0] as u16, (end - 1) as u16))));
                }
            }
        }
        pieces
    }

    /// The service of each policy between two edges: the first of the row that has the port.
    fn owners(&self, row: &[At], edges: &[u32]) -> Vec<Pair> {
        let mut owners = vec![[None; 2]; edges.len() - 1];
        for &(side, id) in row {
            for &(first, last) in self.service((side, id)).ports.ranges() {
                let from = edges.partition_point(|edge| *edge < first.into());
                let to = edges.partition_point(|edge| *edge <= last.into()).min(owners.len());
                let here = owners.get_mut(from..to).into_iter().flatten();
                here.for_each(|pair| {
                    pair[side].get_or_insert(id);
                });
            }
        }
        owners
    }
}

/// In which VLANs, of so many that there are; nothing to say where it is all of them.
fn place(mut vlans: Vec<Seen>, all: usize) -> String {
    vlans.sort_unstable();
    if vlans.len() == all {
        return String::new();
    }
    let ids: Vec<String> = vlans.iter().flatten().map(u16::to_string).collect();
    match (vlans.contains(&None), ids.is_empty()) {
        (true, true) => " in other VLANs".to_owned(),
        (true, false) => format!(" in VLAN {} and those not named", ids.join(", ")),
        (false, _) => format!(" in VLAN {}", ids.join(", ")),
    }
}
