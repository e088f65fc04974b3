//! One turn of one peer: every workload that it takes part in.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::Terms;
use super::search::highest;
use super::stand::{Load, Outcome, Stand};
use super::workload::{Figure, Workload};
use crate::Result;

/// Before a measurement: pages are there, flows are known.
pub(super) const WARM_UP: Duration = Duration::from_millis(300);
/// The loss of a PDR.
const PARTIAL: f64 = 0.005;
/// The kernel forgets a namespace's connections in the background; how long that may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that do not matter.
const FEW: u64 = 10_000;

/// What a turn gave: figures, and what was void.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) figures: Vec<(Figure, f64)>,
    pub(super) void: Vec<String>,
}

/// Takes the turn.
pub(super) fn take(stand: &Stand<'_>, terms: &Terms, round: u32) -> Result<Found> {
    let mut found = Found::default();
    for (workload, flows) in &terms.flows {
        if !workload.peers().contains(&stand.peer) {
            continue;
        }
        let mut load = stand.load(*workload, flows, terms.wire_bytes)?;
        stand.offer(&mut load, WARM_UP, None)?;
        let mut bench = Trial { stand, load, found: &mut found, name: format!("{workload:?}") };
        match workload {
            Workload::Latency => {
                let Some(half_pps) = terms.half_pps else { continue };
                let outcome = bench.offer(terms.length, Some(half_pps))?;
                bench.latency(outcome, Figure::P50, Figure::P999);
            }
            Workload::Search => bench.search(terms)?,
            other => {
                let outcome = bench.offer(terms.length, None)?;
                bench.rate(*other, outcome);
            }
        }
    }
    for (figure, value) in &found.figures {
        let unit = figure.unit().0;
        println!(
            "round {}: {:<44} {:<48} {value:.3} {unit}",
            round + 1,
            stand.peer.name(),
            figure.what
        );
    }
    for void in &found.void {
        println!("round {}: void: {void}", round + 1);
    }
    Ok(found)
}

/// One workload of a turn.
struct Trial<'a, 'lab> {
    stand: &'a Stand<'lab>,
    load: Load<'lab>,
    found: &'a mut Found,
    name: String,
}

impl Trial<'_, '_> {
    /// An offer whose books were checked; nothing when they do not hold.
    fn offer(&mut self, length: Duration, rate_pps: Option<u64>) -> Result<Option<Outcome>> {
        let outcome = self.stand.offer(&mut self.load, length, rate_pps)?;
        let errors = outcome.errors();
        if errors.is_empty() {
            return Ok(Some(outcome));
        }
        let name = &self.name;
        self.found.void.push(format!("{}, {name}: {}", self.stand.peer.name(), errors.join("; ")));
        Ok(None)
    }

    fn rate(&mut self, workload: Workload, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else { return };
        let (figure, pps) = match workload {
            Workload::ForwardMany => (Figure::FORWARD_MANY, outcome.rate_pps()),
            Workload::Open => (Figure::OPEN, outcome.rate_pps()),
            Workload::Flood => (Figure::FLOOD, outcome.judged_pps()),
            _ => (Figure::FORWARD, outcome.rate_pps()),
        };
        self.found.figures.push((figure, pps / 1e6));
    }

    fn latency(&mut self, outcome: Option<Outcome>, p50: Figure, p999: Figure) {
        let Some(outcome) = outcome else { return };
        for (figure, part) in [(p50, 0.5), (p999, 0.999)] {
            if let Some(delay) = outcome.delays.quantile(part) {
                self.found.figures.push((figure, delay.as_secs_f64() * 1e6));
            }
        }
    }

    /// NDR, PDR, and the latency below the NDR.
    fn search(&mut self, terms: &Terms) -> Result<()> {
        let Some(best) = self.offer(terms.trial, None)? else { return Ok(()) };
        let best_pps = (best.rate_pps() * 1.1) as u64;
        let pdr = highest(best_pps, PARTIAL, |pps| self.trial(terms.trial, pps))?;
        let ndr = highest(pdr, 0.0, |pps| self.trial(terms.trial, pps))?;
        for (figure, pps) in [(Figure::PDR, pdr), (Figure::NDR, ndr)] {
            self.found.figures.push((figure, pps as f64 / 1e6));
        }
        for (percent, p50, p999) in Figure::BELOW {
            let rate_pps = ndr * percent / 100;
            if rate_pps > 0 {
                let outcome = self.offer(terms.trial, Some(rate_pps))?;
                self.latency(outcome, p50, p999);
            }
        }
        Ok(())
    }

    /// The loss at a rate. A generator that could not keep up has not offered it.
    fn trial(&mut self, length: Duration, rate_pps: u64) -> Result<f64> {
        let outcome = self.stand.offer(&mut self.load, length, Some(rate_pps))?;
        let due = rate_pps as f64 * length.as_secs_f64();
        let offered = outcome.sent.packets as f64 / due.max(1.0);
        Ok(if offered < 0.99 { 1.0 } else { outcome.loss() })
    }
}

/// Waits until the kernel has forgotten the connections of the last peer.
pub(super) fn settle() {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE && connections() > FEW {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Connections in the kernel's memory, of all namespaces.
fn connections() -> u64 {
    let slabs = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let line = slabs.lines().find_map(|line| line.strip_prefix("nf_conntrack "));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
