//! The sources whose packets are dropped most, in one domain and in fixed memory.
//!
//! A set-associative Space-Saving: a keyed hash of the source (an IPv4 address, an IPv6 /64) chooses one
//! of [`BUCKETS`] buckets of [`WAYS`] places. A source that has no place takes the place of the one that
//! was dropped least, and remembers that number as what may have come before it.
//!
//! ```text
//!  source --hash--> bucket | key x 4 | count x 4 |      one line: who, how often
//!                          | detail | detail | .. |     one line each: since when, ports, destinations
//! ```
//!
//! What that promises (Metwally, Agrawal, El Abbadi: *Efficient Computation of Frequent and Top-k
//! Elements in Data Streams*, 2005; it holds for each bucket as a stream of its own): what is shown as
//! `dropped` was dropped, all of it, since `first_s`; at most `before` more were dropped earlier; and who
//! has more than a quarter of its bucket's drops has a place, so that a source with more than 1/97 of a
//! domain's drops is expected to be here, whatever flood of other sources there is. Who was silent for
//! [`SILENT_S`] is forgotten when its place is needed. The hash is keyed, so nobody can aim at a bucket.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use super::spread::{Registers, Spread};

const WAYS: usize = 4;
const BUCKETS: usize = 32;
/// After so many seconds of silence a source may be forgotten.
const SILENT_S: u32 = 600;

/// A source with dropped packets; see [`DomainTally::sources`](crate::DomainTally::sources).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Source {
    /// Packets dropped since `first_s`: exact.
    pub dropped: u64,
    /// At most so many were dropped before, while others were busier.
    pub before: u64,
    /// Unix seconds of the first and the last of them.
    pub first_s: u32,
    /// See `first_s`.
    pub last_s: u32,
    /// Destination port of the last one; 0 where the protocol has none.
    pub last_port: u16,
    /// IP protocol of the last one.
    pub last_proto: u8,
    /// How many different destination ports (with their protocols): 18 % standard error.
    pub ports: Spread<2>,
    /// How many different destinations: 18 % standard error.
    pub destinations: Spread<2>,
}

impl Source {
    /// Takes in what another worker saw of the same source.
    pub fn join(&mut self, other: &Self) {
        if other.last_s > self.last_s {
            (self.last_s, self.last_port, self.last_proto) =
                (other.last_s, other.last_port, other.last_proto);
        }
        self.dropped += other.dropped;
        self.before += other.before;
        self.first_s = self.first_s.min(other.first_s);
        self.ports.join(&other.ports);
        self.destinations.join(&other.destinations);
    }
}

/// One drop, as far as its source is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blow {
    /// [`key_v4`] or [`key_v6`].
    pub(super) key: u64,
    pub(super) hash: u64,
    pub(super) port_hash: u64,
    pub(super) destination_hash: u64,
    pub(super) port: u16,
    pub(super) proto: u8,
    pub(super) now_s: u32,
}

/// No IPv6 source begins like this: it is the range of multicast.
const V4: u64 = 0xffff_ffff << 32;

pub(super) fn key_v4(address: u32) -> u64 {
    V4 | u64::from(address)
}

/// The /64; 0 stands for a free place.
pub(super) fn key_v6(address: u128) -> u64 {
    ((address >> 64) as u64).max(1)
}

fn address(key: u64) -> IpAddr {
    if key & V4 == V4 {
        IpAddr::V4(Ipv4Addr::from_bits(key as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(u128::from(key) << 64))
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    keys: [AtomicU64; WAYS],
    counts: [AtomicU64; WAYS],
    details: [Detail; WAYS],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Detail {
    before: AtomicU64,
    /// First and last second.
    span: AtomicU64,
    /// Port and protocol of the last one.
    last: AtomicU64,
    ports: Registers<2>,
    destinations: Registers<2>,
}

impl Detail {
    fn span(&self) -> (u32, u32) {
        let span = self.span.load(Acquire);
        ((span >> 32) as u32, span as u32)
    }
}

/// See the module. One thread writes.
#[derive(Debug, Default)]
pub(super) struct Sources([Bucket; BUCKETS]);

impl Sources {
    /// Counts one drop.
    #[inline]
    pub(super) fn count(&self, blow: &Blow) {
        let bucket = &self.0[blow.hash as usize % BUCKETS];
        let known = bucket.keys.iter().position(|key| key.load(Acquire) == blow.key);
        let way = known.unwrap_or_else(|| bucket.admit(blow)) % WAYS;
        let (count, detail) = (&bucket.counts[way], &bucket.details[way]);
        count.store(count.load(Acquire) + 1, Release);
        let (first_s, last_s) = detail.span();
        if last_s != blow.now_s {
            detail.span.store(u64::from(first_s) << 32 | u64::from(blow.now_s), Release);
        }
        detail.last.store(u64::from(blow.port) << 8 | u64::from(blow.proto), Release);
        detail.ports.see(blow.port_hash);
        detail.destinations.see(blow.destination_hash);
    }

    pub(super) fn clear(&self) {
        for key in self.0.iter().flat_map(|bucket| &bucket.keys) {
            key.store(0, Release);
        }
    }

    /// Adds what stands here to `all`, by address.
    pub(super) fn add_to(&self, all: &mut BTreeMap<IpAddr, Source>) {
        for bucket in &self.0 {
            for way in 0..WAYS {
                if let Some((address, source)) = bucket.read(way) {
                    all.entry(address).and_modify(|have| have.join(&source)).or_insert(source);
                }
            }
        }
    }
}

impl Bucket {
    /// The way that a new source takes: free, silent for long, or dropped least.
    #[inline]
    fn admit(&self, blow: &Blow) -> usize {
        let mut victim = (0, u64::MAX);
        for (way, (key, count)) in self.keys.iter().zip(&self.counts).enumerate() {
            let free = key.load(Acquire) == 0 || self.silent(way, blow.now_s);
            let count = if free { 0 } else { count.load(Acquire) };
            if count < victim.1 {
                victim = (way, count);
            }
        }
        let (way, before) = victim;
        let detail = &self.details[way];
        self.keys[way].store(0, Release);
        self.counts[way].store(before, Release);
        detail.before.store(before, Release);
        detail.span.store(u64::from(blow.now_s) << 32, Release);
        detail.ports.write(&Spread::default());
        detail.destinations.write(&Spread::default());
        self.keys[way].store(blow.key, Release);
        way
    }

    fn silent(&self, way: usize, now_s: u32) -> bool {
        now_s.saturating_sub(self.details[way].span().1) > SILENT_S
    }

    /// What stands in a place, if nobody took it meanwhile.
    fn read(&self, way: usize) -> Option<(IpAddr, Source)> {
        let key = self.keys[way].load(Acquire);
        let (count, detail) = (self.counts[way].load(Acquire), &self.details[way]);
        let before = detail.before.load(Acquire);
        let (first_s, last_s) = detail.span();
        let last = detail.last.load(Acquire);
        let source = Source {
            dropped: count.saturating_sub(before),
            before,
            first_s,
            last_s,
            last_port: (last >> 8) as u16,
            last_proto: last as u8,
            ports: detail.ports.read(),
            destinations: detail.destinations.read(),
        };
        let same = key != 0 && self.keys[way].load(Acquire) == key;
        (same && source.dropped > 0).then(|| (address(key), source))
    }
}
