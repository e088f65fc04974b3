//! The routes: all countries of the world, and random ones.

use std::collections::BTreeMap;

use lookup::{ClassId, Country, Geo, OriginId, OriginKeys, Prefix, Ranges};

use super::arms::Kind;
use crate::load::Random;

/// How many of a thousand random IPv4 prefixes are so long: about as in the routing table of the
/// internet, with some that are longer than it takes.
const FOUR: [(u8, u32); 14] = [
    (8, 2),
    (12, 4),
    (14, 8),
    (16, 40),
    (18, 20),
    (19, 30),
    (20, 50),
    (21, 60),
    (22, 130),
    (23, 100),
    (24, 500),
    (26, 20),
    (28, 16),
    (32, 20),
];
const SIX: [(u8, u32); 10] = [
    (20, 2),
    (29, 40),
    (32, 240),
    (36, 50),
    (40, 100),
    (44, 110),
    (48, 420),
    (56, 18),
    (64, 15),
    (128, 5),
];

/// Routes stand in so many blocks, /16 and /32, as registries give addresses out.
const BLOCKS: usize = 2000;

/// A routing table: as a cover for ours, as prefixes for others.
pub(super) struct Routes<A> {
    pub(super) ranges: Ranges<A, ClassId>,
    /// Without those of class 0, which is what no route holds.
    pub(super) prefixes: Vec<(Prefix<A>, ClassId)>,
}

/// The countries of all addresses.
pub(super) struct World {
    /// By class, from 1.
    pub(super) countries: Vec<Country>,
    pub(super) v4: Routes<u32>,
    pub(super) v6: Routes<u128>,
}

impl World {
    pub(super) fn new(geo: &Geo) -> Self {
        let all = geo.keys();
        let found = all.keys.iter().filter_map(|key| key.country);
        let mut classes: BTreeMap<Country, ClassId> =
            found.map(|country| (country, ClassId(0))).collect();
        for (number, class) in (1..).zip(classes.values_mut()) {
            *class = ClassId(number);
        }
        let (v4, v6) = (Routes::of(&all.v4, &all, &classes), Routes::of(&all.v6, &all, &classes));
        Self { countries: classes.into_keys().collect(), v4, v6 }
    }
}

impl<A: Kind> Routes<A> {
    fn of(
        ids: &Ranges<A, OriginId>,
        all: &OriginKeys,
        classes: &BTreeMap<Country, ClassId>,
    ) -> Self {
        let class = |id: &OriginId| {
            let country = all.keys.get(id.0 as usize).and_then(|key| key.country);
            country.and_then(|country| classes.get(&country).copied()).unwrap_or_default()
        };
        let ranges = ids.map(class);
        // Databases repeat IPv4 in `::/96`, where no key is: it would only cost others their memory.
        let (low, high) = A::GIVEN;
        let asked = |first: A| (low..=high).contains(&first.into());
        let known = ranges.iter().filter(|(first, _, class)| class.0 != 0 && asked(*first));
        let split = known.flat_map(|(first, last, class)| {
            Prefix::cover(first, last).map(move |prefix| (prefix, *class))
        });
        Self { prefixes: split.collect(), ranges }
    }

    /// So many prefixes of the lengths that are in use, to 250 next hops.
    pub(super) fn random(count: usize) -> Self {
        let lengths = if <A as lookup::Address>::BITS == 32 { &FOUR[..] } else { &SIX[..] };
        let mut random = Random::new(count as u64);
        let (low, high) = A::GIVEN;
        let blocks: Vec<u128> = (0..BLOCKS).map(|_| low + random.below(high - low + 1)).collect();
        let mut prefixes = BTreeMap::new();
        while prefixes.len() < count {
            let mut pick = random.below(1000) as u32;
            let length = lengths.iter().find(|(_, share)| {
                let found = pick < *share;
                pick = pick.saturating_sub(*share);
                found
            });
            let mut address = low + random.below(high - low + 1);
            if let Some(block) = blocks.get(random.below(blocks.len() as u128) as usize) {
                let kept: u128 = !0 << if A::NAME == "IPv4" { 16 } else { 96 };
                address = block & kept | address & !kept;
            }
            let Ok(address) = A::try_from(address) else { continue };
            let class = ClassId(1 + random.below(250) as u32);
            prefixes.insert(Prefix::new(address, length.map_or(24, |(bits, _)| *bits)), class);
        }
        let prefixes: Vec<_> = prefixes.into_iter().collect();
        Self { ranges: Ranges::build(ClassId(0), prefixes.iter().copied()), prefixes }
    }
}
