//! The picture of a soak: what the gateway held in memory, and at which pace it worked.

use std::fmt::Write;

use super::Record;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 130.0;
const GAP: f64 = 46.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 40.0;

/// One line over time.
struct Panel {
    title: &'static str,
    points: Vec<(f64, f64)>,
}

/// A drawing of a record, one panel under the other.
pub(super) fn svg(record: &Record) -> String {
    let panels = panels(record);
    let height = TOP + panels.len() as f64 * (PANEL + GAP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"15\" font-size=\"14\">Soak: {} min, {} reloads, {} packets judged</text>\n",
        LEFT + WIDTH + 24.0,
        record.seconds / 60,
        record.reloads,
        record.received,
    );
    for (place, panel) in panels.iter().enumerate() {
        draw(&mut text, panel, TOP + place as f64 * (PANEL + GAP));
    }
    text + "</svg>\n"
}

fn panels(record: &Record) -> [Panel; 3] {
    let minutes = |row: &[u64; 8]| row[0] as f64 / 60.0;
    let memory = record.samples.iter().map(|row| (minutes(row), row[1] as f64 / 1024.0));
    let pace = |column: usize| {
        let pairs = record.samples.windows(2).filter_map(move |pair| match pair {
            [before, after] if after[0] > before[0] => {
                let packets = after[column].saturating_sub(before[column]);
                let rate = packets as f64 / (after[0] - before[0]) as f64;
                Some((minutes(after), rate / 1000.0))
            }
            _ => None,
        });
        pairs.collect()
    };
    [
        Panel { title: "resident memory, MiB", points: memory.collect() },
        Panel { title: "judged, thousand packets a second", points: pace(2) },
        Panel { title: "dropped, thousand packets a second", points: pace(4) },
    ]
}

fn draw(text: &mut String, panel: &Panel, top: f64) {
    let last = panel.points.last().map_or(1.0, |(minute, _)| minute.max(0.1));
    let highest = panel.points.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let (across, up) = (round_step(last), round_step(highest));
    let most = (highest / up).ceil() * up;
    let x = |minute: f64| LEFT + minute / last * WIDTH;
    let y = |value: f64| top + PANEL - value / most * PANEL;
    // A String takes every write.
    let mut put = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    put(format!("<text x=\"{LEFT}\" y=\"{}\">{}</text>", top - 6.0, panel.title));
    for step in 0..=(most / up).round() as u32 {
        let value = f64::from(step) * up;
        put(format!(
            "<path d=\"M{LEFT} {row:.1}h{WIDTH}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 6.0,
            y(value) + 4.0,
            row = y(value),
        ));
    }
    for step in 0..=(last / across).floor() as u32 {
        let minute = f64::from(step) * across;
        put(format!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{minute} min</text>",
            x(minute),
            top + PANEL + 16.0,
        ));
    }
    let mut path = String::new();
    for (minute, value) in &panel.points {
        let word = if path.is_empty() { "M" } else { " L" };
        let _ = write!(path, "{word}{:.1} {:.1}", x(*minute), y(*value));
    }
    put(format!("<path d=\"{path}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>"));
}

/// The step of a scale that ends at `end`: 1, 2 or 5 times a power of ten, three to seven of them.
fn round_step(end: f64) -> f64 {
    let rough = end / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let cases = [(30.0, 5.0), (29.9, 5.0), (60.0, 10.0), (373.0, 100.0), (1.0, 0.2)];
        for (end, step) in cases {
            assert!((round_step(end) - step).abs() < 1e-9, "{end}: {}", round_step(end));
        }
    }
}
