//! Lookups on the same routes and keys as `dpdk-test-fib`, in its file formats.
//!
//! ```text
//! cargo run --release -p palisade-lookup --example routes -- make DATABASE COUNT FOLDER
//! cargo run --release -p palisade-lookup --example routes -- ask FOLDER [TSC_GHZ]
//! dpdk-test-fib ... -- -f FOLDER/routes4 -t FOLDER/keys4 -e 2 -s
//! ```
//!
//! `make` draws routes from a database (0: all of them) and keys inside them, a route as often as
//! another. `ask` prints nanoseconds a key, or TSC cycles: the best of many rounds.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Instant;

use ipnet::IpNet;
use lookup::{ClassId, Dir24_8, Geo, GeoFiles, Prefix, Ranges, Six};

const KEYS: usize = 1 << 22;
const BATCH: usize = 64;
const SLICE: usize = 1 << 13;
const ROUNDS: usize = 12;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn make(database: &str, count: usize, folder: &Path) -> Result<(), Box<dyn Error>> {
    let geo = Geo::load(&GeoFiles { country: Some(database.into()), asn: None }, &[])?;
    let all = geo.keys();
    let known = |id: lookup::OriginId| all.keys[id.0 as usize].country.is_some();
    let v4 = all.v4.iter().filter(|it| known(*it.2)).flat_map(|(first, last, id)| {
        Prefix::cover(first, last).map(|prefix| (u128::from(prefix.first()), prefix.bits(), id.0))
    });
    let v6 = all.v6.iter().filter(|it| known(*it.2) && it.0 >> 125 == 1);
    let v6 = v6.flat_map(|(first, last, id)| {
        Prefix::cover(first, last).map(|prefix| (prefix.first(), prefix.bits(), id.0))
    });
    family(v4.collect(), 32, count, folder)?;
    family(v6.collect(), 128, count, folder)
}

fn family(
    mut routes: Vec<(u128, u8, u32)>,
    bits: u8,
    count: usize,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let text = |address: u128| match bits {
        32 => Ipv4Addr::from(address as u32).to_string(),
        _ => Ipv6Addr::from(address).to_string(),
    };
    let mut random = Random(0x1234_5678_9abc_def1);
    if count != 0 {
        for at in 0..count.min(routes.len()) {
            let other = at + random.next() as usize % (routes.len() - at);
            routes.swap(at, other);
        }
        routes.truncate(count);
    }
    let mut lines = String::new();
    for &(first, len, id) in &routes {
        writeln!(lines, "{}/{len} {id}", text(first))?;
    }
    let family = if bits == 32 { 4 } else { 6 };
    fs::write(folder.join(format!("routes{family}")), lines)?;
    let mut lines = String::new();
    for _ in 0..KEYS {
        let (first, len, _) = routes[random.next() as usize % routes.len()];
        let noise = u128::from(random.next()) << 64 | u128::from(random.next());
        let size = u32::from(bits - len);
        let inside = if size == 0 { 0 } else { noise & (u128::MAX >> (128 - size)) };
        writeln!(lines, "{}", text(first | inside))?;
    }
    fs::write(folder.join(format!("keys{family}")), lines)?;
    Ok(())
}

/// Nanoseconds a key. Of each slice of the keys the fastest round counts, so that a busy machine
/// disturbs the figure little; between two rounds of a slice all other keys are asked for.
fn best<A>(keys: &[A], mut round: impl FnMut(&[A])) -> f64 {
    let mut best = vec![f64::MAX; keys.len().div_ceil(SLICE)];
    for _ in 0..ROUNDS {
        for (keys, best) in keys.chunks(SLICE).zip(&mut best) {
            let start = Instant::now();
            round(keys);
            *best = best.min(start.elapsed().as_nanos() as f64);
        }
    }
    best.iter().sum::<f64>() / keys.len() as f64
}

fn arms<A: Copy>(
    name: &str,
    keys: &[A],
    scale: f64,
    find: impl Fn(A) -> ClassId,
    find_batch: impl Fn(&[A], &mut [ClassId]),
) {
    let single = best(keys, |keys| {
        black_box(keys.iter().map(|&key| u64::from(find(key).0)).sum::<u64>());
    });
    let mut classes = [ClassId(0); BATCH];
    let batch = best(keys, |keys| {
        for keys in keys.chunks_exact(BATCH) {
            find_batch(keys, &mut classes);
            black_box(&classes);
        }
    });
    println!("{name}: single {:.1}, batch {:.1}", single * scale, batch * scale);
}

fn ask(folder: &Path, scale: f64) -> Result<(), Box<dyn Error>> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for name in ["routes4", "routes6"] {
        for line in fs::read_to_string(folder.join(name))?.lines() {
            let (network, hop) = line.split_once(' ').ok_or("a route without a next hop")?;
            let class = ClassId(hop.parse()?);
            match network.parse::<IpNet>()? {
                IpNet::V4(network) => v4.push((network.into(), class)),
                IpNet::V6(network) => v6.push((network.into(), class)),
            }
        }
    }
    let (v4, v6) = (Ranges::build(ClassId(0), v4), Ranges::build(ClassId(0), v6));
    let start = Instant::now();
    let four = Dir24_8::compile(&v4)?;
    let mid = Instant::now();
    let six = Six::compile(&v6)?;
    println!(
        "{} + {} ranges; IPv4 {} bytes in {:?}, IPv6 {} bytes in {:?}",
        v4.len(),
        v6.len(),
        four.memory_bytes(),
        mid - start,
        six.memory_bytes(),
        mid.elapsed()
    );
    let text = fs::read_to_string(folder.join("keys4"))?;
    let keys = text.lines().map(|line| line.parse::<Ipv4Addr>().map(u32::from));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    arms("IPv4", &keys, scale, |key| four.find(key), |keys, out| four.find_batch(keys, out));
    let text = fs::read_to_string(folder.join("keys6"))?;
    let keys = text.lines().map(|line| line.parse::<Ipv6Addr>().map(u128::from));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    arms("IPv6", &keys, scale, |key| six.find(key), |keys, out| six.find_batch(keys, out));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["make", database, count, folder] => make(database, count.parse()?, Path::new(folder)),
        ["ask", folder] => ask(Path::new(folder), 1.0),
        ["ask", folder, ghz] => ask(Path::new(folder), ghz.parse()?),
        _ => Err("usage: routes make DATABASE COUNT FOLDER | routes ask FOLDER [TSC_GHZ]".into()),
    }
}
