//! The port-domain map: (place, protocol, port) to service in constant time.
//!
//! A *place* is the chain of services whose networks hold an address, most specific first; the prefix
//! tables give it with the class. What is left is protocol and port, a table of two levels whose
//! pages are shared wherever they are equal:
//!
//! ```text
//!  place, protocol --> roots[place * 5 + slot] --> tops[root][port >> 8] --> leaves[page][port & 255]
//!                                                                             service + 1, or 0
//! ```
//!
//! Costs: three dependent loads a packet; 512 bytes for each distinct page of 256 ports and 1 KiB for
//! each distinct page of pages, so a thousand services with ports of their own take 1.5 MB.

use std::collections::{HashMap, HashSet};

use crate::policy::{Protos, Service};
use crate::{Proto, ServiceId};

/// A chain of services, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u32);

/// Protocols that services name, and one slot for the rest.
const SLOTS: usize = 5;
/// Slots whose packets have ports.
const PORTED: usize = 3;

const fn slot(proto: Proto) -> usize {
    match proto {
        Proto::TCP => 0,
        Proto::UDP => 1,
        Proto::SCTP => 2,
        Proto::ICMP => 3,
        _ => 4,
    }
}

type Leaf = [u16; 256];
type Top = [u32; 256];

/// The compiled map; immutable.
#[derive(Debug)]
pub(crate) struct ServiceMap {
    roots: Vec<u32>,
    tops: Vec<Top>,
    leaves: Vec<Leaf>,
}

impl ServiceMap {
    /// Compiles the chains of all places; place 0 is the chain of no service.
    pub(crate) fn compile<'a>(
        places: impl IntoIterator<Item = &'a [ServiceId]>,
        services: &[Service],
    ) -> Self {
        let mut pages = Pages::default();
        let roots = places
            .into_iter()
            .flat_map(|chain| {
                (0..SLOTS).map(|slot| pages.root(chain, services, slot)).collect::<Vec<_>>()
            })
            .collect();
        Self { roots, tops: pages.tops.list, leaves: pages.leaves.list }
    }

    /// The most specific service at a place that serves this protocol and port.
    #[inline]
    pub(crate) fn find(&self, place: Place, proto: Proto, port: u16) -> Option<ServiceId> {
        let slot = slot(proto);
        let port = if slot < PORTED { usize::from(port) } else { 0 };
        let root = *self.roots.get(place.0 as usize * SLOTS + slot)?;
        let page = self.tops.get(root as usize)?[port >> 8];
        let entry = self.leaves.get(page as usize)?[port & 255];
        entry.checked_sub(1).map(ServiceId)
    }

    /// The services that some port of some of these places leads to.
    pub(crate) fn reached(&self, places: impl IntoIterator<Item = Place>) -> HashSet<ServiceId> {
        let places: HashSet<Place> = places.into_iter().collect();
        let roots: HashSet<u32> = places
            .iter()
            .flat_map(|place| self.roots.iter().skip(place.0 as usize * SLOTS).take(SLOTS))
            .copied()
            .collect();
        let tops = roots.iter().filter_map(|&root| self.tops.get(root as usize));
        let pages: HashSet<u32> = tops.flatten().copied().collect();
        let leaves = pages.iter().filter_map(|&page| self.leaves.get(page as usize));
        leaves.flatten().filter_map(|entry| entry.checked_sub(1)).map(ServiceId).collect()
    }

    /// The memory behind it.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.roots) + size_of_val(&*self.tops) + size_of_val(&*self.leaves)
    }
}

/// Values that are stored once and known by their index.
#[derive(Debug)]
struct Shared<T> {
    list: Vec<T>,
    index: HashMap<T, u32>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { list: Vec::new(), index: HashMap::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Shared<T> {
    fn intern(&mut self, value: T) -> u32 {
        let next = self.list.len() as u32;
        *self.index.entry(value).or_insert_with(|| {
            self.list.push(value);
            next
        })
    }
}

/// The pages built so far.
#[derive(Debug, Default)]
struct Pages {
    tops: Shared<Top>,
    leaves: Shared<Leaf>,
    /// The page on which all ports are one service's, by its entry.
    uniform: HashMap<u16, u32>,
}

/// 256 ports while they are painted.
#[derive(Clone)]
enum Page {
    Uniform(u16),
    Mixed(Box<Leaf>),
}

impl Pages {
    fn root(&mut self, chain: &[ServiceId], services: &[Service], at: usize) -> u32 {
        let mut pages = vec![Page::Uniform(0); 256];
        // Widest first: the more specific paints over it.
        for &id in chain.iter().rev() {
            let service = &services[usize::from(id.0)];
            let serves = match service.proto {
                Protos::One(proto) => slot(proto) == at,
                Protos::Any => true,
            };
            if serves {
                for &(first, last) in service.ports.ranges() {
                    paint(&mut pages, usize::from(first), usize::from(last), id.0 + 1);
                }
            }
        }
        let mut top = [0; 256];
        for (entry, page) in top.iter_mut().zip(pages) {
            *entry = match page {
                Page::Mixed(leaf) => self.leaves.intern(*leaf),
                Page::Uniform(value) => match self.uniform.get(&value) {
                    Some(&page) => page,
                    None => {
                        let page = self.leaves.intern([value; 256]);
                        self.uniform.insert(value, page);
                        page
                    }
                },
            };
        }
        self.tops.intern(top)
    }
}

fn paint(pages: &mut [Page], first: usize, last: usize, entry: u16) {
    for (index, page) in pages.iter_mut().enumerate().take((last >> 8) + 1).skip(first >> 8) {
        let start = first.max(index << 8) & 255;
        let end = last.min((index << 8) | 255) & 255;
        if (start, end) == (0, 255) {
            *page = Page::Uniform(entry);
            continue;
        }
        if let Page::Uniform(value) = *page {
            *page = Page::Mixed(Box::new([value; 256]));
        }
        if let Page::Mixed(leaf) = page {
            leaf[start..=end].fill(entry);
        }
    }
}
