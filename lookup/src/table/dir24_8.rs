//! DIR-24-8: the class of an IPv4 address in one load, two where a prefix is longer than /24.
//!
//! The first 24 bits of the address index `tbl24`. Where all 256 addresses behind an entry have one
//! class the entry is that class; else its flag is set, it names a group of 256 entries in `tbl8`,
//! and the last 8 bits choose among them. Equal groups are stored once.
//!
//! ```text
//!  address   | 24 bits          | 8 bits |
//!                |                  |
//!  tbl24 [ 0 | class ]              |        2^24 entries
//!        [ 1 | group ] --> tbl8 [ group ][ low ] = class
//! ```
//!
//! Entries are 16 bits (15 and the flag) while classes and groups fit, which keeps the table at
//! 32 MB; a larger policy gets 32-bit entries by itself. The table is immutable: a reload builds
//! another one, which costs a fill of memory. Nothing here asks for huge pages, because that takes
//! `unsafe`: the table gets them where `transparent_hugepage/enabled` says `always`, or with
//! `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` where it says `madvise`.
//!
//! Source: Gupta, Lin, McKeown, "Routing Lookups in Hardware at Memory Access Speeds", 1998.

use std::collections::HashMap;

use super::TableError;
use crate::{ClassId, Ranges};

/// Keys whose loads are in flight together.
const LANES: usize = 16;

/// IPv4 classes, compiled for lookup.
#[derive(Debug)]
pub struct Dir24_8(Width);

#[derive(Debug)]
enum Width {
    Narrow(Tables<u16>),
    Wide(Tables<u32>),
}

impl Dir24_8 {
    /// Compiles a cover, with the narrowest entries that hold it.
    ///
    /// # Errors
    /// A class of 2^31 or more; classes are dense from 0, so no real policy comes near.
    pub fn compile(ranges: &Ranges<u32, ClassId>) -> Result<Self, TableError> {
        let top = ranges.iter().map(|(_, _, class)| class.0).max().unwrap_or(0);
        if top <= u16::TOP
            && let Some(tables) = Tables::build(ranges)
        {
            return Ok(Self(Width::Narrow(tables)));
        }
        let tables = if top <= u32::TOP { Tables::build(ranges) } else { None };
        tables.map(|tables| Self(Width::Wide(tables))).ok_or(TableError {
            what: "address classes",
            asked: top as usize + 1,
            limit: u32::TOP as usize + 1,
        })
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u32) -> ClassId {
        match &self.0 {
            Width::Narrow(tables) => tables.find(address),
            Width::Wide(tables) => tables.find(address),
        }
    }

    /// [`Dir24_8::find`] of each address, with the memory latency of a few. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn find_batch(&self, addresses: &[u32], classes: &mut [ClassId]) {
        match &self.0 {
            Width::Narrow(tables) => tables.find_batch(addresses, classes),
            Width::Wide(tables) => tables.find_batch(addresses, classes),
        }
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Width::Narrow(tables) => tables.memory_bytes(),
            Width::Wide(tables) => tables.memory_bytes(),
        }
    }

    /// Bits of an entry: 16 or 32.
    #[must_use]
    pub fn entry_bits(&self) -> u32 {
        match &self.0 {
            Width::Narrow(_) => u16::BITS,
            Width::Wide(_) => u32::BITS,
        }
    }
}

/// An entry of either table: a flag in the top bit, a class or a group below it.
trait Entry: Copy + Default {
    /// The greatest class or group that fits.
    const TOP: u32;

    fn class(value: u32) -> Self;
    fn group(value: u32) -> Self;
    fn is_group(self) -> bool;
    /// The class or group.
    fn value(self) -> u32;
}

macro_rules! entry {
    ($int:ty) => {
        impl Entry for $int {
            const TOP: u32 = (<$int>::MAX >> 1) as u32;

            fn class(value: u32) -> Self {
                value as Self
            }

            fn group(value: u32) -> Self {
                value as Self | !(Self::MAX >> 1)
            }

            #[inline]
            fn is_group(self) -> bool {
                self > Self::MAX >> 1
            }

            #[inline]
            fn value(self) -> u32 {
                u32::from(self & (Self::MAX >> 1))
            }
        }
    };
}

entry!(u16);
entry!(u32);

#[derive(Debug)]
struct Tables<E> {
    tbl24: Vec<E>,
    /// At least one group, so that a batch may always load from it.
    tbl8: Vec<E>,
}

impl<E: Entry> Tables<E> {
    /// Fills by ranges; `None` when there are more groups than entries can name.
    fn build(ranges: &Ranges<u32, ClassId>) -> Option<Self> {
        let mut tbl24 = vec![E::default(); 1 << 24];
        let mut groups = Groups::default();
        let mut pieces = Vec::new(); // of the /24 that is being cut
        for (first, last, ClassId(class)) in ranges.iter() {
            let (mut next, end) = (u64::from(first), u64::from(last) + 1);
            if next & 0xff != 0 {
                pieces.push((next as u8, *class));
                let stop = (next | 0xff) + 1;
                if end < stop {
                    continue;
                }
                tbl24[(next >> 8) as usize] = groups.group(&mut pieces)?;
                next = stop;
            }
            tbl24[(next >> 8) as usize..(end >> 8) as usize].fill(E::class(*class));
            if end & 0xff != 0 {
                pieces.push((0, *class));
            }
        }
        Some(Self { tbl24, tbl8: groups.tbl8 })
    }

    #[inline]
    fn find(&self, address: u32) -> ClassId {
        let entry = self.tbl24[(address >> 8) as usize];
        if entry.is_group() {
            return ClassId(self.tbl8[slot(entry, address)].value());
        }
        ClassId(entry.value())
    }

    /// Two passes over a few keys at a time: loads of one pass do not wait for each other.
    #[inline]
    fn find_batch(&self, addresses: &[u32], classes: &mut [ClassId]) {
        let count = addresses.len().min(classes.len());
        let (addresses, classes) = (&addresses[..count], &mut classes[..count]);
        let (keys, rest) = addresses.as_chunks::<LANES>();
        let (out, out_rest) = classes.as_chunks_mut::<LANES>();
        for (keys, out) in keys.iter().zip(out) {
            let entries = keys.map(|address| self.tbl24[(address >> 8) as usize]);
            for i in 0..LANES {
                out[i] = self.resolve(entries[i], keys[i]);
            }
        }
        for (&address, class) in rest.iter().zip(out_rest) {
            *class = self.find(address);
        }
    }

    /// Loads from `tbl8` also where the entry is a class, and takes no branch that chance decides.
    #[inline]
    fn resolve(&self, entry: E, address: u32) -> ClassId {
        let far = self.tbl8[if entry.is_group() { slot(entry, address) } else { 0 }];
        ClassId(if entry.is_group() { far.value() } else { entry.value() })
    }

    fn memory_bytes(&self) -> usize {
        (self.tbl24.capacity() + self.tbl8.capacity()) * size_of::<E>()
    }
}

#[inline]
fn slot<E: Entry>(entry: E, address: u32) -> usize {
    (entry.value() as usize) << 8 | (address & 0xff) as usize
}

/// The groups so far, found again by their pieces: (first low byte, class).
struct Groups<E> {
    tbl8: Vec<E>,
    known: HashMap<Box<[(u8, u32)]>, u32>,
}

impl<E: Entry> Default for Groups<E> {
    fn default() -> Self {
        Self { tbl8: vec![E::default(); 256], known: HashMap::from([(Box::from([(0, 0)]), 0)]) }
    }
}

impl<E: Entry> Groups<E> {
    /// The entry for a /24 cut like this; empties `pieces`.
    fn group(&mut self, pieces: &mut Vec<(u8, u32)>) -> Option<E> {
        let group = match self.known.get(pieces.as_slice()) {
            Some(&group) => group,
            None => self.store(pieces)?,
        };
        pieces.clear();
        Some(E::group(group))
    }

    fn store(&mut self, pieces: &[(u8, u32)]) -> Option<u32> {
        let group = u32::try_from(self.known.len()).ok().filter(|&group| group <= E::TOP)?;
        let start = self.tbl8.len();
        self.tbl8.resize(start + 256, E::default());
        for &(low, class) in pieces {
            self.tbl8[start + usize::from(low)..].fill(E::class(class));
        }
        self.known.insert(pieces.into(), group);
        Some(group)
    }
}
