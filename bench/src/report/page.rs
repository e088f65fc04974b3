//! The page: what was asked and reached, then each record with its notes, rows and pictures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rows::{asked, figure, interval};
use super::{KINDS, Page, Picture, bars, lines};
use crate::record::{Machine, Record, Row};

/// More rows than this are folded.
const FOLD: usize = 24;

const OPENING: &str = "\
# Benchmarks

Made by `scripts/bench report` from the records in [bench/record](../bench/record); nothing here is
written by hand. [benchmarking.md](benchmarking.md) says how each figure is measured, and how to measure
them on a machine of yours.

**No NIC is in these figures.** Gateways are compared between network namespaces joined by veth pairs,
in copy mode, on a virtual machine; tables and pipeline run in memory. Peers of one row took turns in one
run, and only their ratio travels to another machine: absolute figures of a virtual machine drift by tens
of per cent. *Times better* is the ratio of the medians, of rates or of times turned over, so that more
is better in every row; the interval is that of a bootstrap over the rounds.
";

pub(super) fn page(records: &[Record]) -> Page {
    let mut text = OPENING.to_owned();
    let mut pictures = Vec::new();
    let mut put = |line: String| {
        // A String takes every write.
        let _ = writeln!(text, "{line}");
    };
    let all: Vec<&Row> = records.iter().flat_map(|record| &record.rows).collect();
    let wanted: Vec<&Row> = all.iter().filter(|row| row.floor.is_some()).copied().collect();
    if !wanted.is_empty() {
        put("\n## Asked and reached\n".to_owned());
        let compared: Vec<&Row> =
            wanted.iter().filter(|row| row.ratio.is_some()).copied().collect();
        if !compared.is_empty() {
            let picture = Picture {
                name: "asked".to_owned(),
                alt: "How many times better than each peer, with floor and aim".to_owned(),
                svg: bars::svg("Times better than the peer, with floor and aim", &compared),
            };
            put(shown(&picture));
            pictures.push(picture);
        }
        table(&mut put, &wanted);
    }
    for record in records {
        let title = KINDS.iter().find(|(kind, _)| *kind == record.kind);
        put(format!("\n## {}\n", title.map_or(record.kind.as_str(), |(_, title)| *title)));
        put(format!("{}, commit `{}`. {}", record.date, record.commit, machine(&record.machine)));
        for note in &record.notes {
            put(format!("- {note}"));
        }
        put(String::new());
        let rows: Vec<&Row> = record.rows.iter().collect();
        if rows.len() > FOLD {
            put(format!("<details><summary>All {} rows</summary>\n", rows.len()));
            table(&mut put, &rows);
            put("\n</details>".to_owned());
        } else {
            table(&mut put, &rows);
        }
        for picture in curves(record) {
            put(shown(&picture));
            pictures.push(picture);
        }
    }
    Page { text, pictures }
}

fn shown(picture: &Picture) -> String {
    format!("![{}](benchmarks/{}.svg)\n", picture.alt, picture.name)
}

fn machine(machine: &Machine) -> String {
    let Machine { cpu, cores, tsc_mhz, cache, memory_mib, kernel, hypervisor } = machine;
    let place =
        hypervisor.as_ref().map_or("Bare metal".to_owned(), |name| format!("Virtual ({name})"));
    format!(
        "{place}: {cpu}, {cores} cores, {cache} of cache, {} GiB, time stamp counter at {tsc_mhz} MHz, \
         Linux {kernel}.",
        memory_mib / 1024
    )
}

fn table(put: &mut impl FnMut(String), rows: &[&Row]) {
    put("| what | beside | ours | theirs | times better | 95 % | rounds | asked |".to_owned());
    put("|---|---|--:|--:|--:|---|--:|---|".to_owned());
    for row in rows {
        let unit = &row.unit;
        put(format!(
            "| {} | {} | {} {unit} | {} | {} | {} | {} | {} |",
            row.what,
            row.peer.as_deref().unwrap_or("–"),
            figure(row.ours),
            row.theirs.map_or("–".to_owned(), |theirs| format!("{} {unit}", figure(theirs))),
            row.ratio.map_or("–".to_owned(), |ratio| figure(ratio.ratio)),
            interval(row),
            row.rounds,
            asked(row),
        ));
    }
}

/// One picture for each plot of a record.
fn curves(record: &Record) -> Vec<Picture> {
    let mut plots: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for curve in &record.curves {
        plots.entry(&curve.plot).or_default().push(curve);
    }
    let picture = |(title, curves): (&str, Vec<_>)| Picture {
        name: title.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"),
        alt: title.to_owned(),
        svg: lines::svg(title, &curves),
    };
    plots.into_iter().map(picture).collect()
}
