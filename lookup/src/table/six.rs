//! The class of an IPv6 address: a trie that adapts its stride, with short runs at its leaves.
//!
//! The first 16 bits index the root. An entry is a class, or a node that is indexed by the next
//! bits (as many as its ranges fill), or a run: a few neighbouring ranges whose starts are compared
//! with the address. The trie ends at /64; a /64 that is cut further is searched. So prefixes of
//! every length work, and memory stays in proportion to the ranges however they cluster, because
//! only a place with more than [`RUN`] ranges becomes a node.
//!
//! ```text
//!  address  | 16 bits | stride | stride | ... 64 |           64 bits |
//!               |        |        |                                |
//!  slots    [ root ]->[ node ]->[ node ]--> run: place             |
//!                |          |                |                     |
//!              class      deep --> from..to: binary search on high and low
//!                                            |
//!           high     [ ..  start  start  start  start  .. ]  compared, not branched on
//!           classes  [ ..  class  class  class  class  .. ]
//! ```
//!
//! A lookup on a whole-world table takes three or four dependent loads; the batch keeps those of
//! several keys in flight. docs/decisions/0002-ipv6-table.md has the measured choice.
//!
//! Source: Nilsson, Karlsson, "IP-Address Lookup Using LC-Tries", 1999, over ranges.

use super::TableError;
use crate::{Address, ClassId, Ranges};

/// Ranges that are compared rather than indexed further.
const RUN: usize = 8;
/// A node has 2^SPREAD to 2^(SPREAD + 1) slots for each of its ranges.
const SPREAD: u32 = 2;
/// Bits of the root's index.
const ROOT_BITS: u32 = 16;
/// The widest stride of another node.
const STRIDE_BITS: u32 = 16;
/// Bits that the trie indexes.
const TRIE_BITS: u32 = 64;
/// Keys that walk together.
const LANES: usize = 8;

/// IPv6 classes, compiled for lookup.
#[derive(Debug)]
pub struct Six {
    slots: Vec<Slot>,
    /// Starts of the ranges, by halves, so that `low` is read only below /64.
    high: Vec<u64>,
    low: Vec<u64>,
    classes: Vec<ClassId>,
    /// Ranges `from..to` of each /64 that is cut further.
    deep: Vec<(u32, u32)>,
}

/// What stands at a place of the trie, in 32 bits.
///
/// ```text
///  1 stride:4 place:27   a node         0 01 place:29   a run of ranges from there
///  0 00 class:29         a class        0 10 place:29   a /64 in `deep`
/// ```
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

impl Slot {
    /// Stands in where there is no node to step into: two slots of the root.
    const IDLE: Self = Self(1 << 31);
    const PLACES: usize = 1 << 27;
    const CLASSES: usize = 1 << 29;

    /// `bits` are from 1 to 16.
    fn node(bits: u32, place: usize) -> Self {
        Self(1 << 31 | (bits - 1) << 27 | place as u32)
    }

    fn class(class: ClassId) -> Self {
        Self(class.0)
    }

    fn run(place: usize) -> Self {
        Self(1 << 29 | place as u32)
    }

    fn deep(place: usize) -> Self {
        Self(2 << 29 | place as u32)
    }

    #[inline]
    fn is_node(self) -> bool {
        self.0 >> 31 != 0
    }

    #[inline]
    fn is_class(self) -> bool {
        self.0 >> 29 == 0
    }

    #[inline]
    fn is_deep(self) -> bool {
        self.0 >> 29 == 2
    }

    /// Class, or place of a run or a deep /64.
    #[inline]
    fn value(self) -> u32 {
        self.0 & 0x1fff_ffff
    }
}

impl Six {
    /// Compiles a cover.
    ///
    /// # Errors
    /// More than 2^27 ranges or slots, or a class of 2^29 or more.
    pub fn compile(ranges: &Ranges<u128, ClassId>) -> Result<Self, TableError> {
        let count = ranges.len();
        let top = ranges.iter().map(|(.., class)| class.0).max().unwrap_or(0);
        limit("ranges of IPv6 addresses", count, Slot::PLACES)?;
        limit("address classes", top as usize + 1, Slot::CLASSES)?;
        let mut table = Self {
            slots: Vec::new(),
            high: Vec::with_capacity(count + RUN),
            low: Vec::with_capacity(count + RUN),
            classes: Vec::with_capacity(count + RUN),
            deep: Vec::new(),
        };
        for (first, _, &class) in ranges.iter() {
            table.high.push((first >> 64) as u64);
            table.low.push(first as u64);
            table.classes.push(class);
        }
        // The last range once more, so that a run may be read in full at the end too.
        let last = *ranges.find(u128::MAX);
        table.high.extend([u64::MAX; RUN]);
        table.low.extend([u64::MAX; RUN]);
        table.classes.extend([last; RUN]);
        table.grow(ROOT_BITS, Span { first: 0, len: 0, from: 0, to: count });
        limit("slots of IPv6 addresses", table.slots.len(), Slot::PLACES)?;
        table.slots.shrink_to_fit();
        Ok(table)
    }

    /// Appends a node of `bits` for a span and everything below it; returns its first place.
    fn grow(&mut self, bits: u32, span: Span) -> usize {
        let node = self.slots.len();
        self.slots.resize(node + (1 << bits), Slot(0));
        let len = span.len + bits;
        let mut from = span.from;
        for index in 0..1usize << bits {
            let first = span.first | (index as u128) << (128 - len);
            let last = first.last_of(len as u8);
            let mut to = from + 1;
            while to < span.to && self.start(to) <= last {
                to += 1;
            }
            self.slots[node + index] = self.slot(Span { first, len, from, to });
            // The last range goes on in the next slot, unless it ends just here.
            let ends = to < span.to && last.successor() == Some(self.start(to));
            from = if ends { to } else { to - 1 };
        }
        node
    }

    /// What stands for a span.
    fn slot(&mut self, span: Span) -> Slot {
        let count = span.to - span.from;
        if count == 1 {
            return Slot::class(self.classes[span.from]);
        }
        if span.len == TRIE_BITS {
            self.deep.push((span.from as u32, span.to as u32));
            return Slot::deep(self.deep.len() - 1);
        }
        let cut = self.low[span.from + 1..span.to].iter().any(|&low| low != 0);
        if count <= RUN && !cut {
            return Slot::run(span.from);
        }
        let bits = (count.ilog2() + SPREAD).min(STRIDE_BITS).min(TRIE_BITS - span.len);
        let place = self.grow(bits, span);
        Slot::node(bits, place.min(Slot::PLACES - 1))
    }

    fn start(&self, index: usize) -> u128 {
        u128::from(self.high[index]) << 64 | u128::from(self.low[index])
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u128) -> ClassId {
        let key = (address >> 64) as u64;
        let mut slot = self.slots[(key >> 48) as usize];
        let mut rest = key << ROOT_BITS;
        while slot.is_node() {
            slot = self.step(slot, &mut rest);
        }
        if slot.is_class() {
            ClassId(slot.value())
        } else if slot.is_deep() {
            self.search(slot, address)
        } else {
            self.compare(slot.value() as usize, key)
        }
    }

    /// One step down the trie.
    #[inline]
    fn step(&self, node: Slot, rest: &mut u64) -> Slot {
        let bits = (node.0 >> 27 & 0xf) + 1;
        let index = *rest >> (64 - bits);
        *rest <<= bits;
        self.slots[(node.0 & 0x7ff_ffff) as usize + index as usize]
    }

    /// The class by a run. As many starts are compared as a run may have: those after its end are
    /// beyond the address.
    #[inline]
    fn compare(&self, place: usize, key: u64) -> ClassId {
        let starts = &self.high[place + 1..place + RUN];
        let after: usize = starts.iter().map(|&start| usize::from(start <= key)).sum();
        self.classes[place + after]
    }

    /// The class within a /64 that is cut further.
    fn search(&self, slot: Slot, address: u128) -> ClassId {
        let (from, to) = self.deep[slot.value() as usize];
        let (mut from, mut count) = (from as usize, (to - from) as usize);
        while count > 1 {
            let half = count / 2;
            from += if self.start(from + half) <= address { half } else { 0 };
            count -= half;
        }
        self.classes[from]
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

    /// All keys go down one level at a time, so that their loads overlap. A key that has arrived
    /// loads something all the same: a branch that chance decides would cost more.
    #[inline]
    fn find_lanes(&self, addresses: &[u128; LANES]) -> [ClassId; LANES] {
        let keys = addresses.map(|address| (address >> 64) as u64);
        let mut slots = keys.map(|key| self.slots[(key >> 48) as usize]);
        let mut rest = keys.map(|key| key << ROOT_BITS);
        while slots.iter().fold(0, |all, slot| all | slot.0) >> 31 != 0 {
            for (slot, rest) in slots.iter_mut().zip(&mut rest) {
                let next = self.step(if slot.is_node() { *slot } else { Slot::IDLE }, rest);
                *slot = if slot.is_node() { next } else { *slot };
            }
        }
        std::array::from_fn(|i| {
            let slot = slots[i];
            if slot.is_deep() {
                return self.search(slot, addresses[i]);
            }
            let place = if slot.is_class() { 0 } else { slot.value() };
            let class = self.compare(place as usize, keys[i]);
            if slot.is_class() { ClassId(slot.value()) } else { class }
        })
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + (self.high.capacity() + self.low.capacity()) * size_of::<u64>()
            + self.classes.capacity() * size_of::<ClassId>()
            + self.deep.capacity() * size_of::<(u32, u32)>()
    }
}

/// A part of the address space that is being indexed, and the ranges `from..to` that cut it.
#[derive(Clone, Copy)]
struct Span {
    first: u128,
    len: u32,
    from: usize,
    to: usize,
}

fn limit(what: &'static str, asked: usize, limit: usize) -> Result<(), TableError> {
    if asked > limit { Err(TableError { what, asked, limit }) } else { Ok(()) }
}
