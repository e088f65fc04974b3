//! The class of an IPv6 address: a trie that adapts its stride, with short runs at its leaves.
//!
//! The first 16 bits index the root. An entry is a class, or a node that is indexed by the next 2
//! to 16 bits (as many as its ranges fill), or a run: a few neighbouring ranges to be compared with
//! the address. Prefixes of any length to /128 cost the same kind of step, and memory stays linear
//! in the number of ranges however they cluster, because only a place with more than [`RUN`]
//! ranges becomes a node.
//!
//! ```text
//!  address  | 16 bits | stride | stride | rest of 128 |
//!               |        |        |         |
//!  slots    [ root ]->[ node ]->[ node ]->[ run: count, first ]
//!                |                              |
//!              class         high, low  [ .. start <= address < start .. ]
//!                            classes    [ ..   class                  .. ]
//! ```
//!
//! A lookup on a whole-world table takes two or three dependent loads and one run; the batch keeps
//! those of several keys in flight. docs/decisions/0002-ipv6-table.md has the measured choice.
//!
//! Source: Nilsson, Karlsson, "IP-Address Lookup Using LC-Tries", 1999, over ranges.

use super::TableError;
use crate::{Address, ClassId, Ranges};

/// Ranges that are compared one by one rather than indexed further.
const RUN: usize = 8;
/// Bits of the root's index.
const ROOT_BITS: u32 = 16;
/// The widest stride of another node.
const STRIDE_BITS: u32 = 16;
/// Keys that walk together.
const LANES: usize = 8;

/// IPv6 classes, compiled for lookup.
#[derive(Debug)]
pub struct Six {
    slots: Vec<Slot>,
    /// Starts of the ranges, by halves: below /64 prefixes are rare, and then `low` is not read.
    high: Vec<u64>,
    low: Vec<u64>,
    classes: Vec<ClassId>,
}

/// What stands at a place of the trie, in 32 bits: 2 of kind, then 30 of class, or 4 of stride or
/// count and 26 of place.
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

const CLASS: u32 = 0;
const NODE: u32 = 1;
const RUN_HIGH: u32 = 2;
const RUN_FULL: u32 = 3;

impl Slot {
    const PLACES: usize = 1 << 26;

    fn class(class: ClassId) -> Self {
        Self(class.0)
    }

    /// `size` is from 1 to 16.
    fn place(kind: u32, size: u32, place: usize) -> Self {
        Self(kind << 30 | (size - 1) << 26 | place as u32)
    }

    #[inline]
    fn kind(self) -> u32 {
        self.0 >> 30
    }

    #[inline]
    fn size(self) -> u32 {
        (self.0 >> 26 & 0xf) + 1
    }

    #[inline]
    fn start(self) -> usize {
        (self.0 & 0x3ff_ffff) as usize
    }
}

impl Six {
    /// Compiles a cover.
    ///
    /// # Errors
    /// More than 2^26 ranges or slots, or a class of 2^30 or more.
    pub fn compile(ranges: &Ranges<u128, ClassId>) -> Result<Self, TableError> {
        let count = ranges.len();
        let mut table = Self {
            slots: Vec::with_capacity((1 << ROOT_BITS) + count),
            high: Vec::with_capacity(count),
            low: Vec::with_capacity(count),
            classes: Vec::with_capacity(count),
        };
        let mut top = 0;
        for (first, _, &class) in ranges.iter() {
            table.high.push((first >> 64) as u64);
            table.low.push(first as u64);
            table.classes.push(class);
            top = top.max(class.0 as usize);
        }
        limit("ranges of IPv6 addresses", count, Slot::PLACES)?;
        limit("address classes", top + 1, 1 << 30)?;
        table.grow(ROOT_BITS, Span { first: 0, len: 0, from: 0, to: count });
        limit("slots in the IPv6 table", table.slots.len(), Slot::PLACES)?;
        table.slots.shrink_to_fit();
        Ok(table)
    }

    /// Appends a node of `bits` for a span and everything below it; returns where it starts.
    fn grow(&mut self, bits: u32, span: Span) -> usize {
        let node = self.slots.len();
        self.slots.resize(node + (1 << bits), Slot(0));
        let len = span.len + bits as u8;
        let mut from = span.from;
        for index in 0..1usize << bits {
            let first = span.first | (index as u128) << (128 - u32::from(len));
            let last = first.last_of(len);
            let mut to = from + 1;
            while to < span.to && self.start(to) <= last {
                to += 1;
            }
            let part = Span { first, len, from, to };
            self.slots[node + index] = self.slot(part);
            // The last range goes on in the next slot, unless it ends just here.
            let ends = to < span.to && last.successor() == Some(self.start(to));
            from = if ends { to } else { to - 1 };
        }
        node
    }

    fn slot(&mut self, span: Span) -> Slot {
        let count = span.to - span.from;
        if count == 1 {
            return Slot::class(self.classes[span.from]);
        }
        if count <= RUN {
            let full = self.low[span.from + 1..span.to].iter().any(|&low| low != 0);
            let kind = if full { RUN_FULL } else { RUN_HIGH };
            return Slot::place(kind, count as u32, span.from);
        }
        let bits = count.ilog2().min(STRIDE_BITS).min(128 - u32::from(span.len));
        let place = self.grow(bits, span);
        Slot::place(NODE, bits, place.min(Slot::PLACES - 1))
    }

    fn start(&self, index: usize) -> u128 {
        u128::from(self.high[index]) << 64 | u128::from(self.low[index])
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u128) -> ClassId {
        let mut slot = self.slots[(address >> 112) as usize];
        let mut rest = address << ROOT_BITS;
        while slot.kind() == NODE {
            slot = self.step(slot, &mut rest);
        }
        self.finish(slot, address)
    }

    /// One step down the trie.
    #[inline]
    fn step(&self, node: Slot, rest: &mut u128) -> Slot {
        let bits = node.size();
        let index = (*rest >> 64) as u64 >> (64 - bits);
        *rest <<= bits;
        self.slots[node.start() + index as usize]
    }

    /// The class that a class slot or a run gives.
    #[inline]
    fn finish(&self, slot: Slot, address: u128) -> ClassId {
        if slot.kind() == CLASS {
            return ClassId(slot.0);
        }
        let (start, count) = (slot.start(), slot.size() as usize);
        let high = &self.high[start + 1..start + count];
        let key = (address >> 64) as u64;
        let after = if slot.kind() == RUN_HIGH {
            high.iter().map(|&high| usize::from(high <= key)).sum::<usize>()
        } else {
            let low = &self.low[start + 1..start + count];
            let starts = high.iter().zip(low);
            starts.map(|(&high, &low)| usize::from((high, low) <= (key, address as u64))).sum()
        };
        self.classes[start + after]
    }

    /// [`Six::find`] of each address, with the memory latency of a few. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn find_batch(&self, addresses: &[u128], classes: &mut [ClassId]) {
        let count = addresses.len().min(classes.len());
        let (addresses, classes) = (&addresses[..count], &mut classes[..count]);
        let (keys, rest) = addresses.as_chunks::<LANES>();
        let (out, out_rest) = classes.as_chunks_mut::<LANES>();
        for (keys, out) in keys.iter().zip(out) {
            *out = self.find_lanes(keys);
        }
        for (&address, class) in rest.iter().zip(out_rest) {
            *class = self.find(address);
        }
    }

    /// All keys go down one level at a time, so that their loads overlap.
    #[inline]
    fn find_lanes(&self, keys: &[u128; LANES]) -> [ClassId; LANES] {
        let mut slots = keys.map(|key| self.slots[(key >> 112) as usize]);
        let mut rest = keys.map(|key| key << ROOT_BITS);
        let mut walking = true;
        while walking {
            walking = false;
            for (slot, rest) in slots.iter_mut().zip(&mut rest) {
                if slot.kind() == NODE {
                    *slot = self.step(*slot, rest);
                    walking = true;
                }
            }
        }
        std::array::from_fn(|i| self.finish(slots[i], keys[i]))
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + (self.high.capacity() + self.low.capacity()) * size_of::<u64>()
            + self.classes.capacity() * size_of::<ClassId>()
    }
}

/// A part of the address space that is being indexed, and the ranges `from..to` that cut it.
#[derive(Clone, Copy)]
struct Span {
    first: u128,
    len: u8,
    from: usize,
    to: usize,
}

fn limit(what: &'static str, asked: usize, limit: usize) -> Result<(), TableError> {
    if asked > limit { Err(TableError { what, asked, limit }) } else { Ok(()) }
}
