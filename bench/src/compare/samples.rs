//! The figures of all rounds, and the rows that they make.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{Cell, CellAlignment, Color, Table, presets};

use super::turn::Found;
use super::workload::Figure;
use crate::peers::Peer;
use crate::record::{Mark, Row};

/// One figure of one peer, by round.
type Rounds = BTreeMap<u32, f64>;

/// What was measured so far.
#[derive(Debug, Default)]
pub struct Samples {
    figures: BTreeMap<(Figure, Peer), Rounds>,
    /// What did not count.
    pub void: Vec<String>,
}

impl Samples {
    pub(super) fn add(&mut self, round: u32, peer: Peer, found: Found) {
        for (figure, value) in found.figures {
            self.figures.entry((figure, peer)).or_default().insert(round, value);
        }
        self.void.extend(found.void.into_iter().map(|void| format!("round {}: {void}", round + 1)));
    }

    /// Palisade beside each peer, of the rounds that both have.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let figures: BTreeSet<Figure> = self.figures.keys().map(|(figure, _)| *figure).collect();
        let mut rows = Vec::new();
        for figure in figures {
            let Some(ours) = self.figures.get(&(figure, Peer::Palisade)) else { continue };
            let theirs = self.figures.range((figure, Peer::Palisade)..);
            for ((_, peer), theirs) in theirs.take_while(|((of, _), _)| *of == figure) {
                if *peer == Peer::Palisade {
                    continue;
                }
                let pairs = ours.iter().filter_map(|(round, o)| Some((*o, *theirs.get(round)?)));
                let (ours, theirs) = pairs.unzip();
                let row = Row::beside(figure.what, peer.name(), figure.unit(), ours, theirs);
                rows.push(match figure.asked(*peer) {
                    Some((floor, aim)) => row.asked(floor, aim),
                    None => row,
                });
            }
        }
        rows
    }

    /// The rows for people.
    #[must_use]
    pub fn table(&self, rows: &[Row]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "what",
            "peer",
            "unit",
            "palisade",
            "peer",
            "times better",
            "95 % interval",
            "rounds",
            "floor",
            "aim",
        ]);
        for row in rows {
            let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            let limit =
                |limit: Option<f64>| number(limit.map_or(String::new(), |l| format!("{l}x")));
            let ratio = row.ratio.map_or(String::new(), |r| format!("{:.2}", r.ratio));
            let interval =
                row.ratio.map_or(String::new(), |r| format!("{:.2} - {:.2}", r.ci_low, r.ci_high));
            let color = match row.mark() {
                Mark::Aim => Color::Green,
                Mark::Floor => Color::Yellow,
                Mark::Below => Color::Red,
                Mark::Free => Color::Reset,
            };
            table.add_row([
                Cell::new(&row.what),
                Cell::new(row.peer.as_deref().unwrap_or_default()),
                Cell::new(&row.unit),
                number(format!("{:.3}", row.ours)),
                number(row.theirs.map_or(String::new(), |theirs| format!("{theirs:.3}"))),
                number(ratio).fg(color),
                number(interval),
                number(row.rounds.to_string()),
                limit(row.floor),
                limit(row.aim),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(figures: &[(Figure, f64)]) -> Found {
        Found { figures: figures.to_vec(), void: Vec::new() }
    }

    #[test]
    fn rows_pair_the_rounds_that_both_have() {
        let mut samples = Samples::default();
        for (round, ours, theirs) in [(0, 8.0, Some(1.0)), (1, 2.0, None), (2, 6.0, Some(1.0))] {
            samples.add(round, Peer::Palisade, found(&[(Figure::FLOOD, ours), (Figure::P50, 5.0)]));
            if let Some(theirs) = theirs {
                samples.add(round, Peer::NftSet, found(&[(Figure::FLOOD, theirs)]));
            }
            samples.add(round, Peer::Testpmd, found(&[(Figure::P50, 10.0)]));
        }
        let void = Found { figures: Vec::new(), void: vec!["lost".to_owned()] };
        samples.add(1, Peer::NftSet, void);
        let rows = samples.rows();
        assert_eq!(rows.len(), 2);
        let row = |what: &str| rows.iter().find(|row| row.what == what).unwrap();
        let flood = row(Figure::FLOOD.what);
        assert_eq!(
            (flood.rounds, flood.ours, flood.floor, flood.mark()),
            (2, 7.0, Some(5.0), Mark::Floor)
        );
        let latency = row(Figure::P50.what);
        assert_eq!((latency.rounds, latency.mark()), (3, Mark::Aim));
        assert!((latency.ratio.unwrap().ratio - 2.0).abs() < 1e-9);
        assert_eq!(samples.void, ["round 2: lost"]);
    }
}
