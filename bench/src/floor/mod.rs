//! The speed floor: Palisade filtering against testpmd filtering nothing, on the same veths.
//!
//! Core 0 has the generator and the softirq of the receiving veth, core 1 the forwarder. The peers
//! take turns, several rounds, and the medians are compared: absolute figures drift by tens of per
//! cent between runs, so only figures of one run stand beside each other.

mod record;

use std::path::Path;
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::lab::{Lab, Setup};
use crate::load::{Class, Flow, Generator, Kind, Order, Sink, spread};
use crate::peers::{Fence, HugePages, Peer};
use crate::{Error, Result};

/// Goal: Palisade's part of testpmd's rate.
pub const GOAL: f64 = 0.9;
const FLOWS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(500);
const CORE: u32 = 1;
const PORT: u16 = 123;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Turns of each peer.
    pub rounds: u32,
    /// Length of one measurement.
    pub length: Duration,
    /// Size on the wire, FCS included.
    pub wire_bytes: usize,
}

/// The rates of one peer, in packets a second, one a round.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Rates {
    /// Its name.
    pub peer: &'static str,
    /// As the sink counted them.
    pub pps: Vec<f64>,
    /// Their median.
    pub median_pps: f64,
}

/// Measures the peers in turn, prints a table and writes a record; the first peer's median as a part
/// of the second's.
///
/// # Errors
/// When the lab or a peer fails, or nothing is forwarded.
pub fn run(peers: &[Peer], terms: Terms, records: &Path) -> Result<f64> {
    let _pages = HugePages::for_peers()?;
    let mut rates: Vec<Rates> = peers
        .iter()
        .map(|peer| Rates { peer: peer.name(), pps: Vec::new(), median_pps: 0.0 })
        .collect();
    for round in 1..=terms.rounds {
        for (peer, rates) in peers.iter().zip(&mut rates) {
            let pps = measure(*peer, terms)?;
            println!("round {round}: {:<20} {:.3} Mpps", rates.peer, pps / 1e6);
            rates.pps.push(pps);
        }
    }
    for rates in &mut rates {
        rates.median_pps = median(&rates.pps);
    }
    println!("{}", table(&rates));
    let path = record::write(records, terms, &rates)?;
    println!("record: {}", path.display());
    match rates.as_slice() {
        [own, other, ..] if other.median_pps > 0.0 => Ok(own.median_pps / other.median_pps),
        _ => Err(Error::Usage("the floor compares two peers that forward".to_owned())),
    }
}

/// One turn of one peer in a lab of its own.
fn measure(peer: Peer, terms: Terms) -> Result<f64> {
    let lab = Lab::new(1)?;
    let fence = Fence::new(None, &["DE", "FR", "NL"], PORT)?;
    let setup = Setup { cores: vec![CORE], poll: "busy", ..Setup::new(&lab, &fence.policy()) };
    let flows = flows();
    let mut generator = Generator::outside(&lab, &flows, terms.wire_bytes)?;
    let _running = peer.start(&lab, &setup, &fence)?;
    let order = |length| Order { length, count: None, rate_pps: None, core: 0 };
    generator.run(order(WARM_UP))?;
    let mut sink = Sink::at_servers(&lab, 1)?;
    generator.run(order(terms.length))?;
    Ok(sink.total()?.rate_pps())
}

/// German sources, which the policy lets in.
fn flows() -> Vec<Flow> {
    let first = Flow {
        source: [5, 9, 0, 9].into(),
        target: [10, 1, 0, 10].into(),
        source_port: 1024,
        target_port: PORT,
        class: Class(0),
        kind: Kind::Udp,
    };
    spread(first, FLOWS)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = sorted.get((sorted.len() / 2).wrapping_sub(1)).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

fn table(rates: &[Rates]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["peer", "least Mpps", "median Mpps", "most Mpps", "of the last"]);
    let last = rates.last().map_or(0.0, |rates| rates.median_pps);
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for rates in rates {
        let least = rates.pps.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.pps.iter().copied().fold(0.0, f64::max);
        let part = if last > 0.0 { rates.median_pps / last } else { 0.0 };
        table.add_row([
            Cell::new(rates.peer),
            number(format!("{:.3}", least / 1e6)),
            number(format!("{:.3}", rates.median_pps / 1e6)),
            number(format!("{:.3}", most / 1e6)),
            number(format!("{part:.2}")),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        let cases: [(&[f64], f64); 4] =
            [(&[], 0.0), (&[3.0], 3.0), (&[5.0, 1.0, 3.0], 3.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)];
        for (values, expected) in cases {
            assert!((median(values) - expected).abs() < 1e-9, "{values:?}");
        }
    }
}
