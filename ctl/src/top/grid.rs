//! Tables as data: made once from the rates, drawn on the screen or printed in a pipe.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Rect},
    style::{Color, Modifier, Style},
    text::Text,
    widgets::{Block, Borders, Paragraph, Row, Table, Wrap},
};

use super::text::ABSENT;

/// A table and its name.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) title: &'static str,
    pub(super) columns: Vec<Column>,
    /// Nothing when the gateway does not say such a thing.
    pub(super) lines: Option<Vec<Line>>,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// In characters; 0 takes what the others leave.
    width: u16,
    tint: Color,
    numbers: bool,
}

/// A row with what it can be sorted by.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) cells: Vec<String>,
    pub(super) allowed: (f64, u64),
    pub(super) dropped: (f64, u64),
}

/// What comes first in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// The busiest dropped.
    #[default]
    Dropped,
    /// The busiest allowed.
    Allowed,
    /// By the first column.
    Name,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Dropped => Self::Allowed,
            Self::Allowed => Self::Name,
            Self::Name => Self::Dropped,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Allowed => "allowed",
            Self::Name => "name",
        }
    }
}

impl Column {
    /// Words, from the left.
    pub(super) fn words(name: &'static str, width: u16) -> Self {
        Self { name, width, tint: Color::Reset, numbers: false }
    }

    /// Numbers, to the right.
    pub(super) fn numbers(name: &'static str, width: u16) -> Self {
        Self { name, width, tint: Color::Reset, numbers: true }
    }

    pub(super) fn tint(self, tint: Color) -> Self {
        Self { tint, ..self }
    }

    fn alignment(self) -> Alignment {
        if self.numbers { Alignment::Right } else { Alignment::Left }
    }
}

impl Grid {
    /// Puts the rows in order.
    pub(super) fn sorted(mut self, sort: Sort) -> Self {
        let busy = |one: (f64, u64), other: (f64, u64)| {
            other.0.total_cmp(&one.0).then(other.1.cmp(&one.1))
        };
        self.lines.as_deref_mut().unwrap_or_default().sort_by(|one, other| {
            let by = match sort {
                Sort::Dropped => busy(one.dropped, other.dropped),
                Sort::Allowed => busy(one.allowed, other.allowed),
                Sort::Name => std::cmp::Ordering::Equal,
            };
            by.then_with(|| one.cells.cmp(&other.cells))
        });
        self
    }

    /// Draws the rows from `scroll` on, under a line with the name.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, scroll: usize) {
        let block = Block::new()
            .borders(Borders::TOP)
            .border_style(Style::new().fg(Color::DarkGray))
            .title(format!(" {} ", self.heading(area, scroll)))
            .title_style(Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD));
        let Some(lines) = self.lines.as_deref().filter(|lines| !lines.is_empty()) else {
            let words = Paragraph::new(self.nothing()).wrap(Wrap { trim: true }).block(block);
            frame.render_widget(words.style(Style::new().fg(Color::DarkGray)), area);
            return;
        };
        let head = self.columns.iter().map(|c| Text::from(c.name).alignment(c.alignment()));
        let head = Row::new(head).style(Style::new().add_modifier(Modifier::DIM));
        let rows = lines.iter().skip(scroll.min(lines.len() - 1)).map(|line| {
            let cells = self.columns.iter().zip(&line.cells).map(|(column, cell)| {
                let tint =
                    if cell == ABSENT || cell == "0" { Color::DarkGray } else { column.tint };
                Text::styled(cell.clone(), Style::new().fg(tint)).alignment(column.alignment())
            });
            Row::new(cells)
        });
        let widths = self.columns.iter().enumerate().map(|(place, column)| match column.width {
            0 => Constraint::Length(self.longest(place, area.width)),
            width => Constraint::Length(width),
        });
        let table = Table::new(rows, widths).header(head).column_spacing(1).block(block);
        frame.render_widget(table, area);
    }

    /// The width of a column that takes what the others leave, and no more than it needs.
    fn longest(&self, place: usize, width: u16) -> u16 {
        let others: u16 = self.columns.iter().map(|column| column.width + 1).sum();
        let cells = self.lines.iter().flatten().filter_map(|line| line.cells.get(place));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(12) as u16;
        longest.min(width.saturating_sub(others.saturating_sub(1)))
    }

    /// Rows and the two lines above them.
    pub(super) fn height(&self) -> u16 {
        self.lines.as_ref().map_or(1, Vec::len).clamp(1, 100) as u16 + 2
    }

    /// The name, and how many rows do not fit.
    fn heading(&self, area: Rect, scroll: usize) -> String {
        let lines = self.lines.as_ref().map_or(0, Vec::len);
        let room = usize::from(area.height.saturating_sub(2));
        match lines.saturating_sub(scroll).checked_sub(room) {
            None | Some(0) if scroll == 0 => self.title.to_owned(),
            below => format!("{}, {} of {lines}", self.title, lines - below.unwrap_or(0)),
        }
    }

    fn nothing(&self) -> &'static str {
        if self.lines.is_some() { "none" } else { "this gateway does not say" }
    }

    /// The whole table in plain text.
    pub(super) fn plain(&self) -> String {
        let mut text = format!("\n{}\n", self.title);
        let Some(lines) = self.lines.as_deref().filter(|lines| !lines.is_empty()) else {
            return text + "  " + self.nothing() + "\n";
        };
        let head: Vec<String> = self.columns.iter().map(|column| column.name.to_owned()).collect();
        let all: Vec<&Vec<String>> =
            std::iter::once(&head).chain(lines.iter().map(|line| &line.cells)).collect();
        let wide = |place: usize| {
            all.iter().filter_map(|cells| cells.get(place)).map(|c| c.chars().count()).max()
        };
        let widths: Vec<usize> = (0..head.len()).filter_map(wide).collect();
        for cells in all {
            let mut row = String::new();
            for ((column, cell), width) in self.columns.iter().zip(cells).zip(&widths) {
                row += &match column.numbers {
                    true => format!("  {cell:>width$}"),
                    false => format!("  {cell:<width$}"),
                };
            }
            text += row.trim_end();
            text.push('\n');
        }
        text
    }
}
