//! Tables as all commands show them.

use std::io;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle, presets};

/// A line under the names of the columns.
const LINED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A line under the names on a terminal, plain columns in a pipe.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let terminal = io::IsTerminal::is_terminal(&io::stdout());
    table.load_style(if terminal { LINED } else { presets::NOTHING });
    table.set_header(header.iter().copied());
    table
}

/// The table with these columns, which hold numbers, to the right.
pub(crate) fn right(mut table: Table, columns: &[usize]) -> Table {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text; row by row, a line for each cell, where the terminal is too narrow for it.
pub(crate) fn fit(table: &Table) -> String {
    fit_in(table, table.width())
}

fn fit_in(table: &Table, width: Option<u16>) -> String {
    let text = table.to_string();
    let longest = text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
    if width.is_none_or(|width| longest <= usize::from(width)) {
        return text;
    }
    let content = |row: &comfy_table::Row| -> Vec<String> {
        row.cell_iter().map(|cell| cell.content()).collect()
    };
    let names = table.header().map(content).unwrap_or_default();
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let rows = table.row_iter().map(|row| {
        let cells = content(row);
        let cells = names.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| format!(" {name:<wide$}  {cell}\n")).collect::<String>()
    });
    let text = rows.collect::<Vec<_>>().join("\n");
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_does_not_fit_is_shown_row_by_row() {
        let mut table = table(&["source", "dropped", ""]);
        table.add_row(["192.0.2.1", "16,777,216", "now"]);
        table.add_row(["2001:db8::1", "7", ""]);
        let table = right(table, &[1]);
        for width in [None, Some(40)] {
            let text = fit_in(&table, width);
            assert_eq!(text.lines().count(), 3, "{text}");
        }
        let expected = " source   192.0.2.1\n dropped  16,777,216\n          now\n\n \
                        source   2001:db8::1\n dropped  7";
        assert_eq!(fit_in(&table, Some(24)), expected);
    }
}
