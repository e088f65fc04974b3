//! The class of an IPv6 address: a trie that adapts its stride, with short runs at its leaves.
//!
//! The first 16 bits index the root. An entry is a class, or a node that is indexed by the next
//! bits, or a line: up to eight neighbouring ranges whose starts are compared with the next 32 bits
//! of the address, in one cache line. The trie ends at /64; a /64 that is cut further is searched.
//! So prefixes of every length work, and memory stays in proportion to the ranges however they
//! cluster.
//!
//! ```text
//!  address  | 16 bits | stride | ... 32 bits | ... 64 |          64 bits |
//!               |        |          |                                 |
//!  root [ slot ]->nodes[ slot ]->lines[ starts: 8 | classes: 8 ]      |
//!            |          |                                             |
//!          class       deep --> from..to: binary search on low -------'
//! ```
//!
//! A lookup on a whole-world table takes a root entry, a node or two, and a line; the batch keeps the
//! loads of several keys in flight. docs/decisions/0002-ipv6-table.md and 0010-packed-tables.md
//! have the measured choices.
//!
//! Source: Nilsson, Karlsson, "IP-Address Lookup Using LC-Tries", 1999, over ranges.

use super::TableError;
use super::grow::Grow;
use crate::{ClassId, Ranges};

/// Ranges that are compared rather than indexed further: those of a cache line.
pub(super) const LINE: usize = 8;
/// Bits of the root's index.
pub(super) const ROOT_BITS: u32 = 16;
/// Bits that the trie indexes.
pub(super) const TRIE_BITS: u32 = 64;
/// Keys that walk together: those of a worker's burst.
const BURST: usize = 64;

/// IPv6 classes, compiled for lookup.
#[derive(Debug)]
pub struct Six {
    pub(super) root: Vec<Slot>,
    pub(super) nodes: Vec<Slot>,
    /// The first is spare, so that a batch may always load from it.
    pub(super) lines: Vec<Line>,
    /// Where the ranges of each /64 that is cut further stand in `low`.
    pub(super) deep: Vec<(u32, u32)>,
    pub(super) low: Vec<(u64, ClassId)>,
}

/// Neighbouring ranges: the starts as 32 bits of the address, offset so that they compare as signed.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line {
    pub(super) starts: [i32; LINE],
    pub(super) classes: [ClassId; LINE],
}

impl Line {
    /// 32 bits as starts are compared: baseline x86-64 compares signed integers only.
    pub(super) fn start(bits: u32) -> i32 {
        (bits ^ 1 << 31).cast_signed()
    }

    /// The first start is not compared: the first range holds what comes before the others.
    #[inline]
    fn class(&self, bits: u32) -> ClassId {
        let key = Self::start(bits);
        let after: i32 = self.starts.map(|start| i32::from(start <= key)).iter().sum();
        self.classes[(after - 1) as usize % LINE]
    }
}

/// What stands at a place of the trie, in 32 bits.
///
/// ```text
///  1 stride:4 place:27   a node         0 01 place:29   a line
///  0 00 class:29         a class        0 10 place:29   a /64 in `deep`
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u32);

impl Slot {
    pub(super) const PLACES: usize = 1 << 27;
    pub(super) const CLASSES: usize = 1 << 29;

    /// `bits` are from 1 to 16.
    pub(super) fn node(bits: u32, place: usize) -> Self {
        Self(1 << 31 | (bits - 1) << 27 | place as u32)
    }

    pub(super) fn class(class: ClassId) -> Self {
        Self(class.0)
    }

    pub(super) fn line(place: usize) -> Self {
        Self(1 << 29 | place as u32)
    }

    pub(super) fn deep(place: usize) -> Self {
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
    fn is_line(self) -> bool {
        self.0 >> 29 == 1
    }

    #[inline]
    fn is_deep(self) -> bool {
        self.0 >> 29 == 2
    }

    /// Class, or place of a line or a deep /64.
    #[inline]
    fn value(self) -> u32 {
        self.0 & 0x1fff_ffff
    }
}

impl Six {
    /// Compiles a cover.
    ///
    /// # Errors
    /// More than 2^27 ranges, or a class of 2^29 or more.
    pub fn compile(ranges: &Ranges<u128, ClassId>) -> Result<Self, TableError> {
        let top = ranges.iter().map(|(.., class)| class.0).max().unwrap_or(0);
        limit("ranges of IPv6 addresses", ranges.len(), Slot::PLACES)?;
        limit("address classes", top as usize + 1, Slot::CLASSES)?;
        let mut table = Grow::new(ranges).finish();
        table.nodes.shrink_to_fit();
        table.lines.shrink_to_fit();
        table.low.shrink_to_fit();
        Ok(table)
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u128) -> ClassId {
        let key = (address >> 64) as u64;
        let mut slot = self.root[(key >> (64 - ROOT_BITS)) as usize];
        let mut rest = key << ROOT_BITS;
        while slot.is_node() {
            slot = self.step(slot, &mut rest);
        }
        if slot.is_class() {
            ClassId(slot.value())
        } else if slot.is_deep() {
            self.search(slot, address)
        } else {
            self.lines[slot.value() as usize].class((rest >> 32) as u32)
        }
    }

    /// One step down the trie.
    #[inline]
    fn step(&self, node: Slot, rest: &mut u64) -> Slot {
        let bits = (node.0 >> 27 & 0xf) + 1;
        let index = *rest >> (64 - bits);
        *rest <<= bits;
        self.nodes[(node.0 & 0x7ff_ffff) as usize + index as usize]
    }

    /// The class within a /64 that is cut further.
    fn search(&self, slot: Slot, address: u128) -> ClassId {
        let (from, to) = self.deep[slot.value() as usize];
        let ranges = &self.low[from as usize..to as usize];
        let key = address as u64;
        let (mut at, mut count) = (0, ranges.len());
        while count > 1 {
            let half = count / 2;
            at += if ranges[at + half].0 <= key { half } else { 0 };
            count -= half;
        }
        ranges[at].1
    }

    /// [`Six::find`] of each address, with the memory latency of a few. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn find_batch(&self, addresses: &[u128], classes: &mut [ClassId]) {
        for (keys, out) in addresses.chunks(BURST).zip(classes.chunks_mut(BURST)) {
            self.find_burst(keys, out);
        }
    }

    /// All keys go down one level at a time, so that their loads overlap; those that go on are gathered
    /// without a branch, which chance would decide.
    #[inline]
    fn find_burst(&self, addresses: &[u128], classes: &mut [ClassId]) {
        let mut slots = [Slot(0); BURST];
        let mut rests = [0; BURST];
        for ((slot, rest), &address) in slots.iter_mut().zip(&mut rests).zip(addresses) {
            let key = (address >> 64) as u64;
            *slot = self.root[(key >> (64 - ROOT_BITS)) as usize];
            *rest = key << ROOT_BITS;
        }
        let mut walking = [0; BURST];
        let mut count = 0;
        for (place, slot) in slots.iter().enumerate() {
            walking[count % BURST] = place;
            count += usize::from(slot.is_node());
        }
        while count > 0 {
            let mut left = 0;
            for at in 0..count {
                let place = walking[at % BURST] % BURST;
                let slot = self.step(slots[place], &mut rests[place]);
                slots[place] = slot;
                walking[left % BURST] = place;
                left += usize::from(slot.is_node());
            }
            count = left;
        }
        // A class loads a line all the same: a branch that chance decides would cost more.
        let mut places = [0; BURST];
        let mut seen = 0;
        for (place, slot) in places.iter_mut().zip(&slots) {
            *place = if slot.is_line() { slot.value() } else { 0 };
            seen ^= self.lines[*place as usize].starts[0];
        }
        std::hint::black_box(seen);
        for (at, (class, &address)) in classes.iter_mut().zip(addresses).enumerate().take(BURST) {
            let slot = slots[at];
            let ranged = self.lines[places[at] as usize].class((rests[at] >> 32) as u32);
            *class = if slot.is_class() { ClassId(slot.value()) } else { ranged };
            if slot.is_deep() {
                *class = self.search(slot, address);
            }
        }
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        (self.root.capacity() + self.nodes.capacity()) * size_of::<Slot>()
            + self.lines.capacity() * size_of::<Line>()
            + self.deep.capacity() * size_of::<(u32, u32)>()
            + self.low.capacity() * size_of::<(u64, ClassId)>()
    }
}

fn limit(what: &'static str, asked: usize, limit: usize) -> Result<(), TableError> {
    if asked > limit { Err(TableError { what, asked, limit }) } else { Ok(()) }
}
