//! The port-domain map: (place, VLAN, protocol, port) to service in constant time.
//!
//! A *place* is the chain of services whose networks hold an address, most specific first; the prefix
//! tables give it with the class. A *row* is what is left of a chain in one VLAN: the row of a place
//! in all VLANs that nobody names has the place's own number, so that a policy without VLANs looks no
//! further; the others stand behind, by runs of ids. What is left is protocol and port, a table of two
//! levels whose pages are shared wherever they are equal:
//!
//! ```text
//!  place, VLAN --> row;  protocol --> slot
//!  row, slot --> roots[row * slots + slot] --> tops[root][port >> 8] --> leaves[page][port & 255]
//!                                                                           service + 1, or 0
//! ```
//!
//! Costs: four dependent loads a packet, and a search by halves through the runs in a named VLAN; 512
//! bytes for each distinct page of 256 ports and 1 KiB for each distinct page of pages, so a thousand
//! services with ports of their own take 1.5 MB.

mod pages;
mod slots;
mod vlans;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::policy::Policy;
use crate::{Proto, ServiceId, Vlan};
use pages::{Leaf, Pages, Top};
use slots::Slots;
use vlans::Vlans;

/// A chain of services, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u32);

/// From this VLAN on, up to the next run, a place has this row.
#[derive(Clone, Copy, Debug)]
struct Run {
    place: Place,
    first: Vlan,
    row: u32,
}

/// The compiled map; immutable.
#[derive(Debug)]
pub(crate) struct ServiceMap {
    vlans: Vlans,
    /// Ascending.
    runs: Vec<Run>,
    slots: Slots,
    roots: Vec<u32>,
    tops: Vec<Top>,
    leaves: Vec<Leaf>,
}

impl ServiceMap {
    /// Compiles the chains of all places; place 0 is the chain of no service.
    pub(crate) fn compile(places: &[Vec<ServiceId>], policy: &Policy) -> Self {
        let vlans = Vlans::of(&policy.domains);
        let slots = Slots::of(&policy.services);
        let (rows, runs) = rows(places, policy, vlans.common);
        let mut pages = Pages::default();
        let mut roots = Vec::with_capacity(rows.len() * slots.list.len());
        for chain in &rows {
            let root = |&slot| pages.root(chain, &policy.services, slot);
            roots.extend(slots.list.iter().map(root));
        }
        Self { vlans, runs, slots, roots, tops: pages.tops.list, leaves: pages.leaves.list }
    }

    /// The VLANs that some domain names.
    pub(crate) fn vlans(&self) -> impl Iterator<Item = u16> {
        self.vlans.ids()
    }

    /// The VLAN to judge a frame in whose tag has this id.
    #[inline]
    pub(crate) fn vlan(&self, id: u16) -> Vlan {
        self.vlans.fold(id)
    }

    /// The most specific service at a place that is seen in this VLAN and serves this protocol and
    /// port.
    #[inline]
    pub(crate) fn find(
        &self,
        place: Place,
        vlan: Vlan,
        proto: Proto,
        port: u16,
    ) -> Option<ServiceId> {
        let row = if vlan == self.vlans.common { place.0 } else { self.row(place, vlan) };
        let (slot, port) = (self.slots.find(proto), usize::from(port));
        let root = *self.roots.get(row as usize * self.slots.list.len() + slot)?;
        let page = self.tops.get(root as usize)?[port >> 8];
        let entry = self.leaves.get(page as usize)?[port & 255];
        entry.checked_sub(1).map(ServiceId)
    }

    fn row(&self, place: Place, vlan: Vlan) -> u32 {
        let next = self.runs.partition_point(|run| (run.place, run.first) <= (place, vlan));
        match self.runs[..next].last() {
            Some(run) if run.place == place => run.row,
            _ => place.0,
        }
    }

    /// The services that some port of some of these places leads to, in some VLAN.
    pub(crate) fn reached(&self, places: impl IntoIterator<Item = Place>) -> HashSet<ServiceId> {
        let places: HashSet<Place> = places.into_iter().collect();
        let named = self.runs.iter().filter(|run| places.contains(&run.place)).map(|run| run.row);
        let rows: HashSet<u32> = places.iter().map(|place| place.0).chain(named).collect();
        let width = self.slots.list.len();
        let roots: HashSet<u32> = rows
            .iter()
            .flat_map(|&row| self.roots.iter().skip(row as usize * width).take(width))
            .copied()
            .collect();
        let tops = roots.iter().filter_map(|&root| self.tops.get(root as usize));
        let pages: HashSet<u32> = tops.flatten().copied().collect();
        let leaves = pages.iter().filter_map(|&page| self.leaves.get(page as usize));
        leaves.flatten().filter_map(|entry| entry.checked_sub(1)).map(ServiceId).collect()
    }

    /// The memory behind it.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.runs)
            + size_of_val(&*self.roots)
            + size_of_val(&*self.tops)
            + size_of_val(&*self.leaves)
    }
}

/// What is left of each place's chain: in the common VLAN, then wherever a VLAN makes a difference.
fn rows(
    places: &[Vec<ServiceId>],
    policy: &Policy,
    common: Vlan,
) -> (Vec<Vec<ServiceId>>, Vec<Run>) {
    let vlans = |id: &ServiceId| {
        let service = &policy.services[usize::from(id.0)];
        policy.domains[usize::from(service.domain.0)].vlans.as_deref()
    };
    let seen = |chain: &[ServiceId], vlan: Vlan| -> Vec<ServiceId> {
        let here = |id: &&ServiceId| vlans(id).is_none_or(|ids| ids.binary_search(&vlan.0).is_ok());
        chain.iter().filter(here).copied().collect()
    };
    let mut rows: Vec<_> = places.iter().map(|chain| seen(chain, common)).collect();
    let mut index: HashMap<_, u32> = rows.iter().cloned().zip(0..).collect();
    let mut runs = Vec::new();
    for (chain, place) in places.iter().zip(0..) {
        let named = chain.iter().filter_map(vlans).flatten();
        let edges: BTreeSet<u16> = named.flat_map(|&id| [id, id + 1]).collect();
        let mut row = place;
        for first in edges.into_iter().map(Vlan) {
            let rest = seen(chain, first);
            let next = *index.entry(rest).or_insert_with_key(|rest| {
                rows.push(rest.clone());
                rows.len() as u32 - 1
            });
            if next != row {
                row = next;
                runs.push(Run { place: Place(place), first, row });
            }
        }
    }
    (rows, runs)
}
