//! The XDP program as a model: what `dataplane/bpf/palisade.bpf.c` does with the memory that it shares. The
//! lab `gateway_leases` runs the program itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use filter::{LANE_ROWS, Lane, Line};

/// The memory of one lane.
#[derive(Debug)]
pub(crate) struct Memory {
    words: Line,
    leases: Vec<Line>,
    tags: Vec<AtomicU64>,
    let_through: Vec<AtomicU64>,
}

/// A driver's side of a lane, and the worker's.
#[derive(Clone, Debug)]
pub(crate) struct Driver(Arc<Memory>);

impl Lane for Driver {
    fn words(&self) -> &Line {
        &self.0.words
    }

    fn leases(&self) -> &[Line] {
        &self.0.leases
    }

    fn tags(&self) -> &[AtomicU64] {
        &self.0.tags
    }

    fn let_through(&self) -> &[AtomicU64] {
        &self.0.let_through
    }
}

fn some<T: Default>(count: usize) -> Vec<T> {
    (0..count).map(|_| T::default()).collect()
}

impl Driver {
    pub(crate) fn new(leases: usize) -> Self {
        Self(Arc::new(Memory {
            words: [const { AtomicU64::new(0) }; 8],
            leases: some(leases),
            tags: some(leases / 8),
            let_through: some(LANE_ROWS),
        }))
    }

    /// The other interface takes frames of so many bytes; 0: none.
    pub(crate) fn open(&self, frame_bytes: u32) {
        let cpus = if frame_bytes > 0 { u32::MAX } else { 0 };
        self.0.words[0].store(u64::from(cpus) | u64::from(frame_bytes) << 32, Relaxed);
    }

    /// Leases that count at this time.
    pub(crate) fn running(&self, now_ns: u64) -> usize {
        self.0.leases.iter().filter(|lease| self.runs(lease, now_ns)).count()
    }

    fn runs(&self, lease: &Line, now_ns: u64) -> bool {
        let term = lease[0].load(Relaxed);
        let left = ((term >> 32) as u32).wrapping_sub((now_ns >> 20) as u32).wrapping_sub(1);
        let revision = self.0.words[1].load(Relaxed);
        revision != 0 && u64::from(term as u32) == revision && left < 4096
    }

    /// Whether the driver lets a frame through.
    pub(crate) fn passes(&self, frame: &[u8], now_ns: u64) -> bool {
        let Some(key) = plain(frame) else { return false };
        let [takes, _, mask, secret @ ..] = self.0.words.each_ref().map(|word| word.load(Relaxed));
        if frame.len() as u64 > takes >> 32 {
            return false;
        }
        let mix =
            |hash: u64, word: u64, by: usize| (hash ^ hash >> 32 ^ word).wrapping_mul(secret[by]);
        let mut hash = (key[4] ^ key[0]).wrapping_mul(secret[0]);
        hash = mix(hash, key[0], 1);
        if key[4] >> 56 == 6 {
            hash = (2..5).fold(hash, |hash, i| mix(hash, key[i - 1], i));
        }
        let first = (hash >> 32 & mask) as usize;
        let tag = ((hash >> 24) as u8).max(1);
        for place in [first, first + 1] {
            let lease = &self.0.leases[place];
            let tagged = (self.0.tags[place / 8].load(Relaxed) >> (place % 8 * 8)) as u8 == tag;
            let same = (0..5).all(|i| lease[1 + i].load(Relaxed) == key[i]);
            if tagged && same {
                if !self.runs(lease, now_ns) {
                    return false;
                }
                let used = lease[6].load(Relaxed) as u32;
                lease[6].store(u64::from(used.wrapping_add(1)) | now_ns >> 20 << 32, Relaxed);
                let row = lease[7].load(Relaxed) as usize % LANE_ROWS;
                self.0.let_through[row].fetch_add(1, Relaxed);
                return true;
            }
        }
        false
    }
}

/// The key of a plain frame: TCP without SYN, FIN and RST, or UDP, whole and well formed.
fn plain(frame: &[u8]) -> Option<[u64; 5]> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let raw = |at: usize| Some(u64::from(u32::from_ne_bytes(*frame.get(at..)?.first_chunk()?)));
    let (mut at, mut vlan) = (12, 0);
    for _ in 0..2 {
        if matches!(word(at)?, 0x8100 | 0x88a8) {
            vlan = if vlan == 0 { u64::from(word(at + 2)? & 0xfff) } else { vlan };
            at += 4;
        }
    }
    let (kind, ip) = (word(at)?, at + 2);
    let mut key = [0; 5];
    let (bytes, family, proto) = match kind {
        0x0800 => {
            let plain = frame.get(ip)? == &0x45 && word(ip + 6)? & 0x3fff == 0;
            let sum = (0..10).map(|i| word(ip + 2 * i).map(u32::from)).sum::<Option<u32>>()?;
            if !plain || (sum >> 16) + (sum & 0xffff) != 0xffff {
                return None;
            }
            at = ip + 20;
            key[0] = raw(ip + 12)? | raw(ip + 16)? << 32;
            (usize::from(word(ip + 2)?).checked_sub(20)?, 4, *frame.get(ip + 9)?)
        }
        0x86dd if frame.get(ip)? >> 4 == 6 => {
            at = ip + 40;
            for (i, word) in key[..4].iter_mut().enumerate() {
                *word = raw(ip + 8 + 8 * i)? | raw(ip + 12 + 8 * i)? << 32;
            }
            (usize::from(word(ip + 4)?), 6, *frame.get(ip + 6)?)
        }
        _ => return None,
    };
    if at + bytes > frame.len() {
        return None;
    }
    match proto {
        6 => {
            let header = usize::from(*frame.get(at + 12)? >> 4) * 4;
            if header < 20 || header > bytes || frame.get(at + 13)? & 7 != 0 {
                return None;
            }
        }
        17 => {
            let len = usize::from(word(at + 4)?);
            if bytes < 8 || len < 8 || len > bytes {
                return None;
            }
        }
        _ => return None,
    }
    key[4] = raw(at)? | vlan << 32 | u64::from(proto) << 48 | family << 56;
    Some(key)
}
