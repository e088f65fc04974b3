//! The addresses to look up.

use lookup::{ClassId, Ranges};

use super::arms::Kind;
use crate::load::Random;

/// How many.
pub(super) const KEYS: usize = 1 << 20;
/// Hosts that the Zipf keys are of.
const HOSTS: usize = 1 << 16;

/// How keys are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// A random range of the table, a random address in it: deep ones as often as shallow ones.
    Real,
    /// Any address that may be given out.
    Uniform,
    /// 65,536 hosts in random ranges, the n-th 1/n as often as the first: traffic.
    Zipf,
}

impl Spread {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Uniform => "uniform",
            Self::Zipf => "Zipf",
        }
    }
}

/// The same keys on every machine.
pub(super) fn keys<A: Kind>(ranges: &Ranges<A, ClassId>, spread: Spread) -> Vec<A> {
    let mut random = Random::new(7);
    let (low, high) = A::GIVEN;
    let wide = |(first, last, class): (A, A, &ClassId)| (first.into(), last.into(), class.0);
    let given = |(first, _, class): &(u128, u128, u32)| *class != 0 && (low..=high).contains(first);
    let spans: Vec<(u128, u128, u32)> = ranges.iter().map(wide).filter(given).collect();
    let inside = |random: &mut Random| {
        let place = random.below(spans.len() as u128) as usize;
        let (first, last, _) = spans.get(place).copied().unwrap_or((low, high, 0));
        address(first + random.below(last - first + 1))
    };
    match spread {
        Spread::Real => (0..KEYS).map(|_| inside(&mut random)).collect(),
        Spread::Uniform => (0..KEYS).map(|_| address(low + random.below(high - low + 1))).collect(),
        Spread::Zipf => {
            let hosts: Vec<A> = (0..HOSTS).map(|_| inside(&mut random)).collect();
            let ranks = ranks();
            let most = ranks.last().copied().unwrap_or(1.0);
            let mut draw = || {
                let at = random.next_u64() as f64 / u64::MAX as f64 * most;
                hosts[ranks.partition_point(|end| *end < at).min(HOSTS - 1)]
            };
            (0..KEYS).map(|_| draw()).collect()
        }
    }
}

/// Sums of 1/n.
fn ranks() -> Vec<f64> {
    let mut sum = 0.0;
    let next = |n: usize| {
        sum += 1.0 / n as f64;
        sum
    };
    (1..=HOSTS).map(next).collect()
}

fn address<A: Kind>(bits: u128) -> A {
    A::try_from(bits).unwrap_or_default()
}
