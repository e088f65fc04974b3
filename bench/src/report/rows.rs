//! Rows of a record: as a table on a terminal, and as text.

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::record::{Mark, Row};

/// One line a row.
#[must_use]
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["what", "beside", "ours", "theirs", "times better", "95 %", "asked"]);
    for row in rows {
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&row.what),
            Cell::new(row.peer.as_deref().unwrap_or("")),
            right(format!("{} {}", figure(row.ours), row.unit)),
            right(row.theirs.map_or(String::new(), |it| format!("{} {}", figure(it), row.unit))),
            right(row.ratio.map_or(String::new(), |ratio| figure(ratio.ratio))),
            right(interval(row)),
            Cell::new(asked(row)),
        ]);
    }
    table
}

/// Three digits that count.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Where the ratio lies with 95 %.
pub(super) fn interval(row: &Row) -> String {
    row.ratio.map_or(String::new(), |ratio| {
        format!("{} to {}", figure(ratio.ci_low), figure(ratio.ci_high))
    })
}

/// What was asked, and whether it was reached.
pub(super) fn asked(row: &Row) -> String {
    let limits = match (row.floor, row.aim) {
        (Some(floor), Some(aim)) if floor.total_cmp(&aim).is_ne() => {
            format!("{} (aim {})", figure(floor), figure(aim))
        }
        (Some(floor), _) => figure(floor),
        (None, _) => return String::new(),
    };
    format!("{limits}: {}", mark(row))
}

/// What was reached, in a word.
pub(super) fn mark(row: &Row) -> &'static str {
    match row.mark() {
        Mark::Aim => "aim reached",
        Mark::Floor => "reached",
        Mark::Below => "**not reached**",
        Mark::Free => "",
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_have_three_digits() {
        let cases = [
            (0.125, "0.12"),
            (9.99, "9.99"),
            (9.996, "10.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1234.4, "1234"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text, "{value}");
        }
    }
}
