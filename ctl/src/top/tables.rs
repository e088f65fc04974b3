//! The tables of the screen: which numbers stand in which columns.

use lookup::number;
use ratatui::style::Color;

use super::grid::{Column, Grid, Line};
use super::rates::{Count, Fates, Rates, Sink};
use super::sample::Exception;
use super::text::{ABSENT, maybe, nanoseconds, rate, short};

const GOOD: Color = Color::Green;
const BAD: Color = Color::Red;
const ODD: Color = Color::Yellow;

/// A row that can be sorted by what it counts.
fn line(cells: Vec<String>, allowed: Count, dropped: Count) -> Line {
    let key = |count: Count| (count.per_s.unwrap_or(0.0), count.total);
    Line { cells, allowed: key(allowed), dropped: key(dropped) }
}

/// The part of all drops since the last answer.
fn share(of: Count, all: Count) -> String {
    match (of.per_s, all.per_s) {
        (Some(part), Some(whole)) if whole > 0.0 => format!("{:.0} %", part / whole * 100.0),
        _ => ABSENT.to_owned(),
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or(ABSENT).to_owned()
}

/// Sources of IPv6 are counted by networks of 64 bits.
fn network(source: &str) -> String {
    if source.contains(':') && !source.contains('/') {
        return format!("{source}/64");
    }
    source.to_owned()
}

pub(super) fn domains(rates: &Rates) -> Grid {
    let lines = rates.domains.iter().map(|row| {
        let cells = vec![
            row.domain.clone(),
            rate(row.allowed),
            rate(row.dropped),
            rate(row.shadowed),
            short(row.allowed.total as f64),
            short(row.dropped.total as f64),
            row.networks.map_or(ABSENT.to_owned(), |networks| short(networks as f64)),
        ];
        line(cells, row.allowed, row.dropped)
    });
    Grid {
        title: "domains",
        columns: vec![
            Column::words("domain", 0),
            Column::numbers("allowed/s", 9).tint(GOOD),
            Column::numbers("dropped/s", 9).tint(BAD),
            Column::numbers("shadowed/s", 10).tint(ODD),
            Column::numbers("allowed", 8),
            Column::numbers("dropped", 8),
            Column::numbers("networks", 8),
        ],
        lines: Some(lines.collect()),
    }
}

pub(super) fn reasons(rates: &Rates) -> Grid {
    let lines = rates.reasons.iter().map(|row| {
        let all = share(row.dropped, rates.dropped);
        let total = short(row.dropped.total as f64);
        let cells = vec![row.reason.clone(), rate(row.dropped), all, total];
        line(cells, Count::default(), row.dropped)
    });
    Grid {
        title: "reasons",
        columns: vec![
            Column::words("reason", 0),
            Column::numbers("dropped/s", 9).tint(BAD),
            Column::numbers("share", 5),
            Column::numbers("dropped", 8),
        ],
        lines: Some(lines.collect()),
    }
}

pub(super) fn countries(rates: &Rates) -> Grid {
    let lines = rates.countries.as_ref().map(|rows| {
        let made = rows.iter().map(|row| {
            let cells = vec![
                row.country.clone(),
                row.domain.clone(),
                rate(row.flows_allowed),
                rate(row.dropped),
                short(row.flows_allowed.total as f64),
                short(row.dropped.total as f64),
            ];
            line(cells, row.flows_allowed, row.dropped)
        });
        made.collect()
    });
    Grid {
        title: "countries",
        columns: vec![
            Column::words("country", 8),
            Column::words("domain", 0),
            Column::numbers("flows/s", 8).tint(GOOD),
            Column::numbers("dropped/s", 9).tint(BAD),
            Column::numbers("flows", 8),
            Column::numbers("dropped", 8),
        ],
        lines,
    }
}

pub(super) fn asns(rates: &Rates) -> Grid {
    let lines = rates.asns.as_ref().map(|rows| {
        let made = rows.iter().map(|row| {
            let name = row.asn.map_or(ABSENT.to_owned(), |asn| format!("AS{asn}"));
            let total = short(row.dropped.total as f64);
            let cells = vec![name, rate(row.dropped), share(row.dropped, rates.dropped), total];
            line(cells, Count::default(), row.dropped)
        });
        made.collect()
    });
    Grid {
        title: "operators",
        columns: vec![
            Column::words("operator", 0),
            Column::numbers("dropped/s", 9).tint(BAD),
            Column::numbers("share", 5),
            Column::numbers("dropped", 8),
        ],
        lines,
    }
}

pub(super) fn sources(rates: &Rates) -> Grid {
    let lines = rates.sources.as_ref().map(|rows| {
        let made = rows.iter().map(|row| {
            let cells = vec![
                network(&row.source),
                text(row.country.as_deref()),
                rate(row.dropped),
                maybe(row.ports),
                row.last_port.map_or(ABSENT.to_owned(), |port| port.to_string()),
                text(row.domain.as_deref()),
                row.asn.map_or(ABSENT.to_owned(), |asn| format!("AS{asn}")),
                short(row.dropped.total as f64),
            ];
            line(cells, Count::default(), row.dropped)
        });
        made.collect()
    });
    Grid {
        title: "busiest dropped sources",
        columns: vec![
            Column::words("source", 0),
            Column::words("from", 7),
            Column::numbers("dropped/s", 9).tint(BAD),
            Column::numbers("ports", 6).tint(ODD),
            Column::numbers("last", 5),
            Column::words("domain", 10),
            Column::words("operator", 9),
            Column::numbers("dropped", 8),
        ],
        lines,
    }
}

pub(super) fn workers(rates: &Rates) -> Grid {
    let lines = rates.workers.iter().map(|row| {
        let burst = |of: fn(&super::sample::Burst) -> u64| {
            row.burst_ns.as_ref().map_or(ABSENT.to_owned(), |burst| nanoseconds(of(burst)))
        };
        let cells = vec![
            row.core.to_string(),
            row.queue.to_string(),
            row.mode.clone(),
            rate(row.received),
            rate(row.forwarded),
            rate(row.dropped),
            burst(|burst| burst.p50),
            burst(|burst| burst.p99),
            burst(|burst| burst.max),
            row.flows.map_or(ABSENT.to_owned(), |flows| short(flows as f64)),
        ];
        line(cells, row.forwarded, row.dropped)
    });
    Grid {
        title: "workers: packets a second, time of a burst",
        columns: vec![
            Column::numbers("core", 4),
            Column::numbers("queue", 5),
            Column::words("mode", 0),
            Column::numbers("received", 8),
            Column::numbers("forwarded", 9).tint(GOOD),
            Column::numbers("dropped", 8).tint(BAD),
            Column::numbers("p50", 8),
            Column::numbers("p99", 8),
            Column::numbers("longest", 8),
            Column::numbers("flows", 7),
        ],
        lines: Some(lines.collect()),
    }
}

pub(super) fn times(rates: &Rates) -> Grid {
    let lines = rates.workers.iter().map(|row| {
        let mut cells = vec![row.core.to_string()];
        match row.time {
            Some(time) => {
                let parts = [
                    time.idle,
                    time.asleep,
                    time.receive,
                    time.classify,
                    time.transmit,
                    time.housekeeping,
                ];
                cells.extend(parts.map(|part| format!("{:.1} %", part * 100.0)));
                let each = time.packet_ns.map(|time_ns| nanoseconds(time_ns as u64));
                cells.push(text(each.as_deref()));
            }
            None => cells.extend([ABSENT; 7].map(str::to_owned)),
        }
        line(cells, Count::default(), Count::default())
    });
    let known = rates.workers.is_empty() || rates.workers.iter().any(|row| row.time.is_some());
    let mut columns = vec![Column::numbers("core", 4), Column::numbers("idle", 8).tint(GOOD)];
    let names = ["asleep", "receive", "classify", "transmit", "keeping", "a packet"];
    columns.extend(names.map(|name| Column::numbers(name, 8)));
    Grid { title: "time of workers", columns, lines: known.then(|| lines.collect()) }
}

pub(super) fn frames(rates: &Rates) -> Grid {
    let lines = rates.workers.iter().map(|row| {
        let frames = row.frames;
        let parts = [frames.free, frames.fill, frames.rx, frames.tx, frames.completion];
        let mut cells = vec![row.core.to_string()];
        cells.extend(parts.map(number));
        cells.push(number(frames.total));
        cells.push(row.longest_pause_ms.map_or(ABSENT.to_owned(), |ms| format!("{ms} ms")));
        line(cells, Count::default(), Count::default())
    });
    let names = ["free", "fill", "rx", "tx", "completion", "frames"];
    let mut columns = vec![Column::numbers("core", 4)];
    columns.extend(names.map(|name| Column::numbers(name, 10)));
    columns.push(Column::numbers("pause", 7));
    Grid { title: "frames, and the longest pause", columns, lines: Some(lines.collect()) }
}

pub(super) fn interfaces(rates: &Rates) -> Grid {
    let lines = rates.interfaces.iter().map(|row| {
        let counts = [row.kernel_dropped, row.shed, row.unserved_dropped, row.unserved_bridged];
        let mut cells = vec![row.name.clone(), row.side.clone()];
        cells.extend(counts.map(rate));
        cells.push(number(row.kernel_dropped.total));
        line(cells, Count::default(), row.kernel_dropped)
    });
    Grid {
        title: "interfaces: packets a second that no worker saw",
        columns: vec![
            Column::words("interface", 0),
            Column::words("side", 7),
            Column::numbers("ring full", 9).tint(ODD),
            Column::numbers("shed", 8).tint(ODD),
            Column::numbers("unserved", 8).tint(BAD),
            Column::numbers("bridged", 8).tint(ODD),
            Column::numbers("ring full, all", 14),
        ],
        lines: Some(lines.collect()),
    }
}

pub(super) fn exceptions(rates: &Rates) -> Grid {
    let line = |row: &Exception| {
        let cells = vec![
            row.name.clone(),
            row.domain.clone(),
            text(row.until.as_deref()),
            text(row.owner.as_deref()),
        ];
        line(cells, Count::default(), Count::default())
    };
    Grid {
        title: "exceptions",
        columns: vec![
            Column::words("exception", 0),
            Column::words("domain", 16),
            Column::words("until", 21),
            Column::words("owner", 20),
        ],
        lines: rates.exceptions.as_ref().map(|rows| rows.iter().map(line).collect()),
    }
}

/// Records of drops, of what shadows and exceptions let through, and patterns, where there is any.
pub(super) fn records(rates: &Rates) -> Grid {
    let rows = |name: &str, fates: &Fates| {
        let row = |(fate, count): (&&str, &Count)| {
            let cells = vec![format!("{name} {fate}"), rate(*count), number(count.total)];
            line(cells, Count::default(), *count)
        };
        fates.iter().map(row).collect::<Vec<_>>()
    };
    let some = |fates: &&Fates| fates.values().any(|count| count.total > 0);
    let lines = rates.records.as_ref().map(|records| {
        let others = [("shadow", &rates.shadow_records), ("exception", &rates.exception_records)];
        let others = others.into_iter().filter_map(|(name, fates)| Some((name, fates.as_ref()?)));
        let others =
            others.filter(|(_, fates)| some(fates)).flat_map(|(name, fates)| rows(name, fates));
        let patterns = rates.patterns.iter().flatten().filter(|(_, count)| count.total > 0);
        let patterns = patterns.map(|(kind, count)| {
            let cells = vec![format!("pattern {kind}"), rate(*count), number(count.total)];
            line(cells, Count::default(), *count)
        });
        rows("drop", records).into_iter().chain(others).chain(patterns).collect()
    });
    Grid {
        title: "records",
        columns: vec![
            Column::words("records", 0),
            Column::numbers("a second", 9),
            Column::numbers("all", 16),
        ],
        lines,
    }
}

pub(super) fn sinks(rates: &Rates) -> Grid {
    let line = |row: &Sink| {
        let (written, lost) = (number(row.written.total), number(row.lost.total));
        let cells = vec![row.name.clone(), rate(row.written), written, lost, row.to.clone()];
        line(cells, row.written, row.lost)
    };
    Grid {
        title: "where records go",
        columns: vec![
            Column::words("sink", 10),
            Column::numbers("lines/s", 9),
            Column::numbers("written", 16),
            Column::numbers("lost", 12).tint(BAD),
            Column::words("to", 0),
        ],
        lines: rates.sinks.as_ref().map(|rows| rows.iter().map(line).collect()),
    }
}
