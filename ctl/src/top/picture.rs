//! The screen outside of a terminal: plain text for pipes, SVG for documents.
//!
//! Both are what a terminal would show: the picture is drawn from the same cells.

use std::fmt::Write;

use lookup::number;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use super::grid::Sort;
use super::rates::Rates;
use super::state::State;
use super::text::{databases, length, rate};
use super::{screen, tables};

/// Pixels of a character.
const WIDE: f64 = 8.428;
const HIGH: f64 = 18.0;
const MARGIN: f64 = 10.0;
const GROUND: &str = "#14191f";
const INK: &str = "#d5dbe1";

/// All tables, one after the other.
pub(super) fn plain(rates: &Rates) -> String {
    let mut text = format!("palisade  revision {}", rates.revision);
    if let Some(seconds) = rates.uptime_s {
        text += &format!("  up {}", length(seconds));
    }
    text += &format!("  flows {}\n", number(rates.flows));
    if let Some(geo) = &rates.geo {
        text += &format!("geo {}\n", databases(geo));
    }
    let counts = [
        ("received", rates.received),
        ("forwarded", rates.forwarded),
        ("passed", rates.passed),
        ("dropped", rates.dropped),
        ("ring full", rates.kernel_dropped),
        ("shed", rates.shed),
    ];
    let counts = counts.map(|(name, count)| format!("{name} {}/s", rate(count)));
    text += &counts.join("  ");
    if let Some(leased) = rates.leased {
        text += &format!("  in the driver {}/s", rate(leased));
    }
    text.push('\n');
    if let Some(pending) = &rates.pending {
        let (revision, back_to) = (pending.revision, pending.back_to);
        let left = length(pending.remaining_s);
        text += &format!("pending: revision {revision} goes back to {back_to} in {left}\n");
    }
    if rates.differs == Some(true) {
        text += "the policy's file is not what is in force\n";
    }
    for warning in &rates.warnings {
        text += &format!("warning: {warning}\n");
    }
    let all = [
        tables::domains,
        tables::reasons,
        tables::countries,
        tables::asns,
        tables::sources,
        tables::workers,
        tables::times,
        tables::frames,
        tables::interfaces,
        tables::exceptions,
        tables::records,
        tables::sinks,
    ];
    all.into_iter().for_each(|table| text += &table(rates).sorted(Sort::Dropped).plain());
    text
}

/// The cells of a screen of this size.
pub(super) fn cells(state: &State, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    // Drawing into memory can't fail.
    let Ok(_) = terminal.draw(|frame| screen::draw(frame, state));
    terminal.backend().buffer().clone()
}

/// The cells as a picture.
pub(super) fn svg(cells: &Buffer) -> String {
    let area = cells.area;
    let (width, height) = (f64::from(area.width) * WIDE, f64::from(area.height) * HIGH);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" \
         font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n",
        width + 2.0 * MARGIN,
        height + 2.0 * MARGIN,
    );
    for y in 0..area.height {
        let row: Vec<&Cell> = (0..area.width).filter_map(|x| cells.cell((x, y))).collect();
        let mut x = 0;
        for run in row.chunk_by(|one, other| look(one) == look(other)) {
            put(&mut text, run, x, y);
            x += run.len();
        }
    }
    text + "</svg>\n"
}

/// Ink, ground and whether it is bold.
fn look(cell: &Cell) -> (&'static str, Option<&'static str>, bool) {
    let bold = cell.modifier.contains(Modifier::BOLD);
    let dim = cell.modifier.contains(Modifier::DIM);
    let ink = if dim { "#8b96a1" } else { color(cell.fg).unwrap_or(INK) };
    if cell.modifier.contains(Modifier::REVERSED) {
        return (color(cell.bg).unwrap_or(GROUND), Some(ink), bold);
    }
    (ink, color(cell.bg), bold)
}

/// Writes cells that look alike.
fn put(text: &mut String, run: &[&Cell], x: usize, y: u16) {
    let Some(first) = run.first() else { return };
    let (ink, ground, bold) = look(first);
    let left = MARGIN + x as f64 * WIDE;
    let top = MARGIN + f64::from(y) * HIGH;
    // A String takes every write.
    if let Some(ground) = ground {
        let width = run.len() as f64 * WIDE;
        let _ = writeln!(
            text,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{HIGH}\" fill=\"{ground}\"/>"
        );
    }
    let bars = "▁▂▃▄▅▆▇█";
    let bar = |cell: &&Cell| bars.chars().position(|bar| cell.symbol() == bar.to_string());
    if run.iter().any(|cell| bar(cell).is_some()) {
        // Blocks as rectangles: a font's own would leave gaps.
        for (place, cell) in run.iter().enumerate() {
            let Some(eighths) = bar(cell) else { continue };
            let high = (eighths + 1) as f64 / 8.0 * HIGH;
            let (x, y) = (left + place as f64 * WIDE, top + HIGH - high);
            let _ = writeln!(
                text,
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{WIDE:.2}\" height=\"{:.2}\" fill=\"{ink}\"/>",
                high + 0.5
            );
        }
        return;
    }
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let mut x = left;
    // Words that stand apart begin at their own place, whatever the font's advance.
    for part in run.chunk_by(|one, other| (one.symbol() == " ") == (other.symbol() == " ")) {
        let words: String = part.iter().map(|cell| cell.symbol()).collect();
        let length = part.len() as f64 * WIDE;
        if !words.trim().is_empty() {
            let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(
                text,
                "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{ink}\"{weight} textLength=\"{length:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\">{words}</text>",
                top + HIGH * 0.75
            );
        }
        x += length;
    }
}

fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => "#14191f",
        Color::Red => "#f0716a",
        Color::Green => "#7ac87a",
        Color::Yellow => "#e2c15c",
        Color::Cyan => "#5cc3d0",
        Color::White => "#ffffff",
        Color::DarkGray => "#69737d",
        _ => return None,
    })
}
