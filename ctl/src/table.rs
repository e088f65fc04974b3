//! Tables as all commands show them.

use std::io;

use comfy_table::{CellAlignment, Table, presets};

/// Lines on a terminal, plain columns in a pipe.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let terminal = io::IsTerminal::is_terminal(&io::stdout());
    table.load_style(if terminal { presets::UTF8_HORIZONTAL_ONLY } else { presets::NOTHING });
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
