//! The flow table: which pairs the ruleset allowed, so that the next packet asks nobody.
//!
//! Only allowed pairs get in, so a flood that is dropped cannot crowd it. A key has two buckets of
//! eight places, and stands in its first one unless that is more than half full and the other is emptier.
//! A bucket's tags share 16 bytes and stand apart from the entries: a miss reads the tags of two
//! buckets, a hit mostly those of one, and one cache line.
//!
//! ```text
//!  hash -+-> tags    [t0 t1 .. t7]   16 bits each, 0 = free      flows x 2 bytes: mostly in L2
//!        |              | equal?
//!        `-> entries [e0|e1|..|e7]   one cache line each          flows x 64 bytes: in memory
//! ```
//!
//! A full pair of buckets gives up an expired entry, else the one of those not yet (or no longer)
//! open that was silent longest, and last of all one that is no longer allowed; an open flow never
//! gives way. The table is a cache: a flow without a place is judged again on each packet.

use arrayvec::ArrayVec;
use wide::u16x8;

use super::{Entry, Key, Lives, State, Timing};
use crate::BURST;
use crate::ahead::{AHEAD, fetch};

const WAYS: usize = 8;
/// A bucket with so many free places takes a flow without a look at the other one.
const HALF: u32 = WAYS as u32 / 2;
/// No tag matches.
const NOWHERE: u32 = u32::MAX;
/// The two bucket numbers take 24 bits of the hash each, the tag the other 16.
const MAX_BUCKETS: usize = 1 << 24;

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(16))]
struct Tags([u16; WAYS]);

impl Tags {
    /// A bit for each place that holds `tag`.
    #[inline]
    fn matches(&self, tag: u16) -> u32 {
        u16x8::new(self.0).simd_eq(u16x8::splat(tag)).to_bitmask()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    tags: Box<[Tags]>,
    entries: Box<[Entry]>,
    pub(crate) lives: Lives,
    mask: usize,
    len: usize,
    /// The next bucket that [`Table::expire`] looks at.
    cursor: usize,
    /// Which keys may have been put in since the last look: a bit of their hashes.
    fresh: u64,
}

impl Table {
    /// Room for `flows`, rounded up to a power of two.
    pub(crate) fn new(flows: usize, lives: Lives) -> Self {
        let buckets = flows.div_ceil(WAYS).clamp(1, MAX_BUCKETS).next_power_of_two();
        Self {
            tags: vec![Tags::default(); buckets].into(),
            entries: vec![Entry::default(); buckets * WAYS].into(),
            lives,
            mask: buckets - 1,
            len: 0,
            cursor: 0,
            fresh: 0,
        }
    }

    /// Flows in the table, expired ones that were not yet swept among them.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn buckets(&self, hash: u64) -> [usize; 2] {
        let hash = hash as usize;
        [hash & self.mask, (hash >> 24) & self.mask]
    }

    /// Asks for what [`Table::look`] reads first of this hash.
    #[inline]
    pub(crate) fn fetch_tags(&self, hash: u64) {
        fetch(&self.tags[self.buckets(hash)[0]]);
    }

    /// Where to look for the keys of a burst, for [`Table::find_at`]; asks for the first entries there.
    #[inline(never)]
    pub(crate) fn look(&mut self, hashes: &[u64]) -> [u32; BURST] {
        self.fresh = 0;
        let hashes = &hashes[..hashes.len().min(BURST)];
        let mut places = [NOWHERE; BURST];
        let mut absent = ArrayVec::<(usize, usize), BURST>::new();
        for (i, (&hash, place)) in hashes.iter().zip(&mut places).enumerate() {
            let [a, b] = self.buckets(hash);
            *place = self.point(a, hash);
            if *place == NOWHERE {
                fetch(&self.tags[b]);
                absent.push((i, b));
            }
        }
        for (i, second) in absent {
            places[i] = self.point(second, hashes[i]);
        }
        places.iter().take(AHEAD).for_each(|place| self.fetch_entry(*place));
        places
    }

    /// The first slot of a bucket whose tag is that of a hash.
    #[inline]
    fn point(&self, bucket: usize, hash: u64) -> u32 {
        let same = self.tags[bucket].matches(tag(hash));
        let slot = bucket * WAYS + same.trailing_zeros() as usize % WAYS;
        if same == 0 { NOWHERE } else { slot as u32 }
    }

    /// Asks for the entry of a key that is some way behind key `i` of a burst.
    #[inline]
    pub(crate) fn fetch_ahead(&self, places: &[u32; BURST], i: usize) {
        if let Some(place) = places.get(i + AHEAD) {
            self.fetch_entry(*place);
        }
    }

    #[inline]
    fn fetch_entry(&self, place: u32) {
        if let Some(entry) = self.entries.get(place as usize) {
            fetch(entry);
        }
    }

    /// The slot of `key` where [`Table::look`] pointed, as long as nothing was put in since.
    #[inline]
    pub(crate) fn find_at(&self, place: u32, hash: u64, key: &Key) -> Option<usize> {
        let entry = self.entries.get(place as usize)?;
        if entry.key == *key { Some(place as usize) } else { self.find_anew(hash, key) }
    }

    /// Apart, lest the loop that hardly ever comes here grow.
    #[cold]
    #[inline(never)]
    fn find_anew(&self, hash: u64, key: &Key) -> Option<usize> {
        self.find(hash, key)
    }

    /// The slot of a key that was not there at the last [`Table::look`].
    #[inline]
    pub(crate) fn find_since(&self, hash: u64, key: &Key) -> Option<usize> {
        if self.fresh & fresh(hash) == 0 { None } else { self.find(hash, key) }
    }

    /// The slot of `key`, expired or of another revision though it may be.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &Key) -> Option<usize> {
        let tag = tag(hash);
        for bucket in self.buckets(hash) {
            let mut mask = self.tags[bucket].matches(tag);
            while mask != 0 {
                let slot = bucket * WAYS + mask.trailing_zeros() as usize;
                if self.entries[slot].key == *key {
                    return Some(slot);
                }
                mask &= mask - 1;
            }
        }
        None
    }

    /// Whether `slot` still has `key`.
    #[inline]
    pub(crate) fn holds(&self, slot: usize, key: &Key) -> bool {
        self.tags[slot / WAYS].0[slot % WAYS] != 0 && self.entries[slot].key == *key
    }

    /// The entry in `slot`, if the ruleset `revision` allowed it and it was not silent for too long.
    #[inline]
    pub(crate) fn standing(
        &mut self,
        slot: usize,
        revision: u32,
        now_ms: u32,
    ) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(slot)?;
        (entry.revision == revision && !entry.expired(now_ms, &self.lives)).then_some(entry)
    }

    /// Whether the flow in `slot` was silent for too long.
    #[inline]
    pub(crate) fn expired(&self, slot: usize, now_ms: u32) -> bool {
        self.entries[slot].expired(now_ms, &self.lives)
    }

    /// The entry in `slot`.
    #[inline]
    pub(crate) fn entry(&mut self, slot: usize) -> &mut Entry {
        &mut self.entries[slot]
    }

    /// Puts in an entry whose key [`Table::find`] does not know; false when there is no place.
    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) -> bool {
        let Some(slot) = self.place(hash, entry.seen_ms) else {
            return false;
        };
        let tags = &mut self.tags[slot / WAYS].0;
        if tags[slot % WAYS] == 0 {
            self.len += 1;
        }
        tags[slot % WAYS] = tag(hash);
        self.fresh |= fresh(hash);
        self.entries[slot] = entry;
        true
    }

    /// Asks for the entry that a new flow of this hash would be put in, or for those that may give way.
    #[inline]
    pub(crate) fn fetch_room(&self, hash: u64) {
        if let Some(slot) = self.room(hash) {
            fetch(&self.entries[slot]);
        } else {
            self.fetch_victims(hash);
        }
    }

    /// Apart, lest the loop that hardly ever comes here grow.
    #[inline(never)]
    fn fetch_victims(&self, hash: u64) {
        self.slots(hash).for_each(|slot| fetch(&self.entries[slot]));
    }

    /// All places of a hash.
    fn slots(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let [a, b] = self.buckets(hash).map(|bucket| bucket * WAYS..(bucket + 1) * WAYS);
        a.chain(b)
    }

    /// A free place, else one that gives way.
    fn place(&self, hash: u64, now_ms: u32) -> Option<usize> {
        self.room(hash).or_else(|| self.victim(hash, now_ms))
    }

    /// A free place in the first bucket, or in the emptier one if the first is half full: so most keys are
    /// found in the first.
    #[inline]
    fn room(&self, hash: u64) -> Option<usize> {
        let [a, b] = self.buckets(hash);
        let free = |bucket: usize| self.tags[bucket].matches(0);
        let (mut bucket, mut room) = (a, free(a));
        if room.count_ones() < HALF {
            let other = free(b);
            if other.count_ones() > room.count_ones() {
                (bucket, room) = (b, other);
            }
        }
        (room != 0).then(|| bucket * WAYS + room.trailing_zeros() as usize)
    }

    fn victim(&self, hash: u64, now_ms: u32) -> Option<usize> {
        let mut oldest = None;
        for slot in self.slots(hash) {
            let entry = &self.entries[slot];
            if entry.expired(now_ms, &self.lives) {
                return Some(slot);
            }
            let rank = (entry.timing() != Timing::Former, now_ms.wrapping_sub(entry.seen_ms));
            if entry.progress().state != State::Open && oldest.is_none_or(|(_, most)| rank > most) {
                oldest = Some((slot, rank));
            }
        }
        oldest.map(|(slot, _)| slot)
    }

    /// Forgets the flow in `slot`; nor does [`Table::find_at`] find it any more, in the same burst.
    pub(crate) fn remove(&mut self, slot: usize) {
        let tag = &mut self.tags[slot / WAYS].0[slot % WAYS];
        if *tag != 0 {
            *tag = 0;
            self.entries[slot].key = Key::EMPTY;
            self.len -= 1;
        }
    }

    /// The entry in `slot`, to be read.
    pub(crate) fn peek(&self, slot: usize) -> Option<&Entry> {
        self.entries.get(slot)
    }

    /// The entries of `buckets` buckets from bucket `first` on; expired ones too.
    pub(crate) fn slice(&self, first: usize, buckets: usize) -> impl Iterator<Item = &Entry> {
        let end = first.saturating_add(buckets).min(self.mask + 1);
        let slots = (first.min(end)..end).flat_map(|bucket| bucket * WAYS..(bucket + 1) * WAYS);
        slots
            .filter(|slot| self.tags[slot / WAYS].0[slot % WAYS] != 0)
            .map(|slot| &self.entries[slot])
    }

    /// How many buckets there are.
    pub(crate) fn bucket_count(&self) -> usize {
        self.mask + 1
    }

    /// Sweeps the next `buckets` buckets.
    pub(crate) fn expire(&mut self, now_ms: u32, buckets: usize) {
        for _ in 0..buckets.min(self.mask + 1) {
            for way in 0..WAYS {
                let slot = self.cursor * WAYS + way;
                if self.tags[self.cursor].0[way] != 0 && self.expired(slot, now_ms) {
                    self.remove(slot);
                }
            }
            self.cursor = (self.cursor + 1) & self.mask;
        }
    }
}

/// One bit of a word, by the top of the hash.
#[inline]
fn fresh(hash: u64) -> u64 {
    1 << (hash >> 58)
}

/// The top of the hash, never 0.
#[inline]
fn tag(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Tags, WAYS};

    #[test]
    fn a_bucket_matches_in_the_places_that_hold_the_tag() {
        let edges = [0, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff];
        for tag in edges {
            for n in 0..edges.len().pow(4) {
                let four = [1, 9, 81, 729].map(|step| edges[n / step % 9]);
                for first in [0, WAYS - 4] {
                    let mut tags = Tags([!tag; WAYS]);
                    tags.0[first..first + 4].copy_from_slice(&four);
                    let slow =
                        (0..WAYS).map(|way| u32::from(tags.0[way] == tag) << way).sum::<u32>();
                    assert_eq!(tags.matches(tag), slow, "{tag:#x} in {tags:x?}");
                }
            }
        }
    }
}
