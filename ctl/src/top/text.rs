//! Numbers as they stand in a column: few digits, a unit of thousands, a dash for what is absent.

use lookup::number;

use super::rates::Count;
use super::sample::Geo;

/// What stands where a gateway says nothing.
pub(super) const ABSENT: &str = "–";

/// A rate: `812 k`, `3.4`, `1.20 M`.
pub(super) fn rate(count: Count) -> String {
    count.per_s.map_or(ABSENT.to_owned(), short)
}

/// A number with at most three digits that count, in units of thousands.
pub(super) fn short(value: f64) -> String {
    let steps = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    // What would be rounded up to 1000 belongs to the next unit.
    let (scaled, unit) = steps
        .into_iter()
        .find(|(step, _)| value >= step * 0.9995)
        .map_or((value, ""), |(step, unit)| (value / step, unit));
    match scaled {
        _ if unit.is_empty() && value.fract() == 0.0 => format!("{value:.0}"),
        small if small < 9.995 && !unit.is_empty() => format!("{small:.2}{unit}"),
        middle if middle < 99.95 => format!("{middle:.1}{unit}"),
        large => format!("{large:.0}{unit}"),
    }
}

/// A number whose every digit counts, or a dash.
pub(super) fn maybe(value: Option<u64>) -> String {
    value.map_or(ABSENT.to_owned(), number)
}

/// Nanoseconds: `740 ns`, `12.3 µs`, `4.1 ms`.
pub(super) fn nanoseconds(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} ns"),
        1_000..1_000_000 => format!("{:.1} µs", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value as f64 / 1e6),
        _ => format!("{:.1} s", value as f64 / 1e9),
    }
}

/// A length of time: `42 s`, `3 min`, `2 h 14 min`, `5 d 3 h`.
pub(super) fn length(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The databases with their ages, files without their folders: `country.mmdb, 18 days; asn.mmdb, 3 days`.
pub(super) fn databases(geo: &Geo) -> String {
    let source = geo.source.as_deref().unwrap_or("database");
    let source = match source.rsplit_once('/') {
        Some((folder, name)) if folder.is_empty() || folder.starts_with('/') => name,
        _ => source,
    };
    let age = geo.age_days.map(|days| format!(", {days} days")).unwrap_or_default();
    let asn = geo.asn.as_ref().map(|asn| format!("; {}", databases(asn)));
    format!("{source}{age}{}", asn.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns() {
        let cases = [
            (0.0, "0"),
            (7.0, "7"),
            (3.44, "3.4"),
            (99.97, "100"),
            (999.0, "999"),
            (999.7, "1.00 k"),
            (1_204_000.0, "1.20 M"),
            (81_240.0, "81.2 k"),
            (812_400.0, "812 k"),
            (9.996e9, "10.0 G"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text, "{value}");
        }
        assert_eq!(rate(Count { total: 5, per_s: None }), ABSENT);
    }

    #[test]
    fn each_database_has_its_age() {
        let geo = |source: &str, age_days| Geo {
            source: Some(source.to_owned()),
            age_days,
            ..Geo::default()
        };
        let asn = Some(Box::new(geo("/etc/palisade/asn.mmdb", Some(3))));
        assert_eq!(databases(&geo("c.csv", None)), "c.csv");
        let both = Geo { asn, ..geo("c.mmdb", Some(18)) };
        assert_eq!(databases(&both), "c.mmdb, 18 days; asn.mmdb, 3 days");
    }

    #[test]
    fn times_have_their_unit() {
        let cases =
            [(999, "999 ns"), (12_345, "12.3 µs"), (4_100_000, "4.1 ms"), (2_000_000_000, "2.0 s")];
        for (value, text) in cases {
            assert_eq!(nanoseconds(value), text);
        }
        for (value, text) in
            [(59, "59 s"), (60, "1 min"), (8_040, "2 h 14 min"), (443_000, "5 d 3 h")]
        {
            assert_eq!(length(value), text);
        }
    }
}
