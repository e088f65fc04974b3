//! A long array whose neighbours are mostly equal, packed: 32 places in 8 bytes.
//!
//! Values are stored once for each run of equal ones. A block marks where runs start among its 32
//! places and says where the value of its first place stands; the value of a place is as many
//! values further as runs have started up to it. So the array of a whole-world table shrinks from 32
//! to 5 MB, most of a lookup stays in the second-level cache, and to build it costs a step a run.
//!
//! ```text
//!  place   | block, 27 bits .. | 5 bits |
//!                |                 |
//!  blocks   [ base:32 starts:32 ]  `--> rank: starts up to the place, counted
//!               |
//!  values   [ .. base, base + 1, .. base + rank .. ]
//! ```
//!
//! Source: Zec, Rizzo, Mikuc, "DXR: Towards a Billion Routing Lookups per Second in Software", 2012,
//! for ranges in the place of prefixes; Asai, Ohara, "Poptrie", 2015, for the counted ranks.

use super::burst::BURST;

/// Places of a block.
pub(super) const PLACES: usize = 32;

/// Marks that a run begins at a place; at the first one of a block the block itself says so.
pub(super) fn begin_run(blocks: &mut [u64], place: usize) {
    if !place.is_multiple_of(PLACES)
        && let Some(open) = blocks.last_mut()
    {
        *open |= 1 << (place % PLACES);
    }
}

/// Appends the blocks that begin within a run, up to so many in all: they have its value first.
pub(super) fn end_run(blocks: &mut Vec<u64>, count: usize, value: usize) {
    blocks.resize(count, (value as u64) << 32);
}

/// Of a place in a block: where the block's values begin, and the starts up to the place.
#[inline(always)]
pub(super) fn split(block: u64, place: u32) -> (u32, u32) {
    ((block >> 32) as u32, (block as u32) << (!place & (PLACES as u32 - 1)))
}

/// The array. It is written from its start to its end, by runs.
#[derive(Debug, Default)]
pub(super) struct Packed {
    blocks: Vec<u64>,
    values: Vec<u32>,
    /// The next place to be written.
    next: usize,
}

impl Packed {
    /// Room for so many places and runs.
    pub(super) fn with_capacity(places: usize, runs: usize) -> Self {
        let blocks = Vec::with_capacity(places.div_ceil(PLACES));
        Self { blocks, values: Vec::with_capacity(runs), next: 0 }
    }

    /// Gives the next `count` places this value.
    pub(super) fn run(&mut self, count: usize, value: u32) {
        if count == 0 {
            return;
        }
        if self.values.last() != Some(&value) {
            self.values.push(value);
            begin_run(&mut self.blocks, self.next);
        }
        self.next += count;
        end_run(&mut self.blocks, self.next.div_ceil(PLACES), self.values.len() - 1);
    }

    /// Of a place that has been written: where its block's values begin, and the starts up to it.
    #[inline(always)]
    pub(super) fn block(&self, place: usize) -> (u32, u32) {
        split(self.blocks[place / PLACES], place as u32)
    }

    /// The value that is as many after the block's first as runs start up to the place.
    #[inline(always)]
    pub(super) fn at(&self, index: u32) -> u32 {
        self.values[index as usize]
    }

    /// The value of a place that has been written.
    #[inline(always)]
    pub(super) fn value(&self, place: usize) -> u32 {
        let (base, starts) = self.block(place);
        self.at(base + starts.count_ones())
    }

    /// The values of places that have been written, a burst at most.
    #[inline(always)]
    pub(super) fn values(&self, places: impl Iterator<Item = usize>, values: &mut [u32]) {
        let mut starts = [0; BURST];
        for ((place, base), starts) in places.zip(&mut *values).zip(&mut starts) {
            (*base, *starts) = self.block(place);
        }
        // Without a load between them, bits of several keys are counted at once.
        for (index, starts) in values.iter_mut().zip(&starts) {
            *index += starts.count_ones();
        }
        for value in values {
            *value = self.at(*value);
        }
    }

    /// Gives back the room that nothing was written to.
    pub(super) fn shrink(&mut self) {
        self.blocks.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<u64>() + self.values.capacity() * size_of::<u32>()
    }
}
