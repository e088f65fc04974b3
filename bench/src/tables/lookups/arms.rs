//! The loops around a lookup; one copy for each table, so that lookups are inlined.

use std::hint::black_box;
use std::net::IpAddr;

use lookup::{Address, ClassId, Dir24_8, Six};

use crate::tables::spent::spent_ns;

/// Keys of a batch: a burst.
const BATCH: usize = 64;

/// A family of addresses.
pub(super) trait Kind:
    Address + poptrie::Address + Into<u128> + TryFrom<u128> + Default + 'static
{
    /// For people.
    const NAME: &'static str;
    /// Where keys come from: the part that is given out.
    const GIVEN: (u128, u128);
    /// The address, for people and other crates.
    fn address(self) -> IpAddr;
    /// Moved by an answer, which the compiler cannot know to be no move.
    fn stir(self, by: u32) -> Self;
}

impl Kind for u32 {
    const NAME: &'static str = "IPv4";
    const GIVEN: (u128, u128) = (0, u32::MAX as u128);

    fn address(self) -> IpAddr {
        IpAddr::V4(self.into())
    }

    #[inline(always)]
    fn stir(self, by: u32) -> Self {
        self ^ by
    }
}

impl Kind for u128 {
    const NAME: &'static str = "IPv6";
    const GIVEN: (u128, u128) = (0x2000 << 112, (0x3000 << 112) - 1);

    fn address(self) -> IpAddr {
        IpAddr::V6(self.into())
    }

    #[inline(always)]
    fn stir(self, by: u32) -> Self {
        // The high half is what most tables read.
        self ^ Self::from(by) << 64
    }
}

/// How keys come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    Dependent,
    Independent,
    Batch,
}

impl Arm {
    pub(super) const ALL: [Self; 3] = [Self::Dependent, Self::Independent, Self::Batch];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dependent => "dependent",
            Self::Independent => "independent",
            Self::Batch => "batch",
        }
    }
}

/// A longest-prefix table; 0 is the class of what no route holds.
pub(super) trait Table<A: Kind> {
    fn find(&self, key: A) -> ClassId;

    /// One by one, where a table knows no better.
    #[inline]
    fn find_batch(&self, keys: &[A], classes: &mut [ClassId]) {
        for (key, class) in keys.iter().zip(classes) {
            *class = self.find(*key);
        }
    }
}

/// A table under its loops.
pub(super) trait Arms<A: Kind> {
    /// Nanoseconds a lookup, over all keys, after a pass that is not timed: `dpdk-test-fib` too asks
    /// for keys that it has just written, of a table that it has just filled.
    fn pass(&self, arm: Arm, keys: &[A]) -> f64;
    /// The classes of a burst of keys, alone and together: they are the same.
    fn answers(&self, keys: &[A], classes: &mut [ClassId]) -> bool;
}

impl<A: Kind, T: Table<A>> Arms<A> for T {
    fn pass(&self, arm: Arm, keys: &[A]) -> f64 {
        let pass = || match arm {
            Arm::Dependent => dependent(self, keys),
            Arm::Independent => independent(self, keys),
            Arm::Batch => batches(self, keys),
        };
        pass();
        let (ns, ()) = spent_ns(pass);
        ns / keys.len().max(1) as f64
    }

    fn answers(&self, keys: &[A], classes: &mut [ClassId]) -> bool {
        self.find_batch(keys, classes);
        keys.iter().zip(classes).all(|(key, class)| self.find(*key) == *class)
    }
}

#[inline(never)]
fn dependent<A: Kind>(table: &(impl Table<A> + ?Sized), keys: &[A]) {
    let nothing = black_box(0);
    let mut last = ClassId(0);
    for key in keys {
        last = table.find(key.stir(last.0 & nothing));
    }
    black_box(last);
}

#[inline(never)]
fn independent<A: Kind>(table: &(impl Table<A> + ?Sized), keys: &[A]) {
    black_box(keys.iter().map(|key| u64::from(table.find(*key).0)).sum::<u64>());
}

#[inline(never)]
fn batches<A: Kind>(table: &(impl Table<A> + ?Sized), keys: &[A]) {
    let mut classes = [ClassId(0); BATCH];
    for keys in keys.chunks_exact(BATCH) {
        table.find_batch(keys, &mut classes);
        black_box(&classes);
    }
}

/// The first key for which two tables differ, or one with itself.
pub(super) fn disagree<A: Kind>(ours: &dyn Arms<A>, theirs: &dyn Arms<A>, keys: &[A]) -> Option<A> {
    let mut classes = [[ClassId(0); BATCH]; 2];
    let [own, other] = &mut classes;
    for keys in keys.chunks(BATCH) {
        let (own, other) = (&mut own[..keys.len()], &mut other[..keys.len()]);
        let alike = ours.answers(keys, own) && theirs.answers(keys, other);
        if !alike || own != other {
            let place = own.iter().zip(&*other).position(|(a, b)| a != b);
            return keys.get(place.unwrap_or(0)).copied();
        }
    }
    None
}

/// The loops without a lookup.
pub(super) struct Baseline;

impl<A: Kind> Table<A> for Baseline {
    #[inline]
    fn find(&self, key: A) -> ClassId {
        let key: u128 = key.into();
        ClassId(key as u32)
    }
}

impl Table<u32> for Dir24_8 {
    #[inline]
    fn find(&self, key: u32) -> ClassId {
        self.find(key)
    }

    #[inline]
    fn find_batch(&self, keys: &[u32], classes: &mut [ClassId]) {
        self.find_batch(keys, classes);
    }
}

impl Table<u128> for Six {
    #[inline]
    fn find(&self, key: u128) -> ClassId {
        self.find(key)
    }

    #[inline]
    fn find_batch(&self, keys: &[u128], classes: &mut [ClassId]) {
        self.find_batch(keys, classes);
    }
}
