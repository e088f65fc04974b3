//! One burst, from frames to actions.
//!
//! A burst is taken in passes, each over the packets that are left, and each asks for the memory that the next one
//! reads ([`crate::ahead`]), so that cache misses overlap instead of adding up:
//!
//! ```text
//!  1 ask for the frames; parse, hash; ask for the tags
//!  2 compare the tags, ask for the entries they point at
//!  3 hits: forward                      4 misses: the classes of all their addresses, one batch
//!  5 what the ruleset says of them; ask for the places of new flows
//!  6 in order: remember new flows, let fragments follow, drop and record
//! ```

use std::sync::Arc;

use arrayvec::ArrayVec;
use lookup::{ClassId, Judgement, Query, Revision, Ruleset, Side, Verdict, Vlan};

use crate::ahead::{AHEAD, fetch};
use crate::flow::{Hasher, Key, Lives, Table};
use crate::lease::Leases;
use crate::limiter::{Bucket, Hold};
use crate::parse::{Fate, Head, Packet, parse};
use crate::tally::Writer;
use crate::{Counters, DropReason, Records, Shared, Tally, Timeouts};

/// The most frames of one burst.
pub const BURST: usize = 64;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Judged: to the other interface.
    Forward,
    /// Link traffic, unjudged: to the other interface.
    Pass,
    /// Back to the free list.
    Drop,
}

/// The actions of a burst, one for each frame, in order.
pub type Actions = ArrayVec<Action, BURST>;

/// The time, read once a burst.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Nanoseconds since 1970 UTC, for records.
    pub unix_ns: u64,
    /// Milliseconds of a clock that never goes back, for timeouts; all workers that share a
    /// [`Shared`] count from the same moment.
    pub mono_ms: u64,
}

/// How big a filter is and how much it says.
#[derive(Clone, Copy, Debug)]
pub struct FilterConfig {
    /// Flow entries; rounded up to a power of two.
    pub flows: usize,
    /// Full records a second; the rest is summarised and counted.
    pub records_per_s: u32,
    /// Secret and random, one a worker: nobody outside can aim at one bucket of the flow table.
    pub key: [u8; 16],
    /// How long silent flows are remembered; all workers that share a [`Shared`] have the same.
    pub timeouts: Timeouts,
}

/// Flow buckets that one housekeeping sweeps: 256 entries.
const SWEEP: usize = 32;

/// Judges the frames of one worker.
#[derive(Debug)]
pub struct Filter {
    pub(crate) table: Table,
    pub(crate) hasher: Hasher,
    pub(crate) shared: Arc<Shared>,
    pub(crate) bucket: Bucket,
    pub(crate) drops: Hold,
    pub(crate) shadows: Hold,
    pub(crate) exceptions: Hold,
    pub(crate) counters: Counters,
    pub(crate) tally: Writer,
    pub(crate) leases: Leases,
    /// Room for the packets of a burst: each is filled anew.
    packets: Vec<Packet>,
}

/// What all packets of a burst have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst<'a> {
    pub(crate) rules: &'a Ruleset,
    pub(crate) revision: Revision,
    pub(crate) now: Now,
    /// `now.mono_ms`, wrapping, as flow entries keep it.
    pub(crate) now_ms: u32,
    /// `now.unix_ns` in seconds.
    pub(crate) now_s: u32,
    pub(crate) side: Side,
}

impl<'a> Burst<'a> {
    pub(crate) fn new(rules: &'a Ruleset, now: Now, side: Side) -> Self {
        let now_s = (now.unix_ns / 1_000_000_000) as u32;
        Self { rules, revision: rules.revision(), now, now_ms: now.wrapping_ms(), now_s, side }
    }

    /// The VLAN to judge a packet in; only one with a tag asks.
    #[inline]
    pub(crate) fn vlan(&self, head: &Head) -> Vlan {
        if head.vlan == 0 { Vlan::NONE } else { self.rules.vlan(head.vlan) }
    }
}

impl Now {
    #[expect(clippy::cast_possible_truncation, reason = "flow entries compare times wrapping")]
    pub(crate) fn wrapping_ms(self) -> u32 {
        self.mono_ms as u32
    }
}

impl Filter {
    /// Allocates everything that the filter will ever need.
    #[must_use]
    pub fn new(config: FilterConfig, shared: Arc<Shared>) -> Self {
        Self {
            table: Table::new(config.flows, Lives::new(&config.timeouts)),
            hasher: Hasher::new(config.key),
            shared,
            bucket: Bucket::new(config.records_per_s),
            drops: Hold::default(),
            shadows: Hold::default(),
            exceptions: Hold::default(),
            counters: Counters::default(),
            tally: Writer::new(&config.key),
            leases: Leases::new(&config.key),
            packets: vec![Packet::UNREAD; BURST],
        }
    }

    /// Judges a burst: at most [`BURST`] frames that arrived on `side`. `actions` is cleared and
    /// gets one action for each frame, in order; frames beyond the burst get none.
    pub fn process(
        &mut self,
        rules: &Ruleset,
        now: Now,
        side: Side,
        frames: &[&[u8]],
        actions: &mut Actions,
        records: &mut impl Records,
    ) {
        actions.clear();
        let burst = Burst::new(rules, now, side);
        if !self.tally.knows(rules) {
            self.count_let_through();
            self.tally.adopt(rules);
        }
        self.leases.begin(side);
        self.bucket.refill(now.mono_ms);

        frames.iter().take(AHEAD).filter_map(|frame| frame.first()).for_each(fetch);
        let mut room = std::mem::take(&mut self.packets);
        let mut hashes = [0; BURST];
        let mut judged = Marks::default();
        let places = room.iter_mut().zip(&mut hashes);
        for (i, (frame, (packet, hash))) in frames.iter().zip(places).enumerate() {
            if let Some(head) = frames.get(i + AHEAD).and_then(|frame| frame.first()) {
                fetch(head);
            }
            parse(frame, side, packet);
            if packet.fate == Fate::Judge {
                if packet.head.vlan != 0 {
                    packet.key = packet.key.within(burst.vlan(&packet.head));
                }
                *hash = self.hasher.hash(&packet.key);
                self.table.fetch_tags(*hash);
                judged.set(i);
            }
        }
        let packets = &room[..frames.len().min(BURST)];
        self.counters.received += packets.len() as u64;
        let places = self.table.look(&hashes[..packets.len()]);
        // No burst has more packets than there is room for actions.
        let _ = actions.try_extend_from_slice(&[Action::Drop; BURST][..packets.len()]);
        let (mut rest, mut absent) = (Marks::first(packets.len()), Marks::default());
        let mut misses = Misses::default();
        for (i, ((packet, &hash), &place)) in packets.iter().zip(&hashes).zip(&places).enumerate() {
            self.table.fetch_ahead(&places, i);
            if judged.has(i) {
                let slot = self.table.find_at(place, hash, &packet.key);
                // A first fragment waits for its turn, lest one before it follows it.
                let waits = packet.piece.is_some();
                if !waits && slot.is_some_and(|slot| self.hit(&burst, packet, slot)) {
                    actions[i] = Action::Forward;
                    rest.clear(i);
                } else {
                    misses.add(&packet.key);
                }
                if slot.is_none() {
                    absent.set(i);
                }
            }
        }
        let mut classes = misses.classes(rules);
        let mut asked = ArrayVec::<Asked, BURST>::new();
        for i in rest.and(judged).iter() {
            let key = &packets[i].key;
            let miss = Asked::new(&burst, key, classes.next(key));
            if miss.judgement.verdict == Verdict::Allow {
                self.table.fetch_room(hashes[i]);
            }
            asked.push(miss);
        }
        let mut asked = asked.iter();
        for i in rest.iter() {
            let packet = &packets[i];
            actions[i] = match packet.fate {
                Fate::Judge => match asked.next() {
                    None => Action::Drop,
                    Some(asked) => {
                        let (hash, key) = (hashes[i], &packet.key);
                        // A packet before this one in the burst may have brought the flow.
                        let slot = if absent.has(i) {
                            self.table.find_since(hash, key)
                        } else {
                            self.table.find(hash, key)
                        };
                        self.miss(&burst, packet, (hash, slot), asked, records)
                    }
                },
                Fate::Follow => self.follow(&burst, packet, records),
                Fate::Drop(reason) => self.refuse(&burst, packet, reason, records),
                Fate::Pass => self.pass(),
                Fate::Neighbour => self.neighbour(&burst, packet, records),
            };
        }
        self.packets = room;
        self.counters.flows = self.table.len() as u64;
    }

    /// Bounded work between bursts: a slice of flow expiry, and the held records when the rate
    /// allows them. Call it some hundred times a second, also when no frames come.
    pub fn housekeep(&mut self, now: Now, records: &mut impl Records) {
        self.table.expire(now.wrapping_ms(), SWEEP);
        self.counters.flows = self.table.len() as u64;
        self.bucket.refill(now.mono_ms);
        self.drops.release(&mut self.bucket, records);
        self.shadows.release(&mut self.bucket, records);
        self.exceptions.release(&mut self.bucket, records);
    }

    /// At a clean stop: the held records go out whatever the rate says. Make room first: what
    /// does not fit now is lost (and counted so).
    pub fn finish(&mut self, records: &mut impl Records) {
        self.drops.flush(&mut self.counters.records, records);
        self.shadows.flush(&mut self.counters.shadow_records, records);
        self.exceptions.flush(&mut self.counters.exception_records, records);
    }

    /// A packet that was to leave found no room in the other interface's TX ring: it becomes a drop
    /// after all, with a record. It is read again, so that nobody pays for it who has room.
    #[cold]
    pub fn undeliverable(
        &mut self,
        (rules, now, side): (&Ruleset, Now, Side),
        (frame, action): (&[u8], Action),
        records: &mut impl Records,
    ) {
        match action {
            Action::Forward => self.counters.forwarded -= 1,
            Action::Pass => self.counters.passed -= 1,
            Action::Drop => return,
        }
        let burst = Burst::new(rules, now, side);
        let mut packet = Packet::UNREAD;
        parse(frame, side, &mut packet);
        self.refuse(&burst, &packet, DropReason::TxFull, records);
    }

    /// What was counted since the filter was made.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it counts by domain, region and source, for any thread to read.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        self.tally.tally()
    }
}

/// Some packets of a burst.
#[derive(Clone, Copy, Debug, Default)]
struct Marks(u64);

const _: () = assert!(BURST == 64);

impl Marks {
    /// The first so many.
    fn first(count: usize) -> Self {
        Self(if count == 0 { 0 } else { u64::MAX >> (BURST - count.min(BURST)) })
    }

    #[inline]
    fn set(&mut self, i: usize) {
        self.0 |= 1 << (i % BURST);
    }

    #[inline]
    fn clear(&mut self, i: usize) {
        self.0 &= !(1 << (i % BURST));
    }

    #[inline]
    fn has(self, i: usize) -> bool {
        self.0 >> (i % BURST) & 1 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In order.
    #[inline]
    fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let i = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (i < BURST).then_some(i)
        })
    }
}

/// The addresses of a burst's misses: remote and local of each, in order.
#[derive(Default)]
struct Misses {
    v4: ArrayVec<u32, { 2 * BURST }>,
    v6: ArrayVec<u128, { 2 * BURST }>,
}

impl Misses {
    #[expect(clippy::cast_possible_truncation, reason = "IPv4 stands in the low 32 bits")]
    fn add(&mut self, key: &Key) {
        if key.is_v4() {
            self.v4.extend([key.remote() as u32, key.local() as u32]);
        } else {
            self.v6.extend([key.remote(), key.local()]);
        }
    }

    fn classes(&self, rules: &Ruleset) -> Classes {
        let mut classes = Classes {
            v4: [ClassId::default(); 2 * BURST],
            v6: [ClassId::default(); 2 * BURST],
            next_v4: 0,
            next_v6: 0,
        };
        if !self.v4.is_empty() {
            rules.classes_v4(&self.v4, &mut classes.v4);
        }
        if !self.v6.is_empty() {
            rules.classes_v6(&self.v6, &mut classes.v6);
        }
        classes
    }
}

/// The classes of a burst's misses, taken in the order of [`Misses::add`].
struct Classes {
    v4: [ClassId; 2 * BURST],
    v6: [ClassId; 2 * BURST],
    next_v4: usize,
    next_v6: usize,
}

/// The classes of both ends of a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) remote: ClassId,
    pub(crate) local: ClassId,
}

/// A miss, and what the ruleset alone says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) ends: Ends,
    pub(crate) judgement: Judgement,
}

impl Asked {
    #[inline]
    fn new(burst: &Burst<'_>, key: &Key, ends: Ends) -> Self {
        let Ends { remote, local } = ends;
        let (proto, local_port, vlan) = (key.proto(), key.local_port(), key.vlan());
        let query = Query { side: burst.side, remote, local, proto, local_port, vlan };
        Self { ends, judgement: burst.rules.judge(query) }
    }
}

impl Classes {
    fn next(&mut self, key: &Key) -> Ends {
        let (list, next) =
            if key.is_v4() { (&self.v4, &mut self.next_v4) } else { (&self.v6, &mut self.next_v6) };
        let at = *next % (2 * BURST);
        *next += 2;
        Ends { remote: list[at], local: list[at + 1] }
    }
}
