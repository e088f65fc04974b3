//! Two workers beside one: what they share must not slow either down.
//!
//! Each has its own thread, core, flows and rings; pinholes, fragments and neighbours are shared, and
//! so are the ruleset's tables. Rates are by the clock on the wall, of the workers' turns.

use std::sync::{Arc, Barrier};
use std::thread;

use filter::Shared;
use lookup::Geo;

use super::rules::{Size, ruleset};
use super::run::run;
use super::{Deed, PACKETS, countries, drill_with, load};
use crate::record::{Better, Record, Row};
use crate::{Error, Result};

const FLOWS: usize = 100_000;
const RATE: (&str, Better) = ("Mpps", Better::More);

pub(super) fn measure(geo: &Geo, rounds: usize, record: &mut Record) -> Result<()> {
    println!("two workers");
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.len() < 2 {
        record.notes.push("One core: two workers were not measured.".to_owned());
        return Ok(());
    }
    let (mut both, mut one) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(together(geo, 1)?);
        both.push(together(geo, 2)?);
    }
    let row = Row::beside("two workers, hits of 100,000 flows each", "one worker", RATE, both, one);
    record.rows.push(row.asked(1.85, 1.95));
    Ok(())
}

/// Millions of packets a second of so many workers.
fn together(geo: &Geo, workers: usize) -> Result<f64> {
    let shared = Arc::new(Shared::new(1 << 16, [9; 16]));
    let start = Barrier::new(workers);
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let all = countries(geo);
    // The first core has the machine's interrupts: one worker alone takes the last.
    thread::scope(|scope| {
        let begin = |core| {
            let (shared, start, all) = (&shared, &start, &all);
            scope.spawn(move || -> Result<f64> {
                core_affinity::set_for_current(core);
                let flows = load(geo, "DE", Size::SMALL.last_service(false), FLOWS);
                let mut drill = drill_with(ruleset(Size::SMALL, all)?, Deed::Hit, shared)?;
                run(&mut drill, &flows, 0, FLOWS)?;
                start.wait();
                Ok(run(&mut drill, &flows, 0, 4 * PACKETS)?.mpps())
            })
        };
        let threads: Vec<_> = cores.into_iter().rev().take(workers).map(begin).collect();
        let lost = || Error::Usage("a worker's thread panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(lost()))).sum()
    })
}
