//! DIR-24-8: the class of an IPv4 address by its first 24 bits, and by its last 8 where a prefix is
//! longer than /24.
//!
//! The first 24 bits index `tbl24`. Where all 256 addresses behind an entry have one class the entry
//! is that class; else its flag is set, it names a group of 256 entries in `tbl8`, and the last 8
//! bits choose among them.
//!
//! ```text
//!  address   | 24 bits          | 8 bits |
//!                |                  |
//!  tbl24 [ 0 | class ]              |        2^24 entries, packed
//!        [ 1 | group ] --> tbl8 [ group ][ low ] = class
//! ```
//!
//! Both tables are [`Packed`]: the paper's 32 MB miss every cache, and filling them is most of a
//! reload. The whole world takes 5 to 10 MB, and a lookup two or four loads, which a batch overlaps.
//! The table is immutable: a reload builds another one. docs/decisions/0010-packed-tables.md and
//! 0012-loads-in-loops.md have the measured choices.
//!
//! Source: Gupta, Lin, McKeown, "Routing Lookups in Hardware at Memory Access Speeds", 1998.

use pulp::Arch;

use super::TableError;
use super::burst::{self, BURST, Bursts};
use super::packed::Packed;
use crate::{ClassId, Ranges};

/// In an entry of `tbl24`: a group of `tbl8`, not a class.
const GROUP: u32 = 1 << 31;

/// IPv4 classes, compiled for lookup.
#[derive(Debug)]
pub struct Dir24_8 {
    /// Of this processor.
    arch: Arch,
    tbl24: Packed,
    tbl8: Packed,
}

impl Dir24_8 {
    /// Compiles a cover.
    ///
    /// # Errors
    /// A class of 2^31 or more; classes are dense from 0, so no real policy comes near.
    pub fn compile(ranges: &Ranges<u32, ClassId>) -> Result<Self, TableError> {
        let mut tbl24 = Packed::with_capacity(1 << 24, ranges.len());
        let mut tbl8 = Packed::default();
        // The first group is spare, so that a batch may always load from it.
        tbl8.run(256, 0);
        let mut group = 1;
        for (first, last, &ClassId(class)) in ranges.iter() {
            if class >= GROUP {
                let (what, limit) = ("address classes", GROUP as usize);
                return Err(TableError { what, asked: class as usize + 1, limit });
            }
            let (mut next, end) = (first as usize, last as usize + 1);
            if next & 0xff != 0 {
                let stop = (next | 0xff) + 1;
                tbl8.run(end.min(stop) - next, class);
                if end < stop {
                    continue;
                }
                tbl24.run(1, GROUP | group);
                group += 1;
                next = stop;
            }
            tbl24.run((end >> 8) - (next >> 8), class);
            tbl8.run(end & 0xff, class);
        }
        tbl24.shrink();
        tbl8.shrink();
        Ok(Self { arch: Arch::new(), tbl24, tbl8 })
    }

    /// The class of an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: u32) -> ClassId {
        let entry = self.tbl24.value(high(address));
        if entry < GROUP { ClassId(entry) } else { ClassId(self.tbl8.value(low(entry, address))) }
    }

    /// [`Dir24_8::find`] of each address, with the memory latency of a few. Writes the first
    /// `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn find_batch(&self, addresses: &[u32], classes: &mut [ClassId]) {
        burst::on(self.arch, self, addresses, classes);
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.tbl24.memory_bytes() + self.tbl8.memory_bytes()
    }
}

impl Bursts<u32> for Dir24_8 {
    /// One load a loop: a core looks no further ahead than some hundred instructions, so a loop that
    /// does more has fewer loads in flight (docs/decisions/0012-loads-in-loops.md).
    #[inline(always)]
    fn find_burst(&self, keys: &[u32], classes: &mut [ClassId]) {
        let mut entries = [0; BURST];
        let entries = &mut entries[..keys.len()];
        self.tbl24.values(keys.iter().map(|&key| high(key)), entries);
        if entries.iter().any(|&entry| entry >= GROUP) {
            // All keys load from `tbl8`: a branch that chance decides would cost more.
            let mut far = [0; BURST];
            let far = &mut far[..keys.len()];
            let places = keys.iter().zip(&*entries);
            let places =
                places.map(|(&key, &entry)| if entry < GROUP { 0 } else { low(entry, key) });
            self.tbl8.values(places, far);
            for (entry, &mut far) in entries.iter_mut().zip(far) {
                *entry = if *entry < GROUP { *entry } else { far };
            }
        }
        for (class, &entry) in classes.iter_mut().zip(&*entries) {
            *class = ClassId(entry);
        }
    }
}

/// The place in `tbl24` of an address.
#[inline(always)]
fn high(address: u32) -> usize {
    (address >> 8) as usize
}

/// The place in `tbl8` of an address behind a group.
#[inline(always)]
fn low(entry: u32, address: u32) -> usize {
    ((entry & !GROUP) as usize) << 8 | (address & 0xff) as usize
}
