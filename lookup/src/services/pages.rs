//! Pages of ports, stored once wherever they are equal.

use std::collections::HashMap;

use super::slots::Slot;
use crate::ServiceId;
use crate::policy::Service;

pub(super) type Leaf = [u16; 256];
pub(super) type Top = [u32; 256];

/// Values that are stored once and known by their index.
#[derive(Debug)]
pub(super) struct Shared<T> {
    pub(super) list: Vec<T>,
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
pub(super) struct Pages {
    pub(super) tops: Shared<Top>,
    pub(super) leaves: Shared<Leaf>,
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
    /// The ports of one protocol at one place: the most specific service of each.
    pub(super) fn root(&mut self, chain: &[ServiceId], services: &[Service], slot: Slot) -> u32 {
        let mut pages = vec![Page::Uniform(0); 256];
        // Widest first: the more specific paints over it.
        for &id in chain.iter().rev() {
            let service = &services[usize::from(id.0)];
            if !slot.takes(service.proto) {
                continue;
            }
            for &(first, last) in service.ports.ranges() {
                // Without ports there is no choice: a service has all of them here, or none.
                if slot.ported || first == 0 {
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
