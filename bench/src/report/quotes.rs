//! The figures that the README quotes: those that something was asked of, between two marks.

use std::fmt::Write as _;

use super::rows::{figure, mark};
use crate::record::{Record, Row};

pub(super) const BEGIN: &str = "<!-- figures: scripts/bench report -->";
pub(super) const END: &str = "<!-- end of figures -->";

/// The text with the figures of these records between its marks; nothing when it has none.
pub(super) fn replace(text: &str, records: &[Record]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", block(records)))
}

/// A table of all rows that something was asked of.
pub(super) fn block(records: &[Record]) -> String {
    let mut text = String::from(
        "| what | Palisade | beside | times better | asked |\n|---|---|---|---|---|\n",
    );
    for row in records.iter().flat_map(|record| &record.rows).filter(|row| row.floor.is_some()) {
        // A String takes every write.
        let _ = writeln!(text, "{}", line(row));
    }
    text
}

fn line(row: &Row) -> String {
    let unit = &row.unit;
    let beside = match (&row.peer, row.theirs) {
        (Some(peer), Some(theirs)) => format!("{peer}: {} {unit}", figure(theirs)),
        _ => "–".to_owned(),
    };
    let ratio = row.ratio.map_or("–".to_owned(), |ratio| format!("**{}**", figure(ratio.ratio)));
    let floor = row.floor.map_or(String::new(), figure);
    let asked = match (row.ratio, row.floor) {
        (None, Some(_)) => format!("at most {floor} {unit}"),
        _ => floor,
    };
    let ours = format!("{} {unit}", figure(row.ours));
    format!("| {} | {ours} | {beside} | {ratio} | {asked}: {} |", row.what, mark(row))
}
