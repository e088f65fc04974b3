//! Figures come back as they were written; marks and intervals are right at their boundaries.

use super::*;

const RATE: (&str, Better) = ("Mpps", Better::More);
const TIME: (&str, Better) = ("ns", Better::Less);

#[test]
fn medians() {
    let cases: [(&[f64], f64); 4] =
        [(&[], 0.0), (&[3.0], 3.0), (&[5.0, 1.0, 3.0], 3.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)];
    for (values, expected) in cases {
        assert!((median(values) - expected).abs() < 1e-9, "{values:?}");
    }
}

#[test]
fn a_ratio_says_how_much_better_ours_is() {
    let rate = Row::beside("forward", "testpmd", RATE, vec![3.0; 5], vec![2.0; 5]);
    let time = Row::beside("lookup", "rte_fib", TIME, vec![2.0; 5], vec![3.0; 5]);
    for row in [rate, time] {
        let ratio = row.ratio.unwrap();
        assert!((ratio.ratio - 1.5).abs() < 1e-9, "{row:?}");
        // Rounds that are all the same leave no doubt.
        assert_eq!((ratio.ci_low, ratio.ci_high), (ratio.ratio, ratio.ratio));
        assert_eq!(row.rounds, 5);
    }
    assert!(Row::beside("nothing", "nobody", RATE, vec![], vec![]).ratio.is_none());
}

#[test]
fn a_drift_of_the_machine_leaves_the_interval_narrow() {
    // Both slow down by half in later rounds; ours is always 2 times theirs.
    let theirs: Vec<f64> = (0..20).map(|round| 10.0 - f64::from(round) * 0.25).collect();
    let ours: Vec<f64> = theirs.iter().map(|rate| rate * 2.0).collect();
    let ratio = Ratio::of_medians(&ours, &theirs, Better::More).unwrap();
    assert!((ratio.ci_low - 2.0).abs() < 1e-9 && (ratio.ci_high - 2.0).abs() < 1e-9, "{ratio:?}");
    // Ours in the opposite order: the rounds disagree, and the interval says so.
    let turned: Vec<f64> = ours.iter().rev().copied().collect();
    let ratio = Ratio::of_medians(&turned, &theirs, Better::More).unwrap();
    assert!(ratio.ci_low < 1.9 && ratio.ci_high > 2.1, "{ratio:?}");
}

#[test]
fn marks() {
    let ratio = |ours: f64| Row::beside("x", "p", RATE, vec![ours], vec![1.0]).asked(1.5, 3.0);
    let limit = |ours: f64| Row::alone("x", TIME, vec![ours]).asked(40.0, 20.0);
    let cases = [
        (ratio(3.0), Mark::Aim),
        (ratio(2.99), Mark::Floor),
        (ratio(1.5), Mark::Floor),
        (ratio(1.49), Mark::Below),
        (limit(20.0), Mark::Aim),
        (limit(40.0), Mark::Floor),
        (limit(40.1), Mark::Below),
        (Row::alone("x", TIME, vec![1.0]), Mark::Free),
    ];
    for (row, mark) in cases {
        assert_eq!(row.mark(), mark, "{row:?}");
    }
}

#[test]
fn what_is_written_is_read_and_the_newest_wins() {
    let folder = std::env::temp_dir().join(format!("palisade-record-{}", std::process::id()));
    let mut record = Record::begin("tables");
    record.rows.push(Row::beside("a", "b", TIME, vec![1.0, 2.5], vec![2.0, 0.1]).asked(1.0, 2.0));
    record.rows.push(Row::alone("c", RATE, vec![0.125]));
    let points = vec![(1.0, 2.0), (250.0, 2.5)];
    let [plot, line, across] = ["growth", "IPv4", "countries"].map(str::to_owned);
    record.curves.push(Curve { plot, line, across, unit: "ns".to_owned(), points });
    let path = record.write(&folder).unwrap();
    assert_eq!(Record::read(&path).unwrap(), record);
    let older = Record { date: "2020-01-01".to_owned(), ..record.clone() };
    older.write(&folder).unwrap();
    // Another kind that begins alike, and what is no record of ours.
    Record { kind: "tables-extra".to_owned(), ..record.clone() }.write(&folder).unwrap();
    fs::write(folder.join("tables-1795302688.txt"), "").unwrap();
    assert_eq!(Record::newest(&folder, "tables").unwrap(), Some(record));
    assert_eq!(Record::newest(&folder, "pipeline").unwrap(), None);
    fs::remove_dir_all(&folder).unwrap();
}
