//! The page, its pictures and the README's figures are what the records say.

use std::path::Path;

use super::*;
use crate::record::{Better, Curve, Machine, Row};

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn machine() -> Machine {
    Machine {
        cpu: "A CPU, family 6 model 1".to_owned(),
        cores: 2,
        tsc_mhz: 2000.0,
        cache: "32 KB".to_owned(),
        memory_mib: 2048,
        kernel: "6.18".to_owned(),
        hypervisor: None,
    }
}

fn fixed() -> Record {
    let rate = ("Mpps", Better::More);
    let curve = |line: &str, points| Curve {
        plot: "Cost over countries".to_owned(),
        line: line.to_owned(),
        across: "countries".to_owned(),
        unit: "ns".to_owned(),
        points,
    };
    Record {
        kind: "compare".to_owned(),
        machine: machine(),
        date: "2026-11-21".to_owned(),
        commit: "0123456789ab".to_owned(),
        notes: vec!["veth".to_owned()],
        rows: vec![
            Row::beside("flood", "nftables", rate, vec![5.0; 3], vec![1.0; 3]).asked(5.0, 8.0),
            Row::beside("forward", "testpmd", rate, vec![0.5], vec![1.0]).asked(0.95, 1.05),
            Row::alone("hit", ("ns", Better::Less), vec![19.5]).asked(40.0, 20.0),
            Row::beside("free", "nobody", rate, vec![1.0], vec![3.0]),
        ],
        curves: vec![
            curve("hit", vec![(1.0, 20.0), (250.0, 21.0)]),
            curve("new", vec![(1.0, 90.0)]),
        ],
    }
}

#[test]
fn a_page_says_what_its_records_say() {
    let page = page::page(&[fixed()]);
    for line in [
        "| flood | nftables | 5.00 Mpps | 1.00 Mpps | 5.00 | 5.00 to 5.00 | 3 | 5.00 (aim 8.00): reached |",
        "| forward | testpmd | 0.50 Mpps | 1.00 Mpps | 0.50 | 0.50 to 0.50 | 1 | 0.95 (aim 1.05): **not reached** |",
        "| hit | – | 19.5 ns | – | – |  | 1 | 40.0 (aim 20.0): aim reached |",
        "| free | nobody | 1.00 Mpps | 3.00 Mpps | 0.33 | 0.33 to 0.33 | 1 |  |",
        "2026-11-21, commit `0123456789ab`. Bare metal: A CPU, family 6 model 1, 2 cores, 32 KB of cache, \
         2 GiB, time stamp counter at 2000 MHz, Linux 6.18.",
        "![Cost over countries](benchmarks/cost-over-countries.svg)",
    ] {
        assert!(page.text.contains(line), "no {line:?} in\n{}", page.text);
    }
    let names: Vec<&str> = page.pictures.iter().map(|picture| &*picture.name).collect();
    assert_eq!(names, ["asked", "cost-over-countries"]);
    for picture in &page.pictures {
        assert!(
            picture.svg.ends_with("</svg>\n") && !picture.svg.contains("NaN"),
            "{}",
            picture.svg
        );
    }
}

#[test]
fn quotes_are_the_rows_that_something_was_asked_of() {
    let before = format!("a\n{}\nold\n{}\nb\n", quotes::BEGIN, quotes::END);
    let after = quotes::replace(&before, &[fixed()]).unwrap();
    assert!(after.starts_with("a\n") && after.ends_with("\nb\n") && !after.contains("old"));
    assert!(
        after.contains("| flood | 5.00 Mpps | nftables: 1.00 Mpps | **5.00** | 5.00: reached |")
    );
    assert!(after.contains("| hit | 19.5 ns | – | – | at most 40.0 ns: aim reached |"));
    assert!(!after.contains("free"));
    assert_eq!(quotes::replace(&after, &[fixed()]).unwrap(), after);
    assert!(quotes::replace("no marks", &[fixed()]).is_none());
}

#[test]
fn the_committed_page_is_what_the_records_say() {
    let records = newest(&top().join("bench/record")).unwrap();
    let page = page::page(&records);
    let read = |path: &str| fs::read_to_string(top().join(path)).unwrap_or_default();
    let again = "run scripts/bench report";
    assert_eq!(read("docs/benchmarks.md"), page.text, "docs/benchmarks.md is old: {again}");
    for picture in page.pictures {
        let path = format!("docs/benchmarks/{}.svg", picture.name);
        assert_eq!(read(&path), picture.svg, "{path} is old: {again}");
    }
}

#[test]
fn the_readme_quotes_only_the_records() {
    let records = newest(&top().join("bench/record")).unwrap();
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let quoted = quotes::replace(&readme, &records).expect("the README has marks for its figures");
    assert_eq!(readme, quoted, "the README quotes other figures: run scripts/bench report");
}
