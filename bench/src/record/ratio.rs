//! The ratio of two medians, and how sure it is.
//!
//! Rounds are taken in turn, so ours and theirs of one round met the same machine: the bootstrap
//! draws whole rounds (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

use serde::{Deserialize, Serialize};

use super::Better;
use crate::load::Random;

/// Drawings of the bootstrap.
const DRAWS: usize = 4000;

/// How many times better ours is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Of the medians.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub ci_low: f64,
    /// Upper end of the 95 % interval.
    pub ci_high: f64,
}

impl Ratio {
    /// The ratio of the medians of rounds taken in turn; nothing without rounds.
    #[must_use]
    pub fn of_medians(ours: &[f64], theirs: &[f64], better: Better) -> Option<Self> {
        let rounds: Vec<(f64, f64)> = ours.iter().copied().zip(theirs.iter().copied()).collect();
        if rounds.is_empty() {
            return None;
        }
        let mut random = Random::new(rounds.len() as u64);
        let mut draw = || {
            let pick = |_| {
                let place = random.below(rounds.len() as u128) as usize;
                rounds.get(place).copied().unwrap_or_default()
            };
            let (ours, theirs): (Vec<f64>, Vec<f64>) = (0..rounds.len()).map(pick).unzip();
            quotient(median(&ours), median(&theirs), better)
        };
        let mut draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        draws.sort_by(f64::total_cmp);
        let at = |part: usize| draws.get(DRAWS * part / 1000).copied().unwrap_or(0.0);
        Some(Self {
            ratio: quotient(median(ours), median(theirs), better),
            ci_low: at(25),
            ci_high: at(975),
        })
    }
}

fn quotient(ours: f64, theirs: f64, better: Better) -> f64 {
    let (above, below) = match better {
        Better::More => (ours, theirs),
        Better::Less => (theirs, ours),
    };
    // A JSON number is finite.
    if below > 0.0 { above / below } else { 0.0 }
}

/// The middle of the values; between the two middle ones when their number is even.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0.0);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}
