//! What all pictures are drawn with.

use std::fmt::Write as _;

/// Colours of lines and bars, told apart by eyes that see fewer colours too (Okabe and Ito, 2008).
pub(super) const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"];

/// A picture being drawn.
pub(super) struct Drawing(String);

impl Drawing {
    /// White, with a title.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut drawing = Self(String::new());
        drawing.put(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">"
        ));
        drawing.put("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        drawing.text((16.0, 22.0), "start", &format!("font-size=\"14\">{}", escape(title)));
        drawing
    }

    /// One element.
    pub(super) fn put(&mut self, element: &str) {
        // A String takes every write.
        let _ = writeln!(self.0, "{element}");
    }

    /// A text whose `rest` is further attributes, `>` and the escaped words.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, rest: &str) {
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {rest}</text>"
        ));
    }

    /// Words at a place.
    pub(super) fn words(&mut self, place: (f64, f64), anchor: &str, words: &str) {
        self.text(place, anchor, &format!(">{}", escape(words)));
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let ((a, b), (c, d)) = (from, to);
        self.put(&format!("<path d=\"M{a:.1} {b:.1}L{c:.1} {d:.1}\" fill=\"none\" {style}/>"));
    }

    /// The file.
    pub(super) fn end(mut self) -> String {
        self.put("</svg>");
        self.0
    }
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The step of a scale that ends at `end`: 1, 2 or 5 times a power of ten, three to seven of them.
pub(super) fn round_step(end: f64) -> f64 {
    let rough = (end / 6.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough * 0.999);
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

    #[test]
    fn words_cannot_break_the_file() {
        let mut drawing = Drawing::new(10.0, 10.0, "a < b & c");
        drawing.words((0.0, 0.0), "end", "<x>");
        let text = drawing.end();
        assert!(text.contains("a &lt; b &amp; c") && text.contains("&lt;x&gt;"), "{text}");
    }
}
