//! How long a reload takes, and what memory stays: a policy is loaded again and again.
//!
//! ```text
//! cargo run --release -p palisade-lookup --example rebuild -- POLICY [ROUNDS]
//! ```
//!
//! `cold` reads the databases anew; `again` finds them unchanged since the ruleset before, which is
//! what most reloads do. Prints the best and the median of the rounds in time on the processor,
//! which a busy machine disturbs least, and the resident memory with one and two rulesets alive.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use lookup::{Loaded, Moment, Policy, Revision, Ruleset};

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("{name:<8} best {:>8.1?}, median {:>8.1?}", times[0], times[times.len() / 2]);
}

fn times<T>(
    rounds: usize,
    mut one: impl FnMut() -> Result<T, Box<dyn Error>>,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = on_cpu()?;
        let made = one()?;
        times.push(on_cpu()?.saturating_sub(start));
        drop(made);
    }
    Ok(times)
}

/// What this thread has had of a processor: other programs do not count.
fn on_cpu() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("no schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn resident() -> Result<String, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (now, peak) = (of("VmRSS:"), of("VmHWM:"));
    Ok(format!("resident {}, at most {}", now.unwrap_or("?"), peak.unwrap_or("?")))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: rebuild POLICY [ROUNDS]")?;
    let rounds = std::env::args().nth(2).map_or(Ok(15), |text| text.parse())?;
    let (path, now) = (Path::new(&path), Moment::default());
    let first = Ruleset::load(path, now, Revision(1))?.0;
    println!("one ruleset: {} bytes; {}", first.memory_bytes(), resident()?);
    let second = Ruleset::load(path, now, Revision(2))?.0;
    println!("two rulesets: {}", resident()?);
    drop(second);
    let (policy, geo, _) = Policy::load(path, now)?;
    report("load", times(rounds, || Ok(Policy::load(path, now)?))?);
    report("compile", times(rounds, || Ok(Ruleset::compile(&policy, &geo, now, Revision(1))?))?);
    report("cold", times(rounds, || Ok(Loaded::read(path, now, Revision(1))?))?);
    let again = || Ok(first.reload(path, None, now, Revision(1))?);
    report("again", times(rounds, again)?);
    println!("{}", resident()?);
    Ok(())
}
