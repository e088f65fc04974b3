//! Asks for all 4,294,967,296 IPv4 addresses and compares each answer with a slow reference.
//!
//! ```text
//! cargo run --release -p palisade-lookup --example whole-space -- DATABASE.mmdb [--embedded]
//! ```
//!
//! The reference shares no code with the tables: it walks the networks of the database as
//! `maxminddb` lists them, in order, and knows nothing between them. With `--embedded` the embedded
//! table is asked, which must have been made from this database. Takes about a minute.

use std::error::Error;
use std::net::IpAddr;
use std::time::Instant;

use lookup::{ClassId, ClassTable, Geo, GeoFiles};
use maxminddb::{Reader, path};

const BATCH: usize = 256;

/// First address, last address and country.
type Network = (u32, u32, String);

/// All networks with a country, ascending.
fn reference(file: &str) -> Result<Vec<Network>, Box<dyn Error>> {
    let reader = Reader::open_readfile(file)?;
    let mut networks = Vec::new();
    for found in reader.within("0.0.0.0/0".parse()?, Default::default())? {
        let found = found?;
        let nested = found.decode_path::<String>(&path!["country", "iso_code"]).ok().flatten();
        let flat = || found.decode_path::<String>(&path!["country_code"]).ok().flatten();
        let last = || found.decode_path::<String>(&path!["registered_country", "iso_code"]).ok();
        let code = nested.or_else(flat).or_else(|| last().flatten());
        let network = found.network()?;
        if let (IpAddr::V4(first), IpAddr::V4(last), Some(code)) =
            (network.network(), network.broadcast(), code)
        {
            networks.push((first.into(), last.into(), code));
        }
    }
    networks.sort();
    Ok(networks)
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: whole-space DATABASE.mmdb [--embedded]")?;
    let embedded = std::env::args().nth(2).is_some_and(|flag| flag == "--embedded");
    let networks = reference(&file)?;

    let start = Instant::now();
    let country = (!embedded).then(|| file.clone().into());
    let geo = Geo::load(&GeoFiles { country, asn: None }, &[])?;
    let keys = geo.keys();
    let (v4, v6) = (keys.v4.map(|id| ClassId(id.0)), keys.v6.map(|id| ClassId(id.0)));
    let table = ClassTable::compile(&v4, &v6)?;
    println!("{}: loaded and compiled in {:?}", geo.country_info().source, start.elapsed());
    println!("{} networks in the reference, {} ranges in the table", networks.len(), v4.len());

    let start = Instant::now();
    let (mut next, mut known) = (0, 0u64);
    let (mut addresses, mut classes) = ([0; BATCH], [ClassId(0); BATCH]);
    for block in 0..=u32::MAX >> 8 {
        for (low, address) in (0..).zip(&mut addresses) {
            *address = block << 8 | low;
        }
        table.classes_v4(&addresses, &mut classes);
        for (&address, &class) in addresses.iter().zip(&classes) {
            while networks.get(next).is_some_and(|network| network.1 < address) {
                next += 1;
            }
            let network = networks.get(next).filter(|network| network.0 <= address);
            let expected = network.map(|network| network.2.as_str());
            let country = keys.keys[class.0 as usize].country;
            let agrees = country.as_ref().map(|it| it.as_str()) == expected;
            if !agrees || table.class_v4(address) != class {
                let address = IpAddr::V4(address.into());
                return Err(format!("{address}: {country:?}, expected {expected:?}").into());
            }
            known += u64::from(expected.is_some());
        }
        if block & 0xf_ffff == 0xf_ffff {
            let done = (u64::from(block) + 1) << 8;
            println!("{done} addresses agree, {known} with a country, {:?}", start.elapsed());
        }
    }
    println!("the whole IPv4 space agrees");
    Ok(())
}
