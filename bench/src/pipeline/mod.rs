//! The whole path of a packet over the simulated kernel: the worker's own turn, without a NIC.
//!
//! ```text
//!  frames --inject--> [outside] --> turn: receive, process, send, refill --> [inside] --drain-->
//!                                   `------------- timed ------------'
//! ```
//!
//! Beside an empty forwarder, which moves the same descriptors through the same rings and reads no
//! byte: the difference is what filtering costs. The simulated kernel's copies are not timed, but they
//! leave the frames in the cache, as a NIC with direct cache access does.

mod empty;
mod frames;
mod growth;
mod pair;
mod rules;
mod run;

use std::path::PathBuf;
use std::sync::Arc;

use engine::Drill;
use filter::{FilterConfig, Shared, Timeouts};
use lookup::{Country, Geo, GeoFiles, Ruleset};

use self::empty::Empty;
use self::frames::Flows;
use self::rules::{Size, ruleset};
use self::run::run;
use crate::record::{Record, Row};
use crate::tables::{NS, finish};
use crate::{Error, Result};

/// As the gateway has by default.
const FRAMES: u32 = 16384;
/// Room for a million flows without a conflict: twice the default.
const FLOWS: usize = 1 << 21;
/// Room for half of the flows that want to be in it.
const FEW: usize = 1 << 19;
/// Packets of one measurement.
const PACKETS: usize = 1 << 19;

/// How long to measure.
#[derive(Debug, clap::Args)]
pub struct Pipeline {
    /// Turns of each.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Only the cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Where the record goes.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
}

/// A load and what the worker does with it.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    six: bool,
    flows: usize,
    deed: Deed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Every packet belongs to a flow in the table.
    Hit,
    /// Every packet is the first of its flow.
    New,
    /// The same, and another flow has to give way to it.
    Crowd,
    /// Every packet is dropped, with a record or a count.
    Drop { records_per_s: u32 },
}

const CASES: [Case; 13] = {
    const fn case(name: &'static str, six: bool, flows: usize, deed: Deed) -> Case {
        Case { name, six, flows, deed }
    }
    const RECORDED: Deed = Deed::Drop { records_per_s: u32::MAX };
    const SUPPRESSED: Deed = Deed::Drop { records_per_s: 0 };
    [
        case("hit, 64 flows, IPv4", false, 64, Deed::Hit),
        case("hit, 64 flows, IPv6", true, 64, Deed::Hit),
        case("hit, 100,000 flows, IPv4", false, 100_000, Deed::Hit),
        case("hit, 100,000 flows, IPv6", true, 100_000, Deed::Hit),
        case("hit, 1,000,000 flows, IPv4", false, 1_000_000, Deed::Hit),
        case("hit, 1,000,000 flows, IPv6", true, 1_000_000, Deed::Hit),
        case("new flow, IPv4", false, PACKETS, Deed::New),
        case("new flow, IPv6", true, PACKETS, Deed::New),
        case("new flow, full table, IPv4", false, 2 * FEW, Deed::Crowd),
        case("drop with a record, IPv4", false, PACKETS, RECORDED),
        case("drop with a record, IPv6", true, PACKETS, RECORDED),
        case("drop that is counted, IPv4", false, PACKETS, SUPPRESSED),
        case("drop that is counted, IPv6", true, PACKETS, SUPPRESSED),
    ]
};

impl Pipeline {
    /// Measures, prints the rows and writes a record.
    ///
    /// # Errors
    /// When a packet is not treated as its case says.
    pub fn run(&self) -> Result<()> {
        let geo = Geo::load(&GeoFiles::default(), &[])
            .map_err(|error| Error::Usage(error.to_string()))?;
        let mut record = Record::begin("pipeline");
        record.notes.push(
            "No kernel and no wire: the worker's own turn over simulated rings, frames of 60 bytes \
             (62 with IPv6) in cache. Bursts of 64; the embedded table of the whole world."
                .to_owned(),
        );
        let wanted = |name: &str| self.only.as_deref().is_none_or(|text| name.contains(text));
        for case in CASES.into_iter().filter(|case| wanted(case.name)) {
            println!("{}", case.name);
            self.measure(&geo, case, &mut record)?;
        }
        if wanted("two workers") {
            pair::measure(&geo, self.rounds, &mut record)?;
        }
        if wanted("growth") {
            growth::measure(&geo, self.rounds, &mut record)?;
        }
        finish(&record, &self.records)
    }

    fn measure(&self, geo: &Geo, case: Case, record: &mut Record) -> Result<()> {
        let here = if matches!(case.deed, Deed::Drop { .. }) { "BR" } else { "DE" };
        let flows = load(geo, here, Size::SMALL.last_service(case.six), case.flows);
        let mut drill = drill(ruleset(Size::SMALL, &countries(geo))?, case.deed)?;
        let mut empty = Empty::new(FRAMES)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        turn(&mut drill, &flows, case.deed)?;
        run(&mut empty, &flows, 0, PACKETS)?;
        for _ in 0..self.rounds {
            ours.push(turn(&mut drill, &flows, case.deed)?);
            theirs.push(run(&mut empty, &flows, 0, PACKETS)?.each_ns());
        }
        let above: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        record.rows.push(Row::beside(case.name, "empty forwarder", NS, ours, theirs));
        let row = Row::alone(&format!("{}, above an empty forwarder", case.name), NS, above);
        record.rows.push(match case.deed {
            Deed::Hit => row.asked(40.0, 20.0),
            Deed::New => row.asked(100.0, 60.0),
            Deed::Crowd | Deed::Drop { .. } => row,
        });
        Ok(())
    }
}

/// Nanoseconds a packet of one measurement; an error when the packets were not treated as they must.
fn turn(drill: &mut Drill, flows: &Flows, deed: Deed) -> Result<f64> {
    let packets = match deed {
        Deed::Hit => {
            // The flows are put in by the first turn of all, and stay. Sources are random: a few flows
            // are the same.
            if (drill.counters().flows as usize) < flows.len() - flows.len() / 100 {
                run(drill, flows, 0, flows.len())?;
            }
            PACKETS
        }
        Deed::New => {
            drill.forget();
            flows.len()
        }
        Deed::Crowd => flows.len(),
        Deed::Drop { .. } => PACKETS,
    };
    let before = *drill.counters();
    let outcome = run(drill, flows, 0, packets)?;
    let after = drill.counters();
    let fresh = after.flows.saturating_sub(before.flows) as usize;
    let records = (after.records.recorded - before.records.recorded) as usize;
    let nearly = |count: usize| count > packets - packets / 100;
    let right = match deed {
        Deed::Hit => outcome.left == packets && fresh == 0,
        Deed::New => outcome.left == packets && nearly(fresh),
        Deed::Crowd => outcome.left == packets && after.flows as usize > FEW - FEW / 10,
        Deed::Drop { records_per_s: 0 } => outcome.left == 0 && records <= 1,
        Deed::Drop { .. } => outcome.left == 0 && nearly(records),
    };
    if !right || !after.balanced() {
        return Err(Error::Usage(format!(
            "of {packets} packets {} left, {fresh} were new flows, {records} were recorded",
            outcome.left
        )));
    }
    Ok(outcome.each_ns())
}

fn load(geo: &Geo, country: &str, service: (std::net::IpAddr, u16), flows: usize) -> Flows {
    let country: Vec<Country> = Country::new(country).into_iter().collect();
    Flows::new(geo, &country, service, flows)
}

/// What databases have and no policy may name: regions that are no country.
const REGIONS: [&str; 2] = ["AP", "EU"];

/// All countries; the first one is the load's, and the last one is that of what is dropped.
fn countries(geo: &Geo) -> Vec<Country> {
    let mut all: Vec<Country> = geo.keys().keys.iter().filter_map(|key| key.country).collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|country| !REGIONS.contains(&country.as_str()));
    all.sort_by_key(|country| match country.as_str() {
        "DE" => 0,
        "BR" => 2,
        _ => 1,
    });
    all
}

fn drill(rules: Ruleset, deed: Deed) -> Result<Drill> {
    drill_with(rules, deed, &Arc::new(Shared::new(1 << 16, [9; 16])))
}

fn drill_with(rules: Ruleset, deed: Deed, shared: &Arc<Shared>) -> Result<Drill> {
    let records_per_s = match deed {
        Deed::Drop { records_per_s } => records_per_s,
        _ => 10_000,
    };
    let config = FilterConfig {
        flows: if deed == Deed::Crowd { FEW } else { FLOWS },
        records_per_s,
        key: *b"as random as any",
        timeouts: Timeouts::default(),
    };
    Drill::new(rules, config, Arc::clone(shared), FRAMES)
        .map_err(|error| Error::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_treated_as_it_says() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        for case in CASES.iter().filter(|case| case.flows < FLOWS / 2) {
            let here = if matches!(case.deed, Deed::Drop { .. }) { "BR" } else { "DE" };
            let flows = load(&geo, here, Size::SMALL.last_service(case.six), case.flows.min(5000));
            let rules = ruleset(Size::SMALL, &countries(&geo)).unwrap();
            let mut drill = drill(rules, case.deed).unwrap();
            turn(&mut drill, &flows, case.deed).unwrap();
        }
    }

    #[test]
    fn a_load_that_is_dropped_is_no_hit() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        let flows = load(&geo, "BR", Size::SMALL.last_service(false), 64);
        let rules = ruleset(Size::SMALL, &countries(&geo)).unwrap();
        let mut drill = drill(rules, Deed::Hit).unwrap();
        assert!(turn(&mut drill, &flows, Deed::Hit).is_err());
    }
}
