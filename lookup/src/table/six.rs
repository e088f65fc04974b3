//! The class of an IPv6 address: a trie whose nodes cover up to 16 bits and hold a value for each run.
//!
//! Neighbouring places of a node mostly lead to the same, so what they lead to is stored once for a
//! run of places. How many runs have begun up to a place, its rank, finds its value. Two kinds of
//! nodes differ in how they tell the rank:
//!
//! - a dense node marks in one bit for each place whether a run begins there, and counts bits, 32
//!   places a block, as [`Packed`](super::packed::Packed) does for IPv4;
//! - a sparse node covers 16 bits in which at most eight runs begin after the first, and compares them with
//!   the address at once. It stands for a chain of single prefixes as well as for a few in a /32.
//!
//! The first 16 bits index the root. The trie ends at /64; a /64 that is cut further is searched. So
//! prefixes of every length work, and memory stays in proportion to the ranges however they cluster.
//!
//! ```text
//!  address  | 16 bits | up to 16 bits | 16 bits | ... 64 |          64 bits |
//!               |             |            |                           |
//!  root    [ dense ]          |            |                           |
//!  blocks       `-> [ base:32 marks:32 ]   |                           |
//!                       |                  |                           |
//!  values     [ class, sparse, dense, .. ] |                           |
//!                        |                 |                           |
//!  values     [ .. 16-bit starts | class, class, deep, .. ]            |
//!                                                  |                   |
//!  low                                  from..to: binary search on the low half
//! ```
//!
//! A lookup on a whole-world table takes a root entry, one or two dense nodes, and for half of the
//! keys a sparse one. The batch takes all keys of a burst down together, so that their loads overlap.
//! docs/decisions/0018-ranked-nodes.md has the measured choices.
//!
//! Source: Asai, Ohara, "Poptrie: A Compressed Trie with Population Count for Fast and Scalable
//! Software IP Routing Table Lookup", 2015, for the ranks; Nilsson, Karlsson, "IP-Address Lookup
//! Using LC-Tries", 1999, for strides that follow what is below.

use pulp::Arch;
use wide::u16x8;

use super::TableError;
use super::burst::{self, BURST, Bursts};
use super::grow::Grow;
use super::packed::{PLACES, split};
use crate::{ClassId, Ranges};

/// Bits of the root's index.
pub(super) const ROOT_BITS: u32 = 16;
/// Bits that the trie indexes.
pub(super) const TRIE_BITS: u32 = 64;
/// Bits that a sparse node covers, and the most that a dense one does.
pub(super) const NODE_BITS: u32 = 16;
/// Starts of a sparse node, at most.
pub(super) const STARTS: usize = 8;
/// Words of their starts.
pub(super) const START_WORDS: usize = STARTS / 2;
/// Fewer keys than this go down one by one.
const FEW: usize = 8;

/// IPv6 classes, compiled for lookup.
#[derive(Debug)]
pub struct Six {
    /// Of this processor.
    pub(super) arch: Arch,
    /// Dense nodes all of them, so that a burst need not ask.
    pub(super) root: Vec<Slot>,
    /// Of dense nodes: `base:32 marks:32`. The first is spare, so that a burst may always load from it.
    pub(super) blocks: Vec<u64>,
    /// What places lead to; before those of a sparse node its starts, two in a word, the first in the
    /// high half of the last word. [`START_WORDS`] are spare, so that all may be loaded at once.
    pub(super) values: Vec<u32>,
    /// Where the ranges of each /64 that is cut further stand in `low`.
    pub(super) deep: Vec<(u32, u32)>,
    pub(super) low: Vec<u64>,
    pub(super) low_classes: Vec<ClassId>,
}

/// What a place leads to, in 32 bits.
///
/// ```text
///  00 class:30                a class
///  01 place:30                a /64 in `deep`
///  10 bits-1:4 place:26       a dense node over so many bits, from this block on
///  11 starts:4 place:26       a sparse node with its values from this place on
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u32);

impl Slot {
    pub(super) const PLACES: usize = 1 << 26;
    pub(super) const CLASSES: usize = 1 << 30;
    const PLACE: u32 = Self::PLACES as u32 - 1;

    pub(super) fn class(class: ClassId) -> Self {
        Self(class.0)
    }

    pub(super) fn deep(place: usize) -> Self {
        Self(1 << 30 | place as u32)
    }

    fn deep_place(self) -> usize {
        (self.0 & !(1 << 30)) as usize
    }

    /// `bits` are from 1 to [`NODE_BITS`].
    pub(super) fn dense(bits: u32, place: usize) -> Self {
        Self(2 << 30 | (bits - 1) << 26 | place as u32 & Self::PLACE)
    }

    /// `starts` are from 1 to [`STARTS`].
    pub(super) fn sparse(starts: usize, place: usize) -> Self {
        Self(3 << 30 | (starts as u32) << 26 | place as u32 & Self::PLACE)
    }

    #[inline(always)]
    pub(super) fn is_class(self) -> bool {
        self.0 >> 30 == 0
    }

    #[inline(always)]
    fn is_deep(self) -> bool {
        self.0 >> 30 == 1
    }

    #[inline(always)]
    fn is_dense(self) -> bool {
        self.0 >> 30 == 2
    }

    #[inline(always)]
    fn is_sparse(self) -> bool {
        self.0 >> 30 == 3
    }

    #[inline(always)]
    fn is_node(self) -> bool {
        self.0 >> 31 != 0
    }

    /// The bits of a dense node, less one; the starts of a sparse one.
    #[inline(always)]
    fn count(self) -> u32 {
        self.0 >> 26 & 0xf
    }

    #[inline(always)]
    fn place(self) -> u32 {
        self.0 & Self::PLACE
    }
}

impl Six {
    /// Compiles a cover.
    ///
    /// # Errors
    /// More than 2^26 blocks or values, which takes 2^22 ranges or more, or a class of 2^30 or more.
    pub fn compile(ranges: &Ranges<u128, ClassId>) -> Result<Self, TableError> {
        let top = ranges.iter().map(|(.., class)| class.0).max().unwrap_or(0);
        limit("address classes", top as usize + 1, Slot::CLASSES)?;
        limit("ranges of IPv6 addresses", ranges.len(), Slot::PLACES)?;
        let table = Grow::new(ranges).finish();
        let places = table.blocks.len().max(table.values.len());
        limit("places for IPv6 addresses", places, Slot::PLACES)?;
        Ok(table)
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u128) -> ClassId {
        let high = (address >> 64) as u64;
        let mut slot = self.root[(high >> (64 - ROOT_BITS)) as usize];
        let mut rest = high << ROOT_BITS;
        while slot.is_node() {
            slot = if slot.is_dense() {
                self.dense(slot, &mut rest)
            } else {
                let place = self.rank(slot, rest);
                rest <<= NODE_BITS;
                self.value(place)
            };
        }
        if slot.is_deep() { self.search(slot, address) } else { ClassId(slot.0) }
    }

    /// [`Six::find`] of each address, with the memory latency of a few. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn find_batch(&self, addresses: &[u128], classes: &mut [ClassId]) {
        if addresses.len() < FEW {
            for (&address, class) in addresses.iter().zip(classes) {
                *class = self.find(address);
            }
            return;
        }
        burst::on(self.arch, self, addresses, classes);
    }

    /// One step of the keys that stand at a dense node, which may be `ALL`; the others load from the
    /// spare block all the same: a branch that chance decides would cost more.
    #[inline(always)]
    fn dense_burst<const ALL: bool>(&self, slots: &mut [Slot], rests: &mut [u64]) {
        let count = slots.len().min(rests.len()).min(BURST);
        let (slots, rests) = (&mut slots[..count], &mut rests[..count]);
        let (mut places, mut indices, mut blocks) = ([0; BURST], [0; BURST], [0; BURST]);
        for at in 0..count {
            let slot = slots[at];
            let stands = ALL || slot.is_dense();
            let bits = if stands { slot.count() + 1 } else { 0 };
            let index = (rests[at] >> 1 >> (63 - bits)) as u32;
            places[at] = if stands { slot.place() + index / PLACES as u32 } else { 0 };
            indices[at] = index;
            rests[at] <<= bits;
        }
        for (block, &place) in blocks[..count].iter_mut().zip(&places) {
            *block = self.blocks[place as usize];
        }
        for at in 0..count {
            let (base, marks) = split(blocks[at], indices[at]);
            places[at] = base + marks.count_ones();
        }
        for place in &mut places[..count] {
            *place = self.values[*place as usize];
        }
        for (slot, &value) in slots.iter_mut().zip(&places) {
            *slot = if ALL || slot.is_dense() { Slot(value) } else { *slot };
        }
    }

    /// One step of the keys that stand at a sparse node, which are gathered without a branch.
    #[inline(always)]
    fn sparse_burst(&self, slots: &mut [Slot], rests: &mut [u64]) {
        let mut stand = [0_u8; BURST];
        let mut count = 0;
        for (at, slot) in slots.iter().enumerate() {
            stand[count % BURST] = at as u8;
            count += usize::from(slot.is_sparse());
        }
        let stand = &stand[..count.min(BURST)];
        let mut places = [0; BURST];
        for (place, &at) in places.iter_mut().zip(stand) {
            let rest = &mut rests[usize::from(at)];
            *place = self.rank(slots[usize::from(at)], *rest);
            *rest <<= NODE_BITS;
        }
        for (&place, &at) in places.iter().zip(stand) {
            slots[usize::from(at)] = self.value(place);
        }
    }

    /// One step from a dense node.
    #[inline(always)]
    fn dense(&self, node: Slot, rest: &mut u64) -> Slot {
        let bits = node.count() + 1;
        let index = (*rest >> (64 - bits)) as u32;
        *rest <<= bits;
        let block = self.blocks[(node.place() + index / PLACES as u32) as usize];
        let (base, marks) = split(block, index);
        self.value(base + marks.count_ones())
    }

    /// Where the value of the next bits stands in a sparse node.
    #[inline(always)]
    fn rank(&self, node: Slot, rest: u64) -> u32 {
        let end = node.place() as usize;
        let key = u16x8::splat((rest >> (64 - NODE_BITS)) as u16);
        let mut starts = [0; STARTS];
        let words = &self.values[end - START_WORDS..end];
        for (pair, &word) in starts.chunks_exact_mut(2).zip(words) {
            pair.copy_from_slice(&[word as u16, (word >> 16) as u16]);
        }
        // A start is not beyond the key where the key is the larger one of the two.
        let begun = u16x8::new(starts).max(key).simd_eq(key).to_bitmask() as u8;
        node.place() + begun.leading_ones().min(node.count())
    }

    #[inline(always)]
    fn value(&self, place: u32) -> Slot {
        Slot(self.values[place as usize])
    }

    /// The class within a /64 that is cut further.
    fn search(&self, slot: Slot, address: u128) -> ClassId {
        let (from, to) = self.deep[slot.deep_place()];
        let (starts, classes) = (&self.low[from as usize..to as usize], &self.low_classes);
        let key = address as u64;
        let (mut at, mut count) = (0, starts.len());
        while count > 1 {
            let half = count / 2;
            at += if starts[at + half] <= key { half } else { 0 };
            count -= half;
        }
        classes[from as usize + at]
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.root.capacity() * size_of::<Slot>()
            + self.blocks.capacity() * size_of::<u64>()
            + self.values.capacity() * size_of::<u32>()
            + self.deep.capacity() * size_of::<(u32, u32)>()
            + self.low.capacity() * size_of::<u64>()
            + self.low_classes.capacity() * size_of::<ClassId>()
    }
}

impl Bursts<u128> for Six {
    /// All keys take a step together: the loops that load do nothing else, and those that compute are
    /// compiled to vectors.
    #[inline(always)]
    fn find_burst(&self, keys: &[u128], classes: &mut [ClassId]) {
        let (mut slots, mut rests) = ([Slot(0); BURST], [0; BURST]);
        let count = keys.len().min(BURST);
        let (slots, rests) = (&mut slots[..count], &mut rests[..count]);
        for ((slot, rest), &key) in slots.iter_mut().zip(&mut *rests).zip(keys) {
            let high = (key >> 64) as u64;
            *slot = self.root[(high >> (64 - ROOT_BITS)) as usize];
            *rest = high << ROOT_BITS;
        }
        self.dense_burst::<true>(slots, rests);
        self.dense_burst::<false>(slots, rests);
        loop {
            // Few have a third dense node before them.
            if slots.iter().any(|slot| slot.is_dense()) {
                for (slot, rest) in slots.iter_mut().zip(&mut *rests) {
                    while slot.is_dense() {
                        *slot = self.dense(*slot, rest);
                    }
                }
            }
            self.sparse_burst(slots, rests);
            if !slots.iter().any(|slot| slot.is_node()) {
                break;
            }
        }
        for (class, slot) in classes.iter_mut().zip(&*slots) {
            *class = ClassId(slot.0);
        }
        if slots.iter().any(|slot| slot.is_deep()) {
            for ((class, &slot), &key) in classes.iter_mut().zip(&*slots).zip(keys) {
                if slot.is_deep() {
                    *class = self.search(slot, key);
                }
            }
        }
    }
}

fn limit(what: &'static str, asked: usize, limit: usize) -> Result<(), TableError> {
    if asked > limit { Err(TableError { what, asked, limit }) } else { Ok(()) }
}
