//! The highest rate with a bounded loss, by halving: RFC 2544, 26.1, with trials as short as the
//! caller can afford.

use crate::Result;

/// Halvings: the answer is within a hundredth of the highest rate tried.
const STEPS: u32 = 7;

/// The highest rate below `most_pps` whose loss is `bound` at most; `trial` offers a rate and
/// answers its loss. 0 when even the least rate loses more.
///
/// # Errors
/// What `trial` fails with.
pub(super) fn highest(
    most_pps: u64,
    bound: f64,
    mut trial: impl FnMut(u64) -> Result<f64>,
) -> Result<u64> {
    let (mut fine, mut least_bad) = (0_u64, most_pps);
    for _ in 0..STEPS {
        let middle = fine.midpoint(least_bad);
        if middle == fine {
            break;
        }
        if trial(middle)? <= bound {
            fine = middle;
        } else {
            least_bad = middle;
        }
    }
    Ok(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_found() {
        for limit in [0_u64, 1, 50_000, 777_777, 1_234_567, 1_999_999] {
            let mut trials = 0;
            let found = highest(2_000_000, 0.0, |pps| {
                trials += 1;
                Ok(if pps <= limit { 0.0 } else { 1.0 - limit as f64 / pps as f64 })
            });
            let found = found.unwrap();
            assert!(found <= limit && limit - found <= 2_000_000 / 128 + 1, "{limit} {found}");
            assert_eq!(trials, STEPS);
        }
    }

    #[test]
    fn a_bound_lets_some_loss_pass() {
        let loss = |pps: u64| Ok((pps as f64 - 1e6).max(0.0) / 1e8);
        let strict = highest(2_000_000, 0.0, loss).unwrap();
        let partial = highest(2_000_000, 0.005, loss).unwrap();
        assert!(strict <= 1_000_000 && (1_480_000..=1_500_000).contains(&partial), "{partial}");
    }

    #[test]
    fn a_failed_trial_ends_the_search() {
        let fail = |_| Err(crate::Error::Void("denied".to_owned()));
        assert!(highest(1000, 0.0, fail).is_err());
        assert_eq!(highest(0, 0.0, |_| Ok(0.0)).unwrap(), 0);
    }
}
