//! Ratios as bars on a logarithmic scale: 1 is the peer, with floor, aim and interval.

use super::rows::figure;
use super::svg::{COLOURS, Drawing};
use crate::record::{Mark, Row};

const LEFT: f64 = 430.0;
const WIDTH: f64 = 420.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 44.0;
const STEP: f64 = 26.0;
/// Room that a figure takes behind its bar.
const WORDS: f64 = 40.0;

pub(super) fn svg(title: &str, rows: &[&Row]) -> String {
    let height = TOP + rows.len() as f64 * STEP + 34.0;
    let mut drawing = Drawing::new(LEFT + WIDTH + RIGHT, height, title);
    let ends = |row: &&Row| {
        let ratio =
            row.ratio.map_or([1.0; 2], |ratio| [ratio.ci_low.min(ratio.ratio), ratio.ci_high]);
        [ratio[0], ratio[1], row.floor.unwrap_or(1.0), row.aim.unwrap_or(1.0)]
    };
    let values = || rows.iter().flat_map(ends).filter(|value| *value > 0.0);
    let low = values().fold(0.5, f64::min).log10();
    let high = values().fold(2.0, f64::max).log10();
    let x = |ratio: f64| LEFT + (ratio.max(1e-3).log10() - low) / (high - low) * WIDTH;
    let bottom = TOP + rows.len() as f64 * STEP;
    for ratio in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0] {
        if (low..=high).contains(&f64::log10(ratio)) {
            let colour = if ratio == 1.0 { "#444" } else { "#ddd" };
            drawing.line(
                (x(ratio), TOP - 8.0),
                (x(ratio), bottom),
                &format!("stroke=\"{colour}\""),
            );
            drawing.words((x(ratio), bottom + 16.0), "middle", &format!("{ratio}"));
        }
    }
    for (place, row) in rows.iter().enumerate() {
        let top = TOP + place as f64 * STEP;
        let Some(ratio) = row.ratio else { continue };
        let peer = row.peer.as_deref().unwrap_or_default();
        drawing.words((LEFT - 8.0, top + 8.0), "end", &row.what);
        drawing.put(&format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"10\" fill=\"#666\">beside {}</text>",
            LEFT - 8.0,
            top + 19.0,
            peer.replace('&', "&amp;").replace('<', "&lt;"),
        ));
        let (from, to) = (x(1.0).min(x(ratio.ratio)), x(1.0).max(x(ratio.ratio)));
        let colour = if row.mark() == Mark::Below { COLOURS[1] } else { COLOURS[0] };
        drawing.put(&format!(
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>",
            top + 2.0,
            to - from,
        ));
        let middle = top + 8.0;
        drawing.line((x(ratio.ci_low), middle), (x(ratio.ci_high), middle), "stroke=\"black\"");
        for (limit, dash) in [(row.floor, ""), (row.aim, "stroke-dasharray=\"3 2\"")] {
            if let Some(limit) = limit {
                let style = format!("stroke=\"black\" stroke-width=\"2\" {dash}");
                drawing.line((x(limit), top - 1.0), (x(limit), top + 17.0), &style);
            }
        }
        let end = to.max(x(ratio.ci_high));
        // Beyond the mark that it would stand on.
        let aim = row.aim.map_or(end, x);
        let end = if (end..end + WORDS).contains(&aim) { aim } else { end };
        drawing.words((end + 6.0, top + 12.0), "start", &figure(ratio.ratio));
    }
    drawing.end()
}
