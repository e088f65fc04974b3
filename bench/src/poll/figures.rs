//! The figures of all turns: medians in a table, and rows of the record.

use std::fmt;

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::usage::Share;
use crate::load::Delays;
use crate::record::{Better, Row, median};

/// What the issue asks of a worker without traffic, per cent of a core.
const IDLE_PERCENT: f64 = 5.0;
const PERCENT: (&str, Better) = ("% of a core", Better::Less);
const MICROSECONDS: (&str, Better) = ("us", Better::Less);
const RATE: (&str, Better) = ("Mpps", Better::More);

/// One turn of one mode.
#[derive(Debug)]
pub(super) struct Turn {
    /// Without traffic.
    pub(super) idle: Share,
    /// Frames far apart.
    pub(super) apart: Delays,
    /// Moderate loads.
    pub(super) loads: Vec<(Share, Delays)>,
    /// As fast as can be, at the sink.
    pub(super) most_pps: f64,
}

/// All turns, by mode.
#[derive(Debug)]
pub(super) struct Figures {
    pps: Vec<u64>,
    turns: Vec<(&'static str, Vec<Turn>)>,
}

/// What is told of a turn.
type Told = (String, (&'static str, Better), fn(&Turn, usize) -> f64, usize);

impl Figures {
    pub(super) fn new(pps: &[u64]) -> Self {
        Self { pps: pps.to_vec(), turns: Vec::new() }
    }

    pub(super) fn add(&mut self, mode: &'static str, turn: Turn) {
        match self.turns.iter_mut().find(|(name, _)| *name == mode) {
            Some((_, turns)) => turns.push(turn),
            None => self.turns.push((mode, vec![turn])),
        }
    }

    /// Each figure: its name, its unit, how to read it, of which load.
    fn told(&self) -> Vec<Told> {
        let mut told: Vec<Told> = vec![
            ("no traffic: the worker".into(), PERCENT, |turn, _| turn.idle.worker * 100.0, 0),
            ("no traffic: all threads".into(), PERCENT, |turn, _| turn.idle.process * 100.0, 0),
            ("frames far apart: p50".into(), MICROSECONDS, |turn, _| us(&turn.apart, 0.5), 0),
            ("frames far apart: p99".into(), MICROSECONDS, |turn, _| us(&turn.apart, 0.99), 0),
            ("frames far apart: longest".into(), MICROSECONDS, |turn, _| us(&turn.apart, 1.0), 0),
        ];
        for (place, pps) in self.pps.iter().enumerate() {
            let at = |what: &str| format!("{pps} frames a second: {what}");
            let load =
                |what: &str, unit, read: fn(&Turn, usize) -> f64| (at(what), unit, read, place);
            told.push(load("the worker", PERCENT, |turn, i| turn.loads[i].0.worker * 100.0));
            told.push(load("p50", MICROSECONDS, |turn, i| us(&turn.loads[i].1, 0.5)));
            told.push(load("p99", MICROSECONDS, |turn, i| us(&turn.loads[i].1, 0.99)));
            told.push(load("longest", MICROSECONDS, |turn, i| us(&turn.loads[i].1, 1.0)));
        }
        told.push(("as fast as can be".into(), RATE, |turn, _| turn.most_pps / 1e6, 0));
        told
    }

    /// Medians of the rounds, a column a mode.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let modes = self.turns.iter().map(|(mode, _)| *mode);
        table.set_header(["median of the rounds", "unit"].into_iter().chain(modes));
        for (what, (unit, _), read, place) in self.told() {
            let medians = self.turns.iter().map(|(_, turns)| {
                let values: Vec<f64> = turns.iter().map(|turn| read(turn, place)).collect();
                Cell::new(format!("{:.2}", median(&values))).set_alignment(CellAlignment::Right)
            });
            table.add_row([Cell::new(what), Cell::new(unit)].into_iter().chain(medians));
        }
        table
    }

    /// Each figure of each mode; those that sleep beside `busy`.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (what, unit, read, place) in self.told() {
            for (mode, turns) in &self.turns {
                let values = turns.iter().map(|turn| read(turn, place)).collect();
                let row = Row::alone(&format!("{mode}, {what}"), unit, values);
                let sleeps = *mode != "busy" && what.starts_with("no traffic");
                rows.push(if sleeps { row.asked(IDLE_PERCENT, 1.0) } else { row });
            }
        }
        rows
    }
}

/// A quantile in microseconds; 0 when nothing came.
fn us(delays: &Delays, part: f64) -> f64 {
    delays.quantile(part).unwrap_or_default().as_secs_f64() * 1e6
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { idle, apart, loads, most_pps } = self;
        write!(
            f,
            "idle {:.2} % ({:.2} % of all threads)  apart p50 {:.1} us p99 {:.1} us longest {:.1} us",
            idle.worker * 100.0,
            idle.process * 100.0,
            us(apart, 0.5),
            us(apart, 0.99),
            us(apart, 1.0),
        )?;
        for (share, delays) in loads {
            let (p50, p99) = (us(delays, 0.5), us(delays, 0.99));
            write!(f, "  load {:.1} % p50 {p50:.1} us p99 {p99:.1} us", share.worker * 100.0)?;
        }
        write!(f, "  most {:.3} Mpps", most_pps / 1e6)
    }
}
