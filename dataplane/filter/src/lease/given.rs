//! One lane as its worker writes it: where a lease stands, when it counts, how the program reads it.
//!
//! The order of stores here goes with the order of reads in `dataplane/bpf/palisade.bpf.c`.

use std::sync::atomic::Ordering;

use lookup::Proto;

use super::{LANE_ROWS, Lane};
use crate::flow::RENEW_MS;
use crate::parse::{Packet, Step};
use crate::process::Burst;
use crate::{Family, Now};

/// A tick is 2^20 ns, the program's unit of time.
const TICK_BITS: u32 = 20;
/// Ticks that a term may have to go: more than the longest, and what has more is over.
const LONGEST_TERM: u32 = 4096;
const _: () = assert!((LONGEST_TERM as u64) << TICK_BITS > 1_050_000 * RENEW_MS as u64);

// Words of a lane and of a lease.
const TAKES: usize = 0;
const REVISION: usize = 1;
const MASK: usize = 2;
const SECRET: usize = 3;
const TERM: usize = 0;
const KEY: usize = 1;
const USE: usize = 6;
const MARK: usize = 7;

/// Words of a key in a lease.
pub(super) type Words = [u64; 5];

/// One lane, with what the worker alone knows of it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) lane: Box<dyn Lane>,
    secret: [u64; 5],
    pub(super) held: Box<[Held]>,
    /// How many of them somebody has.
    pub(super) count: usize,
    /// The one that leases must be of to count; 0: none.
    pub(super) revision: u32,
    /// What the program was told of it.
    told: u32,
    /// What was counted of [`Lane::let_through`] so far.
    pub(super) counted: Box<[u64]>,
    /// Nanoseconds of the program's clock when the worker's begins.
    origin_ns: u64,
    /// The next place to tend, and when the last one was.
    pub(super) cursor: usize,
    pub(super) tended_ms: u64,
}

/// Who has the lease at a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// The hash of its flow's key, and its slot in the flow table plus one; 0: nobody.
    pub(super) hash: u64,
    pub(super) slot: u32,
    /// What of [`Given::used`] flows have counted.
    pub(super) packets: u32,
}

impl Given {
    /// An empty lane. What a worker before left in it means nothing any more: no tag leads there.
    pub(super) fn new(lane: Box<dyn Lane>, secret: [u64; 5], origin_ns: u64) -> Self {
        let words = lane.words();
        words[REVISION].store(0, Ordering::SeqCst);
        lane.tags().iter().for_each(|tags| tags.store(0, Ordering::Release));
        let held = vec![Held::default(); lane.leases().len()].into_boxed_slice();
        words[MASK].store(held.len().saturating_sub(2) as u64, Ordering::Release);
        for (word, secret) in words[SECRET..].iter().zip(secret) {
            word.store(secret, Ordering::Release);
        }
        let counted = lane.let_through().iter().map(|row| row.load(Ordering::Relaxed)).collect();
        Self {
            lane,
            secret,
            held,
            count: 0,
            revision: 0,
            told: 0,
            counted,
            origin_ns,
            cursor: 0,
            tended_ms: 0,
        }
    }

    #[inline]
    pub(super) fn open(&self) -> bool {
        self.lane.words()[TAKES].load(Ordering::Relaxed) != 0
    }

    /// Tells the program which leases count. Without any it reads no header.
    pub(super) fn tell(&mut self) {
        let revision = if self.count > 0 { self.revision } else { 0 };
        if revision != self.told {
            self.told = revision;
            self.lane.words()[REVISION].store(revision.into(), Ordering::SeqCst);
        }
    }

    /// The first of the two places of a key, as the program finds it, and its tag.
    pub(super) fn place(&self, words: &Words) -> (usize, u8) {
        let [a, b, c, d, tail] = *words;
        let mix = |hash: u64, word: u64, by: usize| {
            (hash ^ hash >> 32 ^ word).wrapping_mul(self.secret[by])
        };
        let mut hash = mix(mix(0, tail ^ a, 0), a, 1);
        if tail >> 56 == 6 {
            hash = mix(mix(mix(hash, b, 2), c, 3), d, 4);
        }
        ((hash >> 32) as usize & self.held.len().saturating_sub(2), ((hash >> 24) as u8).max(1))
    }

    /// Lets a place be found by this tag; by none of 0.
    fn tag(&self, place: usize, tag: u8) {
        let word = &self.lane.tags()[place / 8];
        let mut tags = word.load(Ordering::Relaxed).to_le_bytes();
        tags[place % 8] = tag;
        word.store(u64::from_le_bytes(tags), Ordering::Release);
    }

    /// What the program's clock says.
    fn tick(&self, now: Now) -> u32 {
        (self.origin_ns.wrapping_add(now.mono_ms * 1_000_000) >> TICK_BITS) as u32
    }

    /// The worker's milliseconds at the time of the last use.
    pub(super) fn ms(&self, used: u64, now: Now) -> u32 {
        let ago = self.tick(now).wrapping_sub((used >> 32) as u32).cast_signed().max(0);
        let ago_ms = (u64::from(ago.unsigned_abs()) << TICK_BITS) / 1_000_000;
        now.wrapping_ms().wrapping_sub(ago_ms as u32)
    }

    /// A term of this ruleset that ends in so many milliseconds.
    pub(super) fn term(&self, burst: &Burst<'_>, left_ms: u32) -> u64 {
        let ticks = ((u64::from(left_ms) * 1_000_000) >> TICK_BITS) as u32;
        u64::from(self.tick(burst.now).wrapping_add(ticks)) << 32 | u64::from(burst.revision.0)
    }

    /// Whether somebody has a lease that counts now.
    pub(super) fn runs(&self, place: usize, burst: &Burst<'_>) -> bool {
        let term = self.lane.leases()[place][TERM].load(Ordering::Relaxed);
        // One less than what is left, so that nothing left is the most of all.
        let left = ((term >> 32) as u32).wrapping_sub(self.tick(burst.now)).wrapping_sub(1);
        self.held[place].slot > 0 && term as u32 == burst.revision.0 && left < LONGEST_TERM
    }

    /// Whether a lease is for this key.
    pub(super) fn is_for(&self, place: usize, words: &Words) -> bool {
        let key = &self.lane.leases()[place][KEY..USE];
        key.iter().zip(words).all(|(word, own)| word.load(Ordering::Relaxed) == *own)
    }

    /// Packets that the program ever let through by leases at a place, wrapping, and above them the tick of the
    /// last one.
    pub(super) fn used(&self, place: usize) -> u64 {
        self.lane.leases()[place][USE].load(Ordering::Relaxed)
    }

    /// A mark that was not there before, of this row.
    fn mark(&self, place: usize, row: usize) -> u64 {
        let before = self.lane.leases()[place][MARK].load(Ordering::Relaxed);
        (before / LANE_ROWS as u64 + 1) * LANE_ROWS as u64 + row as u64
    }

    /// Gives a lease at a place that nobody has; no reader may find a term with half a key.
    pub(super) fn give(
        &mut self,
        place: usize,
        held: Held,
        (words, term, row, tag): (&Words, u64, usize, u8),
    ) {
        let lease = &self.lane.leases()[place];
        lease[TERM].store(0, Ordering::Release);
        lease[MARK].store(self.mark(place, row), Ordering::Release);
        for (word, own) in lease[KEY..USE].iter().zip(words) {
            word.store(*own, Ordering::Release);
        }
        lease[TERM].store(term, Ordering::Release);
        self.tag(place, tag);
        self.count += 1;
        self.held[place] = held;
        self.tell();
    }

    /// A lease goes on.
    pub(super) fn extend(&self, place: usize, term: u64) {
        self.lane.leases()[place][TERM].store(term, Ordering::Release);
    }

    /// No packet goes by the lease at a place any more.
    pub(super) fn close(&self, place: usize) {
        self.lane.leases()[place][TERM].store(0, Ordering::Release);
        self.tag(place, 0);
    }

    /// Nobody has the lease at a place any more.
    pub(super) fn free(&mut self, place: usize) {
        self.count -= usize::from(self.held[place].slot > 0);
        self.held[place].slot = 0;
        self.tell();
    }
}

/// A packet's key as the program reads it, if it can: both ends as they stand in the packet, its first VLAN,
/// the protocol, the version of IP.
pub(super) fn words(packet: &Packet) -> Option<Words> {
    let head = &packet.head;
    let plain = match Proto(head.proto) {
        Proto::TCP => packet.step == Step::Segment,
        Proto::UDP => packet.step == Step::Datagram,
        _ => false,
    };
    if !plain {
        return None;
    }
    let ports = u64::from(head.src_port.to_be()) | u64::from(head.dst_port.to_be()) << 16;
    let tail = ports | u64::from(head.vlan) << 32 | u64::from(head.proto) << 48;
    let v6 = |address: u128| [(address >> 64) as u64, address as u64].map(u64::to_be);
    match head.family {
        Family::V4 => {
            let [src, dst] =
                [head.src, head.dst].map(|address| u64::from((address as u32).to_be()));
            Some([src | dst << 32, 0, 0, 0, tail | 4 << 56])
        }
        Family::V6 => {
            let ([a, b], [c, d]) = (v6(head.src), v6(head.dst));
            Some([a, b, c, d, tail | 6 << 56])
        }
        Family::None => None,
    }
}
