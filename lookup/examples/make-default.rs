//! Makes `lookup/data/default.geo`, the embedded country table, from a MaxMind DB file.
//!
//! ```text
//! cargo run --release -p palisade-lookup --example make-default -- iptoasn-country.mmdb
//! ```

use std::error::Error;
use std::path::Path;

const SOURCE: &str = "iptoasn-country 2.3.2026061719 of 2026-06-17";
const LICENCE: &str = "PDDL 1.0";

fn main() -> Result<(), Box<dyn Error>> {
    let input = std::env::args_os().nth(1).ok_or("usage: make-default DATABASE.mmdb [OUTPUT]")?;
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/default.geo").into();
    let output = std::env::args_os().nth(2).unwrap_or(default);
    let bytes = lookup::pack(Path::new(&input), SOURCE, LICENCE)?;
    let networks = lookup::unpack(&bytes)?;
    std::fs::write(&output, &bytes)?;
    println!("{}: {networks} networks, {} bytes", Path::new(&output).display(), bytes.len());
    Ok(())
}
