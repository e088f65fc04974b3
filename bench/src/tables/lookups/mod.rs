//! Address to class, beside other longest-prefix tables.
//!
//! ```text
//!  routes: whole world (each country's ranges as prefixes), 30,000 random ones    x  IPv4, IPv6
//!  keys:   real (random range, random address in it), uniform, Zipf
//!  arms:   dependent   the next key waits for the answer before: latency
//!          independent keys one by one: the processor overlaps them
//!          batch       64 at a time, as a worker asks
//!          baseline    the same loops without a lookup
//! ```
//! After Snabb's `lib/lpm`: the arms, and the baseline to hold them against. `rte_fib` has batches
//! only, and is measured by `dpdk-test-fib` in ticks of the time stamp counter.

mod arms;
mod crates;
mod fib;
mod keys;
mod mmdb;
mod routes;

use lookup::{ClassTable, Dir24_8, Geo, GeoFiles, Six};

use self::arms::{Arm, Arms, Kind};
use self::fib::Fib;
use self::keys::{KEYS, Spread, keys};
use self::mmdb::Database;
use self::routes::{Routes, World};
use super::{NS, Tables, differ};
use crate::record::{Record, Row};
use crate::{Error, Result};

/// Routes of the smaller table.
const ROUTES: usize = 30_000;

pub(super) fn measure(terms: &Tables) -> Result<Record> {
    let files = GeoFiles { country: terms.database.clone(), asn: None };
    let geo = Geo::load(&files, &[]).map_err(|error| Error::Usage(error.to_string()))?;
    let world = World::new(&geo);
    let mut record = Record::begin("lookups");
    let source = terms.database.as_ref().and_then(|path| path.file_name());
    let source = source.map_or("the embedded table".into(), |name| name.to_string_lossy());
    record.notes.push(format!(
        "The whole world is {source}: {} IPv4 and {} IPv6 prefixes of {} countries.",
        world.v4.prefixes.len(),
        world.v6.prefixes.len(),
        world.countries.len(),
    ));
    record.notes.push(format!(
        "{KEYS} keys. Times are of the thread; rte_fib counts ticks of the time stamp counter, at \
         {} MHz.",
        record.machine.tsc_mhz
    ));
    let database =
        terms.database.as_deref().map(|path| Database::open(path, &world)).transpose()?;
    let (v4, v6) = (Routes::random(ROUTES), Routes::random(ROUTES));
    for (name, v4, v6) in [("whole world", &world.v4, &world.v6), ("30,000 routes", &v4, &v6)] {
        let database = database.as_ref().filter(|_| name == "whole world");
        let four = Dir24_8::compile(&v4.ranges).map_err(unfit)?;
        scenario(terms, &mut record, name, v4, &four, database)?;
        let six = Six::compile(&v6.ranges).map_err(unfit)?;
        scenario(terms, &mut record, name, v6, &six, database)?;
    }
    let table = ClassTable::compile(&world.v4.ranges, &world.v6.ranges).map_err(unfit)?;
    let bytes = table.memory_bytes() as f64 / f64::from(1 << 20);
    record.rows.push(Row::alone(
        "whole world, memory of both tables",
        super::rebuild::MIB,
        vec![bytes],
    ));
    Ok(record)
}

fn unfit(error: lookup::TableError) -> Error {
    Error::Usage(error.to_string())
}

/// All peers over one set of routes of one family.
fn scenario<A: Kind>(
    terms: &Tables,
    record: &mut Record,
    name: &str,
    routes: &Routes<A>,
    ours: &dyn Arms<A>,
    database: Option<&Database>,
) -> Result<()> {
    let mut peers = crates::all(&routes.prefixes);
    peers.extend(database.map(|database| ("maxminddb", Box::new(database) as Box<dyn Arms<A>>)));
    let tick_ns = 1000.0 / record.machine.tsc_mhz.max(1.0);
    for spread in [Spread::Real, Spread::Uniform, Spread::Zipf] {
        let keys = keys(&routes.ranges, spread);
        let what = format!("{}, {name}, {} keys", A::NAME, spread.name());
        println!("{what}");
        for (peer, table) in &peers {
            if let Some(key) = arms::disagree(ours, &**table, &keys) {
                return Err(differ(&what, peer, key.address()));
            }
        }
        let mut fib = match terms.no_dpdk {
            true => None,
            false => Some(Fib::new(routes, &keys)?),
        };
        let mut own: [Vec<f64>; 3] = Default::default();
        let mut their = vec![<[Vec<f64>; 3]>::default(); peers.len()];
        let mut fibs = Vec::new();
        let mut empty = Vec::new();
        for _ in 0..terms.rounds {
            for arm in Arm::ALL {
                own[arm as usize].push(ours.pass(arm, &keys));
                for ((_, peer), times) in peers.iter().zip(&mut their) {
                    times[arm as usize].push(peer.pass(arm, &keys));
                }
            }
            if let Some(fib) = &mut fib {
                fibs.push(fib.round()? * tick_ns);
            }
            empty.push(arms::Baseline.pass(Arm::Batch, &keys));
        }
        for ((peer, _), times) in peers.iter().zip(their) {
            for (arm, theirs) in Arm::ALL.into_iter().zip(times) {
                let what = format!("{what}, {}", arm.name());
                let row = Row::beside(&what, peer, NS, own[arm as usize].clone(), theirs);
                record.rows.push(asked(row, arm, spread, name));
            }
        }
        let batch = &own[Arm::Batch as usize];
        if let Some(fib) = fib {
            let row = Row::beside(&format!("{what}, batch"), &fib.name(), NS, batch.clone(), fibs);
            record.rows.push(asked(row, Arm::Batch, spread, name));
        }
        record.rows.push(Row::alone(&format!("{what}, baseline"), NS, empty));
    }
    Ok(())
}

/// What a row must reach: of the whole world, with real keys, as a worker asks.
fn asked(row: Row, arm: Arm, spread: Spread, routes: &str) -> Row {
    if routes != "whole world" || arm != Arm::Batch || spread != Spread::Real {
        return row;
    }
    let four = row.what.starts_with("IPv4");
    let peer = row.peer.clone().unwrap_or_default();
    match (peer.split(' ').next().unwrap_or_default(), four) {
        ("rte_fib", true) => row.asked(1.0, 1.5),
        ("rte_fib6", false) => row.asked(1.0, 2.0),
        ("poptrie", true) => row.asked(1.2, 2.0),
        ("prefix-trie", true) => row.asked(5.0, 20.0),
        ("maxminddb", true) => row.asked(30.0, 100.0),
        _ => row,
    }
}

#[cfg(test)]
mod tests;
