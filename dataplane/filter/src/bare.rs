//! The filter's parts by themselves, so that they can be measured beside others that do the same.
//!
//! The gateway uses them through [`Filter`](crate::Filter) alone. What is here adds nothing to them:
//! [`FlowTable::find`] takes a burst in the passes of `Filter::process`, without a packet around it.

use std::net::IpAddr;

use lookup::{Revision, Side};

use crate::flow::{Entry, Hasher, Key, Lives, Progress, Table, Timing};
use crate::parse::{Fate, Head, Packet, parse};
use crate::{BURST, Family, Timeouts};

/// The only revision here.
const REVISION: Revision = Revision(1);
const UDP: u8 = 17;

/// Which conversation a packet belongs to: 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey(Key);

impl FlowKey {
    /// A conversation over UDP between an address and port outside and one inside.
    #[must_use]
    pub fn udp(remote: (IpAddr, u16), local: (IpAddr, u16)) -> Self {
        let bits = |address| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let head = Head {
            src: bits(remote.0),
            dst: bits(local.0),
            src_port: remote.1,
            dst_port: local.1,
            vlan: 0,
            proto: UDP,
            family: if remote.0.is_ipv4() { Family::V4 } else { Family::V6 },
        };
        Self(Key::new(Side::Outside, &head, UDP, (remote.1, local.1)))
    }

    /// The conversation of a frame that arrived on `side`; `None` when it is not judged by one.
    #[must_use]
    #[inline]
    pub fn read(frame: &[u8], side: Side) -> Option<Self> {
        let mut packet = Packet::UNREAD;
        parse(frame, side, &mut packet);
        (packet.fate == Fate::Judge).then_some(Self(packet.key))
    }

    /// The whole key as words, for tables that hash it themselves.
    #[must_use]
    pub fn words(&self) -> [u64; 5] {
        self.0.words()
    }
}

/// The flow table of one worker.
#[derive(Debug)]
pub struct FlowTable {
    table: Table,
    hasher: Hasher,
}

impl FlowTable {
    /// Room for `flows`, rounded up to a power of two; `secret` keys its hash.
    #[must_use]
    pub fn new(flows: usize, secret: [u8; 16]) -> Self {
        let lives = Lives::new(&Timeouts::default());
        Self { table: Table::new(flows, lives), hasher: Hasher::new(secret) }
    }

    /// A bit for each of at most 64 keys whose flow is known and not expired; it was heard of now.
    #[must_use]
    pub fn find(&mut self, keys: &[FlowKey], now_ms: u32) -> u64 {
        let mut hashes = [0; BURST];
        for (FlowKey(key), hash) in keys.iter().zip(&mut hashes) {
            *hash = self.hasher.hash(key);
            self.table.fetch_tags(*hash);
        }
        let places = self.table.look(&hashes[..keys.len().min(BURST)]);
        let mut found = 0;
        for (i, ((FlowKey(key), &hash), place)) in keys.iter().zip(&hashes).zip(places).enumerate()
        {
            self.table.fetch_ahead(&places, i);
            let Some(slot) = self.table.find_at(place, hash, key) else { continue };
            if let Some(entry) = self.table.standing(slot, REVISION.0, now_ms) {
                entry.seen_ms = now_ms;
                found |= 1 << i;
            }
        }
        found
    }

    /// Puts in a flow that is not known; false when no other gives way.
    pub fn insert(&mut self, FlowKey(key): FlowKey, now_ms: u32) -> bool {
        let mut entry = Entry::new(key, Progress::default(), Timing::Udp, false);
        (entry.revision, entry.seen_ms) = (REVISION.0, now_ms);
        self.table.insert(self.hasher.hash(&key), entry)
    }

    /// Forgets what was silent for too long in the next `buckets` buckets of eight.
    pub fn expire(&mut self, now_ms: u32, buckets: usize) {
        self.table.expire(now_ms, buckets);
    }

    /// Flows in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> FlowKey {
        FlowKey::udp(([198, 51, 100, 1].into(), n), ([10, 1, 0, 1].into(), 53))
    }

    #[test]
    fn what_was_put_in_is_found_until_it_expires() {
        let mut table = FlowTable::new(256, [7; 16]);
        assert!(table.is_empty());
        let keys: Vec<FlowKey> = (0..128).map(key).collect();
        assert!(keys.iter().all(|&key| table.insert(key, 1000)));
        assert_eq!(table.find(&keys[..64], 1000), u64::MAX);
        assert_eq!(table.find(&[key(127), key(128), key(3)], 1000), 0b101);
        table.expire(1_000_000, 32);
        assert_eq!((table.len(), table.find(&keys[..64], 1_000_000)), (0, 0));
    }

    #[test]
    fn a_frame_has_the_key_of_its_ends() {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([198, 51, 100, 1], [10, 1, 0, 1], 64)
            .udp(9, 53);
        let mut frame = Vec::new();
        builder.write(&mut frame, &[0; 22]).unwrap();
        assert_eq!(FlowKey::read(&frame, Side::Outside), Some(key(9)));
        assert_eq!(FlowKey::read(&frame[..20], Side::Outside), None);
    }
}
