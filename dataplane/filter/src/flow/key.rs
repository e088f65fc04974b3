//! The key of a flow: both ends, seen from the gateway.
//!
//! Normalised by side: the address on the outside is `remote`, whichever way the packet goes, so
//! both directions of a connection have one key. 40 bytes of plain integers, ready for a BPF map.

use std::net::IpAddr;

use lookup::{Proto, Side, Vlan};

use crate::parse::Head;
use crate::{Family, Pair};

/// Which conversation a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Key {
    /// High and low half of both addresses, in words of 8 bytes so that an entry fits a line.
    remote: [u64; 2],
    local: [u64; 2],
    /// remote port (16 bits), local port (16), VLAN (16), kind (4), version of IP (4), protocol (8).
    tail: u64,
}

impl Key {
    /// No packet has it.
    pub(crate) const EMPTY: Self = Self { remote: [0; 2], local: [0; 2], tail: 0 };

    /// The key of a packet that arrived on `side`; `ports` are its source's and destination's.
    #[inline]
    pub(crate) fn new(side: Side, head: &Head, proto: u8, ports: (u16, u16)) -> Self {
        let (remote, local, remote_port, local_port) = match side {
            Side::Outside => (head.src, head.dst, ports.0, ports.1),
            Side::Inside => (head.dst, head.src, ports.1, ports.0),
        };
        let version: u64 = if head.family == Family::V4 { 4 } else { 6 };
        let tail = u64::from(remote_port) << 48
            | u64::from(local_port) << 32
            | version << 8
            | u64::from(Proto(proto).folded().0);
        Self { remote: halves(remote), local: halves(local), tail }
    }

    /// The same ends in a conversation of another kind (which ICMP query, and who asked).
    pub(crate) fn with_kind(self, kind: u8) -> Self {
        Self { tail: self.tail | u64::from(kind & 15) << 12, ..self }
    }

    /// The same ends in a VLAN that the policy tells apart; no key has one before.
    #[inline]
    pub(crate) fn within(self, vlan: Vlan) -> Self {
        Self { tail: self.tail | u64::from(vlan.0) << 16, ..self }
    }

    /// The VLAN that the pair is judged in.
    #[inline]
    pub(crate) fn vlan(&self) -> Vlan {
        Vlan(((self.tail >> 16) & 0xffff) as u16)
    }

    /// Whether the addresses are IPv4.
    #[inline]
    pub(crate) fn is_v4(&self) -> bool {
        (self.tail >> 8) & 15 == 4
    }

    /// The protocol, folded.
    #[inline]
    pub(crate) fn proto(&self) -> Proto {
        Proto((self.tail & 0xff) as u8)
    }

    /// The port on the outside; 0 where the protocol has none.
    pub(crate) fn remote_port(&self) -> u16 {
        (self.tail >> 48) as u16
    }

    /// The keys that a pair may have: one, but for ICMP one for each kind of query.
    pub(crate) fn kinds_of(pair: &Pair) -> impl Iterator<Item = Self> + use<> {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), Family::V4),
            IpAddr::V6(address) => (address.to_bits(), Family::V6),
        };
        let ((src, family), (dst, _)) = (bits(pair.remote), bits(pair.local));
        let head = Head { src, dst, family, ..Head::EMPTY };
        let ports = (pair.remote_port, pair.local_port);
        let key = Self::new(Side::Outside, &head, pair.proto.0, ports).within(pair.vlan);
        let kinds = if pair.proto.folded() == Proto::ICMP { 16 } else { 1 };
        (0..kinds).map(move |kind| key.with_kind(kind))
    }

    /// The port on the inside; 0 where the protocol has none.
    #[inline]
    pub(crate) fn local_port(&self) -> u16 {
        ((self.tail >> 32) & 0xffff) as u16
    }

    /// The address on the outside.
    #[inline]
    pub(crate) fn remote(&self) -> u128 {
        whole(self.remote)
    }

    /// The address on the inside.
    #[inline]
    pub(crate) fn local(&self) -> u128 {
        whole(self.local)
    }

    #[cfg(test)]
    pub(super) fn from_words([a, b, c, d, tail]: [u64; 5]) -> Self {
        Self { remote: [a, b], local: [c, d], tail }
    }

    /// The whole key, as words to hash.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 5] {
        let ([a, b], [c, d]) = (self.remote, self.local);
        [a, b, c, d, self.tail]
    }

    /// The whole key, as bytes to hash.
    pub(crate) fn bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words()) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

#[inline]
fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

#[inline]
fn whole([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}
