//! Curves: a figure over the size of something, from zero, so that flat looks flat.

use super::svg::{COLOURS, Drawing, round_step};
use crate::record::Curve;

const LEFT: f64 = 60.0;
const WIDTH: f64 = 560.0;
const TOP: f64 = 40.0;
const HEIGHT: f64 = 220.0;

pub(super) fn svg(title: &str, curves: &[&Curve]) -> String {
    let mut drawing = Drawing::new(LEFT + WIDTH + 110.0, TOP + HEIGHT + 50.0, title);
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|(size, _)| *size).fold(1.0, f64::max);
    let highest = points().map(|(_, value)| *value).fold(1.0, f64::max);
    let (across, up) = (round_step(last), round_step(highest));
    let most = (highest / up).ceil() * up;
    let x = |size: f64| LEFT + size / last * WIDTH;
    let y = |value: f64| TOP + HEIGHT - value / most * HEIGHT;
    for step in 0..=(most / up).round() as u32 {
        let value = f64::from(step) * up;
        drawing.line((LEFT, y(value)), (LEFT + WIDTH, y(value)), "stroke=\"#ddd\"");
        drawing.words((LEFT - 6.0, y(value) + 4.0), "end", &format!("{value}"));
    }
    for step in 0..=(last / across).floor() as u32 {
        let size = f64::from(step) * across;
        drawing.words((x(size), TOP + HEIGHT + 16.0), "middle", &format!("{size}"));
    }
    let (axis, unit) = curves.first().map_or(("", ""), |curve| (&*curve.across, &*curve.unit));
    drawing.words((LEFT + WIDTH / 2.0, TOP + HEIGHT + 36.0), "middle", axis);
    drawing.words((LEFT - 6.0, TOP - 8.0), "end", unit);
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let style = format!("stroke=\"{colour}\" stroke-width=\"2\"");
        for pair in curve.points.windows(2) {
            if let [(from, low), (to, high)] = *pair {
                drawing.line((x(from), y(low)), (x(to), y(high)), &style);
            }
        }
        for (size, value) in &curve.points {
            drawing.put(&format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*size),
                y(*value)
            ));
        }
        if let Some((size, value)) = curve.points.last() {
            drawing.words((x(*size) + 8.0, y(*value) + 4.0), "start", &curve.line);
        }
    }
    drawing.end()
}
