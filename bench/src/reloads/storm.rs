//! Reloads at a steady pace, and how long each of them took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::policies::policies;
use crate::Result;
use crate::lab::Gateway;

/// One reload; what the gateway does not say is nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Reload {
    /// The revision that came into force.
    pub(super) revision: u64,
    /// Compiling, off the workers' cores.
    pub(super) compile_ms: Option<f64>,
    /// From the publication until every worker judged by it.
    pub(super) swap_ms: Option<f64>,
    /// From the command to the effect, by the gateway.
    pub(super) total_ms: Option<f64>,
    /// The same as the client saw it, with its own waiting for a core.
    #[serde(default)]
    pub(super) client_ms: f64,
    /// It was the second policy.
    #[serde(default)]
    pub(super) guests: bool,
}

/// What a slice's reloads came to.
#[derive(Debug, Default)]
pub(super) struct Storm {
    pub(super) reloads: Vec<Reload>,
    pub(super) refused: Vec<String>,
}

/// Reloads every so often until told to stop, the two policies in turn.
pub(super) fn storm(gateway: &Gateway, every: Duration, stop: &AtomicBool) -> Result<Storm> {
    let policies = policies();
    let mut storm = Storm::default();
    let begin = Instant::now();
    for turn in 1_u32.. {
        // A turn that took too long is not made up for.
        let due = every * turn;
        thread::sleep(due.saturating_sub(begin.elapsed()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let guests = turn % 2 == 1;
        gateway.write_policy(&policies[usize::from(guests)])?;
        let asked = Instant::now();
        let (status, body) = gateway.post("/reload", "")?;
        let client_ms = asked.elapsed().as_secs_f64() * 1e3;
        match serde_json::from_str::<Reload>(&body) {
            Ok(reload) if status == 200 => {
                storm.reloads.push(Reload { client_ms, guests, ..reload });
            }
            _ => storm.refused.push(format!("{status} {body}")),
        }
    }
    // Slices begin alike.
    gateway.write_policy(&policies[0])?;
    gateway.post("/reload", "")?;
    Ok(storm)
}

/// The value below which so many thousandths of the others lie.
pub(super) fn percentile(sorted: &[f64], thousandths: usize) -> f64 {
    let place = (sorted.len() * thousandths).div_ceil(1000).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        for (thousandths, value) in [(500, 50.0), (990, 99.0), (999, 100.0), (1000, 100.0)] {
            assert_eq!(percentile(&sorted, thousandths), value);
        }
        assert_eq!(percentile(&[], 500), 0.0);
    }
}
