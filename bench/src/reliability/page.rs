//! The page: a summary by area, then every row.

use std::fmt::Write;

use super::{Area, Row};

const HEAD: &str = "# Reliability

What was tried to slip past Palisade, to starve it, to confuse it and to break it; how often; and with
what result. `scripts/reliability` writes this page from the records in `bench/record/reliability`,
which the scripts in the last column wrote when they ran. A row that did not hold stands in bold.
";

/// The whole page, Markdown.
#[must_use]
pub fn page(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    let mut areas: Vec<Area> = rows.iter().map(|row| row.area).collect();
    areas.dedup();
    text += "\n| area | tried | held |\n|---|--:|--:|\n";
    for area in &areas {
        let of_area = || rows.iter().filter(|row| row.area == *area);
        let held = of_area().filter(|row| row.held).count();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {area:?} | {} | {held} |", of_area().count());
    }
    for area in areas {
        let _ = write!(text, "\n## {area:?}\n\n");
        text += "| tried | how often | result | by |\n|---|---|---|---|\n";
        for row in rows.iter().filter(|row| row.area == area) {
            let result = cell(&row.result);
            let result = if row.held { result } else { format!("**{result}**") };
            let (tried, times) = (cell(&row.tried), cell(&row.times));
            let _ = writeln!(text, "| {tried} | {times} | {result} | `{}` |", cell(&row.command));
        }
        if area == Area::Soak {
            text += "\n![Memory and pace of the gateway during the soak](soak.svg)\n";
        }
    }
    text
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_did_not_hold_is_seen() {
        let row = |area, held| Row {
            area,
            tried: "a | b".to_owned(),
            times: "3 times".to_owned(),
            result: "fine".to_owned(),
            held,
            command: "scripts/x".to_owned(),
        };
        let text = page(&[row(Area::Packets, true), row(Area::Packets, false)]);
        assert!(text.contains("| Packets | 2 | 1 |"), "{text}");
        assert!(text.contains("| a \\| b | 3 times | fine | `scripts/x` |"), "{text}");
        assert!(text.contains("| **fine** |"), "{text}");
    }
}
