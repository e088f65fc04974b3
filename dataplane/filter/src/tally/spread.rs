//! How many different things were seen, estimated in a few words: HyperLogLog.
//!
//! Each thing's hash chooses a register, which keeps the longest run of zeros that the rest of a hash
//! began with. 16 registers of 4 bits stand in a word, so `WORDS` words err by 1.04 / sqrt(16 WORDS)
//! (standard error): 18 % for 2, 6.5 % for 16. Few things are counted by the registers that are still
//! empty, and err less. It is full at about 16,000 a register. Two spreads of the same hash are joined
//! by the greater of each register, so that workers' estimates become one.
//!
//! Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
//! estimation algorithm", 2007; the small range is linear counting (Whang, Vander-Zanden, Taylor, 1990).

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

const BITS: u32 = 4;
const LANES: u64 = 16;
const MOST: u64 = 15;

/// An estimate of how many different things were seen; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Spread<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

/// The word, the shift within it, and the rank that a hash asks for.
#[inline]
fn place<const WORDS: usize>(hash: u64) -> (usize, u32, u64) {
    let register = hash % (LANES * WORDS as u64);
    let rest = (hash / (LANES * WORDS as u64)) | (1 << (MOST - 1));
    let shift = (register % LANES) as u32 * BITS;
    ((register / LANES) as usize, shift, u64::from(rest.trailing_zeros()) + 1)
}

impl<const WORDS: usize> Spread<WORDS> {
    fn ranks(&self) -> impl Iterator<Item = u64> {
        let lanes = |word: &u64| {
            let word = *word;
            (0..LANES as u32).map(move |lane| word >> (lane * BITS) & MOST)
        };
        self.0.iter().flat_map(lanes)
    }

    /// The estimate.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
    pub fn estimate(&self) -> u64 {
        let registers = (LANES * WORDS as u64) as f64;
        let alpha = if WORDS == 1 { 0.673 } else { 0.7213 / (1.0 + 1.079 / registers) };
        let sum: f64 = self.ranks().map(|rank| 0.5_f64.powi(rank as i32)).sum();
        let empty = self.ranks().filter(|rank| *rank == 0).count() as f64;
        let raw = alpha * registers * registers / sum;
        let few = raw <= 2.5 * registers && empty > 0.0;
        let estimate = if few { registers * (registers / empty).ln() } else { raw };
        estimate.round() as u64
    }

    /// Takes in what another one saw.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            for lane in 0..LANES as u32 {
                let mask = MOST << (lane * BITS);
                *mine = *mine & !mask | (*mine & mask).max(theirs & mask);
            }
        }
    }
}

/// A [`Spread`] that one thread writes and others read.
#[derive(Debug)]
pub(super) struct Registers<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> Default for Registers<WORDS> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }
}

impl<const WORDS: usize> Registers<WORDS> {
    /// Only the writer.
    #[inline]
    pub(super) fn see(&self, hash: u64) {
        let (word, shift, rank) = place::<WORDS>(hash);
        let Some(word) = self.0.get(word) else { return };
        let have = word.load(Acquire);
        if have >> shift & MOST < rank {
            word.store(have & !(MOST << shift) | rank << shift, Release);
        }
    }

    pub(super) fn read(&self) -> Spread<WORDS> {
        Spread(std::array::from_fn(|i| self.0[i].load(Acquire)))
    }

    pub(super) fn write(&self, spread: &Spread<WORDS>) {
        for (word, value) in self.0.iter().zip(spread.0) {
            word.store(value, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_mix(n: u64) -> u64 {
        let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The mean and the standard error, over many runs, of an estimate of `count`.
    fn errors<const WORDS: usize>(count: u64) -> (f64, f64) {
        const RUNS: u64 = 200;
        let error = |run: u64| {
            let registers = Registers::<WORDS>::default();
            // Everything comes twice, which must not matter.
            for n in (0..count).chain(0..count) {
                registers.see(split_mix(run << 40 | n));
            }
            registers.read().estimate() as f64 / count as f64 - 1.0
        };
        let errors: Vec<f64> = (0..RUNS).map(error).collect();
        let mean = errors.iter().sum::<f64>() / RUNS as f64;
        let square = errors.iter().map(|error| error * error).sum::<f64>() / RUNS as f64;
        (mean, square.sqrt())
    }

    #[test]
    fn errs_as_the_paper_says() {
        for count in [1, 2, 5, 20, 100, 1000, 20_000] {
            let (mean, error) = errors::<2>(count);
            assert!(mean.abs() < 0.08 && error < 0.26, "2 words, {count}: {mean} {error}");
            let (mean, error) = errors::<16>(count);
            assert!(mean.abs() < 0.04 && error < 0.09, "16 words, {count}: {mean} {error}");
        }
        assert_eq!(Spread::<2>::default().estimate(), 0);
    }

    #[test]
    fn joined_it_has_seen_what_both_saw() {
        let (a, b, both) = (Registers::<4>::default(), Registers::default(), Registers::default());
        for n in 0..5000 {
            if n % 3 > 0 {
                a.see(split_mix(n));
            };
            if n % 3 < 2 {
                b.see(split_mix(n));
            };
            both.see(split_mix(n));
        }
        let mut joined = a.read();
        joined.join(&b.read());
        assert_eq!(joined, both.read());
    }
}
