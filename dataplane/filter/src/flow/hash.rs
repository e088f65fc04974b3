//! The keyed hash of the flow table: three 64 x 64 -> 128 bit multiplications, folded.
//!
//! It chooses buckets and tags of one worker's cache, and whole keys are compared behind it, so
//! an attacker gains nothing but crowded buckets, and cannot aim without the secret. Fingerprints
//! that stand for a key by themselves ([`crate::stamps`]) take SipHash-1-3 instead, which holds
//! against more and costs more. A product is zero for all keys that hold a word of the secret in the
//! right place, which a guess hits once in 2^64. After wyhash (Wang Yi) and foldhash (Orson Peters).

use super::Key;

/// A secret, spread over the words that a hash needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    secret: [u64; 6],
}

impl Hasher {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let mut secret = [0; 6];
        for (i, word) in (0_u64..).zip(&mut secret) {
            *word = siphasher::sip::SipHasher13::new_with_key(&key).hash(&i.to_le_bytes());
        }
        Self { secret }
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> [u64; 6] {
        self.secret
    }

    #[inline]
    pub(crate) fn hash(&self, key: &Key) -> u64 {
        let [a, b, c, d, e, f] = self.secret;
        let [remote_high, remote_low, local_high, local_low, tail] = key.words();
        let remote = fold(remote_high ^ a, remote_low ^ b);
        let local = fold(local_high ^ c, local_low ^ d);
        // The ports stand on both sides: on one alone they would be steps of an even stride for some
        // secrets, and could make up for a difference of the addresses.
        fold(remote ^ (tail ^ e), local ^ (tail.rotate_left(32) ^ f))
    }
}

#[inline]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}
