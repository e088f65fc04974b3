//! A lock-free set of fingerprints that fade: what one worker saw and another must know.
//!
//! A key is its SipHash-1-3 under a secret key: 64 bits that nobody outside can make collide. With
//! it stands one word: until when it counts, and 30 bits of value. Four slots are one cache line;
//! a fingerprint has two such sets. A read costs one hash and two cache lines.
//!
//! ```text
//!  set: | print word | print word | print word | print word |      64 bytes, all atomics
//!                |
//!                `-- deadline, 16 ms units (34 bits) | value (30)
//! ```
//!
//! A writer claims a slot by swapping the print for [`BUSY`], writes the word, then the print. A
//! reader takes the word only if the print was the same before and after. Writers never wait:
//! who loses a race tries the next slot.

use crate::sync::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

const FREE: u64 = 0;
const BUSY: u64 = 1;
const WAYS: usize = 4;
/// How often a writer tries again that lost a race.
const TRIES: usize = 4;
const VALUE_BITS: u32 = 30;
/// A tick of the deadline is 2^4 ms: what came in one tick is of one age to [`Stamps::put`].
const TICK_SHIFT: u32 = 4;

#[derive(Debug, Default)]
struct Slot {
    print: AtomicU64,
    word: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([Slot; WAYS]);

/// A deadline and a value, as they stand in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    deadline: u64,
    pub(crate) value: u32,
}

impl Stamp {
    /// Counts until `deadline_ms`, rounded up; `value` has 30 bits.
    pub(crate) fn new(deadline_ms: u64, value: u32) -> Self {
        Self { deadline: (deadline_ms >> TICK_SHIFT) + 1, value }
    }

    fn fresh(self, now_ms: u64) -> bool {
        self.deadline > now_ms >> TICK_SHIFT
    }

    /// Lasts as long as the longer one.
    pub(crate) fn lasting(self, other: Self) -> Self {
        Self { deadline: self.deadline.max(other.deadline), ..self }
    }

    fn pack(self) -> u64 {
        self.deadline << VALUE_BITS | u64::from(self.value)
    }

    fn unpack(word: u64) -> Self {
        let value = word & ((1 << VALUE_BITS) - 1);
        Self { deadline: word >> VALUE_BITS, value: value as u32 }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stamps {
    sets: Box<[Set]>,
    key: SipHasher13,
    /// When a stamp that counted last gave way; 0: never.
    crowded_ms: AtomicU64,
}

impl Stamps {
    /// Room for `stamps`, rounded up to a power of two.
    pub(crate) fn new(stamps: usize, key: &[u8; 16]) -> Self {
        let sets = stamps.div_ceil(WAYS).clamp(1, 1 << 30).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            key: SipHasher13::new_with_key(key),
            crowded_ms: AtomicU64::new(0),
        }
    }

    /// The fingerprint of a key.
    pub(crate) fn print(&self, key: &[u8]) -> u64 {
        self.key.hash(key).max(BUSY + 1)
    }

    fn slots(&self, print: u64) -> impl Iterator<Item = &Slot> {
        let mask = self.sets.len() - 1;
        let places = [print as usize & mask, (print >> 32) as usize & mask];
        places.into_iter().flat_map(|place| &self.sets[place].0)
    }

    /// The stamp of `print`, if it still counts.
    pub(crate) fn find(&self, print: u64, now_ms: u64) -> Option<Stamp> {
        self.slots(print).find_map(|slot| read(slot, print).filter(|stamp| stamp.fresh(now_ms)))
    }

    /// Makes of the stamp of `print` what `merge` says, if it still counts; what it is then.
    pub(crate) fn change(
        &self,
        print: u64,
        now_ms: u64,
        merge: impl Fn(Stamp) -> Stamp,
    ) -> Option<Stamp> {
        // Two workers that put one print at the same time may have taken two slots: they go together.
        let mut changed = None;
        for slot in self.slots(print) {
            changed = change(slot, print, now_ms, &merge).or(changed);
        }
        changed
    }

    /// Writes a stamp for a print that [`Stamps::change`] does not find. False when every place is
    /// taken by a stamp that lasts longer.
    pub(crate) fn put(&self, print: u64, now_ms: u64, new: Stamp) -> bool {
        // Every failed claim means that another worker made progress; a few tries are plenty.
        (0..TRIES).any(|_| self.claim(print, now_ms, new))
    }

    /// Whether a stamp that counted gave way, or one found no place, in the last `ms`.
    pub(crate) fn crowded(&self, now_ms: u64, ms: u32) -> bool {
        let last_ms = self.crowded_ms.load(Ordering::Relaxed);
        last_ms > 0 && now_ms.saturating_sub(last_ms) <= u64::from(ms)
    }

    /// Takes the slot whose stamp fades first, if it fades before `new` does.
    fn claim(&self, print: u64, now_ms: u64, new: Stamp) -> bool {
        let mut victim: Option<(&Slot, u64, u64, u64)> = None;
        for (i, slot) in (0_u64..).zip(self.slots(print)) {
            let have = slot.print.load(Ordering::Acquire);
            if have == BUSY {
                continue;
            }
            let old = Stamp::unpack(slot.word.load(Ordering::Acquire));
            let left = if have == FREE || !old.fresh(now_ms) { 0 } else { old.deadline };
            // Of one age, anyone: else the first place would change hands with every newcomer.
            let turn = (i ^ print >> 40) & 7;
            let first = victim.is_none_or(|(_, _, least, last)| (left, turn) < (least, last));
            if left <= new.deadline && first {
                victim = Some((slot, have, left, turn));
            }
        }
        if victim.is_none_or(|(_, _, left, _)| left > 0) {
            self.crowded_ms.store(now_ms.max(1), Ordering::Relaxed);
        }
        let Some((slot, have, ..)) = victim else { return false };
        if slot.print.compare_exchange(have, BUSY, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return false;
        }
        slot.word.store(new.pack(), Ordering::Release);
        slot.print.store(print, Ordering::Release);
        true
    }
}

fn change(slot: &Slot, print: u64, now_ms: u64, merge: &impl Fn(Stamp) -> Stamp) -> Option<Stamp> {
    // Who loses a race goes on from what the winner wrote.
    for _ in 0..TRIES {
        let old = read(slot, print).filter(|old| old.fresh(now_ms))?;
        let new = merge(old);
        let swap = |from: Stamp, to: Stamp| {
            let (from, to) = (from.pack(), to.pack());
            slot.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
        };
        if swap(old, new) {
            if slot.print.load(Ordering::Acquire) == print {
                return Some(new);
            }
            // The slot was given away meanwhile, to one with an equal word: it gets it back.
            swap(new, old);
            return None;
        }
    }
    None
}

fn read(slot: &Slot, print: u64) -> Option<Stamp> {
    if slot.print.load(Ordering::Acquire) != print {
        return None;
    }
    let word = slot.word.load(Ordering::Acquire);
    (slot.print.load(Ordering::Acquire) == print).then(|| Stamp::unpack(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(stamps: &Stamps, print: u64, now_ms: u64, deadline_ms: u64, value: u32) -> bool {
        stamps.put(print, now_ms, Stamp::new(deadline_ms, value))
    }

    #[test]
    fn a_stamp_counts_until_its_deadline() {
        let stamps = Stamps::new(64, &[1; 16]);
        let print = stamps.print(b"key");
        assert_eq!(stamps.find(print, 0), None);
        assert!(put(&stamps, print, 0, 1000, (1 << VALUE_BITS) - 1));
        for now_ms in [0, 999, 1000] {
            let value = stamps.find(print, now_ms).map(|stamp| stamp.value);
            assert_eq!(value, Some((1 << VALUE_BITS) - 1));
        }
        assert_eq!(stamps.find(print, 1000 + (1 << TICK_SHIFT)), None);
        assert_eq!(stamps.find(stamps.print(b"kez"), 0), None);
    }

    #[test]
    fn a_change_sees_only_what_still_counts() {
        let stamps = Stamps::new(64, &[1; 16]);
        let print = stamps.print(b"key");
        let count = |now_ms| {
            let merge = |old: Stamp| Stamp::new(2000, old.value + 1).lasting(old);
            let changed = stamps.change(print, now_ms, merge);
            assert_eq!(changed, stamps.find(print, now_ms));
            changed.map(|stamp| stamp.value)
        };
        assert_eq!(count(0), None);
        put(&stamps, print, 0, 1000, 5);
        assert_eq!(count(500), Some(6));
        assert_eq!(count(1500), Some(7), "prolonged by the change");
        assert_eq!(count(5_000_000), None);
        assert!(put(&stamps, print, 5_000_000, 5_009_000, 7));
        assert_eq!(stamps.find(print, 5_008_000).map(|stamp| stamp.value), Some(7));
    }

    /// A slot may change hands between a change's read and its write, and hold an equal word: what is
    /// not ours stays as it was.
    #[test]
    fn a_change_leaves_the_next_owner_alone() {
        let stamps = Stamps::new(1, &[1; 16]);
        for print in 10..14 {
            put(&stamps, print, 0, 1000, 1);
        }
        let changed = stamps.change(10, 0, |_| {
            put(&stamps, 20, 0, 1000, 1);
            Stamp::new(9000, 2)
        });
        assert_eq!((changed, stamps.find(10, 0)), (None, None), "it gave way meanwhile");
        assert_eq!(stamps.find(20, 0), Some(Stamp::new(1000, 1)));
    }

    /// Two workers may put one print at the same time: a change reaches both.
    #[test]
    fn twins_go_together() {
        let stamps = Stamps::new(64, &[1; 16]);
        let print = stamps.print(b"key");
        put(&stamps, print, 0, 1000, 1);
        put(&stamps, print, 0, 9000, 1);
        stamps.change(print, 0, |_| Stamp::new(500, 2));
        assert_eq!(stamps.find(print, 400).map(|stamp| stamp.value), Some(2));
        assert_eq!(stamps.find(print, 600), None, "the longer one does not come to light");
    }

    #[test]
    fn a_full_set_keeps_what_lasts_longest() {
        let stamps = Stamps::new(1, &[1; 16]);
        for print in 10..14 {
            assert!(put(&stamps, print, 0, 10_000 * print, 0));
        }
        assert!(!stamps.crowded(0, 1000));
        assert!(!put(&stamps, 20, 5, 50_000, 0), "sooner gone than all");
        assert!(stamps.crowded(5, 0) && stamps.crowded(1005, 1000) && !stamps.crowded(1006, 1000));
        assert!(put(&stamps, 20, 0, 500_000, 0));
        assert_eq!(stamps.find(10, 0), None, "the first to fade gave way");
        assert!((11..14).all(|print| stamps.find(print, 0).is_some()));
        assert!(put(&stamps, 30, 115_000, 120_000, 0), "faded ones are free");
    }

    /// A reader may never see the word of another print, whatever writers do.
    #[test]
    fn readers_never_mix_two_stamps() {
        let stamps = Stamps::new(4, &[1; 16]);
        let value = |print: u64| (print * 7919 % (1 << VALUE_BITS)) as u32;
        std::thread::scope(|scope| {
            for seed in 0..3_u64 {
                let stamps = &stamps;
                scope.spawn(move || {
                    for turn in 0..100_000_u64 {
                        let print = 10 + (turn * (seed + 3) + seed) % 17;
                        put(stamps, print, 0, 1000 + turn * 64, value(print));
                    }
                });
            }
            for turn in 0..300_000_u64 {
                let print = 10 + turn % 17;
                if let Some(stamp) = stamps.find(print, 0) {
                    assert_eq!(stamp.value, value(print));
                }
            }
        });
    }
}
