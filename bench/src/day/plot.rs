//! Panels drawn as SVG: a number with its curve, or curves over time with a legend.

use std::fmt::Write;

/// Pixels of a unit of Grafana's grid.
const ACROSS: f64 = 50.0;
const DOWN: f64 = 32.0;
const GAP: f64 = 6.0;
/// Pixels of a letter of a legend, on the average.
const LETTER: f64 = 6.4;
/// Names in a legend.
const NAMES: usize = 6;
const COLORS: [&str; 10] = [
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#6ed0e0",
    "#fade2a", "#c4c4c4",
];

/// A panel with its data.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: String,
    /// x, y, width and height in units of the grid.
    pub(super) place: [f64; 4],
    /// The last value in large, instead of axes.
    pub(super) number: bool,
    /// Curves stand on one another.
    pub(super) stacked: bool,
    pub(super) unit: String,
    pub(super) curves: Vec<Curve>,
}

/// A named curve: unix seconds and values.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// All panels in one picture.
pub(super) fn svg(panels: &[Panel]) -> String {
    let far = |place: usize| {
        panels.iter().map(|panel| panel.place[place] + panel.place[place + 2]).fold(0.0, f64::max)
    };
    let (width, height) = (far(0) * ACROSS + GAP, far(1) * DOWN + GAP);
    let times = panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
    let (first, last) =
        times.fold((f64::MAX, f64::MIN), |(low, high), (at, _)| (low.min(*at), high.max(*at)));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"'DejaVu Sans', Arial, sans-serif\" font-size=\"11\" fill=\"#ccccdc\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#111217\"/>\n"
    );
    for panel in panels {
        draw(&mut text, panel, (first, last.max(first + 1.0)));
    }
    text + "</svg>\n"
}

fn draw(text: &mut String, panel: &Panel, span: (f64, f64)) {
    let [x, y, w, h] = panel.place;
    let (left, top) = (x * ACROSS + GAP, y * DOWN + GAP);
    let (width, height) = (w * ACROSS - GAP, h * DOWN - GAP);
    put(
        text,
        format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"2\" fill=\"#181b1f\" \
         stroke=\"#25272d\"/>\n<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>",
            left + 8.0,
            top + 17.0,
            escape(&panel.title)
        ),
    );
    if panel.number {
        return number(text, panel, [left, top, width, height], span);
    }
    let rows = panel.curves.len().min(NAMES).div_ceil(columns(panel, width - 20.0)) as f64;
    let area = [left + 62.0, top + 28.0, width - 76.0, height - 58.0 - rows * 15.0];
    plot(text, panel, area, span);
    legend(text, panel, [left + 10.0, top + height - rows * 15.0 + 2.0, width - 20.0]);
}

/// The last value, and behind it the way there.
fn number(text: &mut String, panel: &Panel, area: [f64; 4], span: (f64, f64)) {
    let [left, top, width, height] = area;
    let all = panel.curves.first();
    let last = all.and_then(|curve| curve.points.last());
    let value = last.map_or("no data".to_owned(), |(_, value)| unit(*value, &panel.unit));
    if let Some(curve) = all {
        let most = curve.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let low = [left + 1.0, top + height * 0.65, width - 2.0, height * 0.35 - 1.0];
        line(text, &curve.points, low, span, most, COLORS[0], 0.25);
    }
    put(
        text,
        format_args!(
            "<text x=\"{}\" y=\"{}\" font-size=\"26\" text-anchor=\"middle\" fill=\"{}\">{value}</text>",
            left + width / 2.0,
            top + height * 0.55,
            COLORS[0]
        ),
    );
}

/// Axes and curves.
fn plot(text: &mut String, panel: &Panel, area: [f64; 4], span: (f64, f64)) {
    let [left, top, width, height] = area;
    let curves = if panel.stacked { stack(&panel.curves) } else { panel.curves.clone() };
    let values = curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value);
    let highest = values.fold(0.0, f64::max);
    let step = round_step(highest);
    let most = ((highest / step).ceil() * step).max(step);
    for turn in 0..=(most / step).round() as u32 {
        let value = f64::from(turn) * step;
        let row = top + height - value / most * height;
        put(
            text,
            format_args!(
                "<path d=\"M{left} {row:.1}h{width}\" stroke=\"#2c2f36\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\" fill=\"#8e9199\">{}</text>",
                left - 6.0,
                row + 4.0,
                unit(value, &panel.unit)
            ),
        );
    }
    let seconds = span.1 - span.0;
    let across = round_step(seconds);
    for turn in 0..=(seconds / across).floor() as u32 {
        let at = f64::from(turn) * across;
        put(
            text,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#8e9199\">{at:.0} s</text>",
                left + at / seconds * width,
                top + height + 15.0
            ),
        );
    }
    let filled = if panel.stacked { 0.5 } else { 0.08 };
    for (place, curve) in curves.iter().enumerate().rev() {
        line(text, &curve.points, area, span, most, COLORS[place % COLORS.len()], filled);
    }
}

/// One curve, filled down to the axis; a gap in time is a gap in the curve.
fn line(
    text: &mut String,
    points: &[(f64, f64)],
    [left, top, width, height]: [f64; 4],
    (first, last): (f64, f64),
    most: f64,
    color: &str,
    filled: f64,
) {
    let x = |at: f64| left + (at - first) / (last - first) * width;
    let y = |value: f64| top + height - value / most.max(f64::MIN_POSITIVE) * height;
    for part in points.chunk_by(|one, other| other.0 - one.0 < 5.0) {
        let Some(begin) = part.first() else { continue };
        let path: String =
            part.iter().map(|(at, value)| format!("L{:.1} {:.1}", x(*at), y(*value))).collect();
        let path = path.replacen('L', "M", 1);
        put(
            text,
            format_args!(
                "<path d=\"{path}V{:.1}H{:.1}Z\" fill=\"{color}\" fill-opacity=\"{filled}\"/>\
             <path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.3\"/>",
                top + height,
                x(begin.0)
            ),
        );
    }
}

/// Pixels of a name with its value, beside the mark before it and the gap behind it.
fn wide(curve: &Curve, panel: &Panel) -> f64 {
    let value = unit(last(curve), &panel.unit);
    (curve.name.chars().count() + value.chars().count() + 1) as f64 * LETTER
}

/// How many names stand in a row: two, if they fit.
fn columns(panel: &Panel, width: f64) -> usize {
    let fits = |curve: &Curve| wide(curve, panel) < width / 2.0 - 31.0;
    if panel.curves.iter().all(fits) || panel.curves.len() > 3 { 2 } else { 1 }
}

fn last(curve: &Curve) -> f64 {
    curve.points.last().map_or(0.0, |(_, value)| *value)
}

/// Names with the last value, the greatest first; what does not fit is cut.
fn legend(text: &mut String, panel: &Panel, [left, top, width]: [f64; 3]) {
    let columns = columns(panel, width);
    let column = width / columns as f64;
    let mut named: Vec<(usize, &Curve)> = panel.curves.iter().enumerate().collect();
    if named.is_empty() {
        put(text, format_args!("<text x=\"{left}\" y=\"{top}\" fill=\"#8e9199\">no data</text>"));
    }
    named.sort_by(|one, other| last(other.1).total_cmp(&last(one.1)));
    for (turn, (place, curve)) in named.into_iter().take(NAMES).enumerate() {
        let x = left + (turn % columns) as f64 * column;
        let y = top + (turn / columns) as f64 * 15.0;
        let over = ((wide(curve, panel) - column + 31.0) / LETTER).ceil().max(0.0) as usize;
        let kept = curve.name.chars().count() - over.min(curve.name.chars().count());
        let name = match over {
            0 => curve.name.clone(),
            _ => curve.name.chars().take(kept.saturating_sub(1)).chain(['…']).collect(),
        };
        put(
            text,
            format_args!(
                "<rect x=\"{x}\" y=\"{:.1}\" width=\"12\" height=\"3\" fill=\"{}\"/><text x=\"{}\" y=\"{y}\">\
             {}</text><text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"#8e9199\">{}</text>",
                y - 5.0,
                COLORS[place % COLORS.len()],
                x + 17.0,
                escape(&name),
                x + column - 14.0,
                unit(last(curve), &panel.unit)
            ),
        );
    }
}

/// Each curve on top of those before it, at the points in time that it has.
fn stack(curves: &[Curve]) -> Vec<Curve> {
    let mut sums = std::collections::BTreeMap::<u64, f64>::new();
    let mut pile = |curve: &Curve| {
        let points = curve.points.iter().map(|(at, value)| {
            let sum = sums.entry(at.to_bits()).or_default();
            *sum += value;
            (*at, *sum)
        });
        Curve { name: curve.name.clone(), points: points.collect() }
    };
    curves.iter().map(&mut pile).collect()
}

/// A value in the words of Grafana's units.
fn unit(value: f64, unit: &str) -> String {
    let steps = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (scaled, prefix) = steps
        .into_iter()
        .find(|(step, _)| value >= *step)
        .map_or((value, ""), |(step, prefix)| (value / step, prefix));
    let digits = if scaled.fract().abs() < 0.005 { 0 } else { usize::from(scaled < 99.95) };
    match unit {
        "s" if value > 0.0 && value < 1e-3 => format!("{:.0} µs", value * 1e6),
        "s" if value > 0.0 && value < 1.0 => format!("{:.1} ms", value * 1e3),
        "s" => format!("{value:.0} s"),
        "d" => format!("{value:.0} days"),
        "pps" => format!("{scaled:.digits$} {prefix}p/s"),
        "cps" => format!("{scaled:.digits$} {prefix}/s"),
        _ => format!("{scaled:.digits$} {prefix}").trim_end().to_owned(),
    }
}

/// 1, 2 or 5 times a power of ten: about four of them in a value.
fn round_step(value: f64) -> f64 {
    let rough = (value / 4.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(power)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A String takes every write.
fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_unit() {
        let cases = [
            (812_400.0, "pps", "812 kp/s"),
            (0.0, "pps", "0 p/s"),
            (0.000_031, "s", "31 µs"),
            (0.25, "s", "250.0 ms"),
            (42.0, "s", "42 s"),
            (18.0, "d", "18 days"),
            (3.0, "none", "3"),
            (50_200.0, "short", "50.2 k"),
        ];
        for (value, kind, text) in cases {
            assert_eq!(unit(value, kind), text);
        }
    }

    #[test]
    fn steps_are_round() {
        for (value, step) in [(4.0, 1.0), (9.0, 5.0), (1000.0, 500.0), (0.003, 0.001)] {
            assert!((round_step(value) - step).abs() < step * 1e-9, "{value}");
        }
    }

    #[test]
    fn stacked_curves_add_up() {
        let curve = |value| Curve { name: String::new(), points: vec![(1.0, value), (2.0, value)] };
        let stacked = stack(&[curve(1.0), curve(2.0), curve(3.0)]);
        assert_eq!(stacked[2].points, vec![(1.0, 6.0), (2.0, 6.0)]);
    }
}
