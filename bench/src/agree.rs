//! Does `palisade explain --batch` say of each address what the database says?
//!
//! The judge is the database itself, read by `maxminddb`: nothing of Palisade's own reading or
//! tables is asked for the expected answer. A policy allows a few countries to one service of each
//! family; addresses are random, and beside the boundaries of random networks of the database.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use maxminddb::{PathElement, Reader};
use serde_json::Value;

use crate::error::system;
use crate::load::Random;
use crate::{Error, Result};

/// The countries that the policy allows.
const ALLOWED: [&str; 5] = ["DE", "FR", "US", "JP", "BR"];

/// Which database against which binary.
#[derive(Debug, clap::Args)]
pub struct Agree {
    /// The country database that judges.
    #[arg(long, value_name = "FILE.mmdb")]
    database: PathBuf,
    /// Let the policy name no database: the embedded table must agree with `--database`.
    #[arg(long)]
    embedded: bool,
    /// Addresses of each family.
    #[arg(long, default_value_t = 1_000_000)]
    addresses: usize,
    /// The binary to ask.
    #[arg(long, value_name = "FILE", default_value = "target/release/palisade")]
    palisade: PathBuf,
}

impl Agree {
    /// Asks and compares; prints the counts.
    ///
    /// # Errors
    /// The first disagreements, or what kept the question from being asked.
    pub fn run(&self) -> Result<()> {
        let bytes = std::fs::read(&self.database)
            .map_err(system("read", &self.database.display().to_string()))?;
        let reader =
            Reader::from_source(bytes).map_err(|error| unusable(&self.database, &error))?;
        let addresses = sample(&reader, self.addresses)?;
        let folder = std::env::temp_dir().join(format!("palisade-agree-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(system("make", "a scratch folder"))?;
        let compared = self.compare(&reader, &addresses, &folder);
        // What stays behind in a scratch folder harms nobody.
        let _ = std::fs::remove_dir_all(&folder);
        let Tally { agreed, unknown, allowed, wrong } = compared?;
        let name = self.database.file_name().unwrap_or_default().to_string_lossy();
        println!(
            "{name}: {agreed} of {} addresses agree ({unknown} without a country, {allowed} allowed)",
            addresses.len()
        );
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::Usage(format!("they disagree, for example:\n{}", wrong.join("\n"))))
    }

    fn compare(
        &self,
        reader: &Reader<Vec<u8>>,
        addresses: &[IpAddr],
        folder: &Path,
    ) -> Result<Tally> {
        let policy = folder.join("policy.toml");
        std::fs::write(&policy, self.policy()?).map_err(system("write", "the policy"))?;
        let mut child = Command::new(&self.palisade)
            .args(["explain", "--batch", "--policy"])
            .arg(&policy)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(system("start", &self.palisade.display().to_string()))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Usage("palisade has no pipes".to_owned()));
        };
        let questions: String = addresses.iter().map(question).collect();
        let asking = thread::spawn(move || input.write_all(questions.as_bytes()));
        let bar = ProgressBar::new(addresses.len() as u64).with_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} addresses")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let mut tally = Tally::default();
        let mut lines = BufReader::new(output).lines();
        for &address in bar.wrap_iter(addresses.iter()) {
            let line = lines.next().and_then(|line| line.ok()).unwrap_or_default();
            let answer: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
            tally.add(address, &expected(reader, address)?, &answer);
        }
        // A child that went early shows as answers that are missing.
        let _ = asking.join();
        let _ = child.wait();
        Ok(tally)
    }

    fn policy(&self) -> Result<String> {
        let geo = if self.embedded {
            String::new()
        } else {
            let path = self.database.canonicalize().map_err(system("find", "the database"))?;
            format!("[geo]\ncountry = {:?}\n", path.display().to_string())
        };
        Ok(format!(
            "{geo}[group.some]\ncountries = {ALLOWED:?}\n\
             [domain.d]\nexposure = \"external\"\nallow = [\"some\"]\n\
             [[domain.d.service]]\nname = \"s\"\n\
             networks = [\"192.0.2.1/32\", \"2001:db8::1/128\"]\n\
             proto = \"tcp\"\nports = [\"443\"]\n"
        ))
    }
}

fn question(address: &IpAddr) -> String {
    let service = if address.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
    format!("{address} {service} tcp 443\n")
}

/// What the database says: the country, and the network that says so.
struct Expected {
    country: Option<String>,
    network: Option<String>,
}

fn expected(reader: &Reader<Vec<u8>>, address: IpAddr) -> Result<Expected> {
    let found = reader.lookup(address).map_err(|error| unusable("the database", &error))?;
    let fields: [&[PathElement<'_>]; 3] = [
        &[PathElement::Key("country"), PathElement::Key("iso_code")],
        &[PathElement::Key("registered_country"), PathElement::Key("iso_code")],
        &[PathElement::Key("country_code")],
    ];
    for field in fields {
        // A flat database has no nested field, and the other way round: both decode to nothing.
        if let Ok(Some(country)) = found.decode_path::<String>(field) {
            let network = found.network().map_err(|error| unusable("the database", &error))?;
            return Ok(Expected { country: Some(country), network: Some(network.to_string()) });
        }
    }
    Ok(Expected { country: None, network: None })
}

#[derive(Debug, Default)]
struct Tally {
    agreed: usize,
    unknown: usize,
    allowed: usize,
    /// The first disagreements.
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, address: IpAddr, expected: &Expected, answer: &Value) {
        let allowed = expected.country.as_deref().is_some_and(|code| ALLOWED.contains(&code));
        let verdict = if allowed { "allow" } else { "drop" };
        let source = &answer["source"];
        let agrees = answer["verdict"] == verdict
            && source["country"].as_str() == expected.country.as_deref()
            && source["prefix"].as_str() == expected.network.as_deref();
        self.agreed += usize::from(agrees);
        self.unknown += usize::from(expected.country.is_none());
        self.allowed += usize::from(allowed);
        if !agrees && self.wrong.len() < 10 {
            let Expected { country, network } = expected;
            self.wrong.push(format!(
                "{address}: expected {verdict}, {country:?} by {network:?}; got {answer}"
            ));
        }
    }
}

/// `count` addresses of each family: half random, half first, last and next to them of random
/// networks.
fn sample(reader: &Reader<Vec<u8>>, count: usize) -> Result<Vec<IpAddr>> {
    let mut random = Random::new(1);
    let mut edges = [HashSet::new(), HashSet::new()];
    for found in reader
        .networks(maxminddb::WithinOptions::default())
        .map_err(|e| unusable("the database", &e))?
    {
        let found = found.map_err(|error| unusable("the database", &error))?;
        let network = found.network().map_err(|error| unusable("the database", &error))?;
        let (first, last) = (network.network(), network.broadcast());
        edges[usize::from(first.is_ipv6())].extend([first, last, before(first), after(last)]);
    }
    let mut addresses = Vec::with_capacity(2 * count);
    for (family, edges) in edges.into_iter().enumerate() {
        let edges: Vec<IpAddr> = edges.into_iter().collect();
        for index in 0..count {
            let pick = random.below(edges.len() as u128) as usize;
            addresses.push(match (index % 2, edges.get(pick), family) {
                (0, Some(edge), _) => *edge,
                (_, _, 0) => IpAddr::V4(Ipv4Addr::from_bits(random.next_u64() as u32)),
                // Half of the random ones in 2000::/3, where the networks are.
                _ if random.next_u64() & 1 == 0 => {
                    let bits = random.next_u128() >> 3 | 1 << 125;
                    IpAddr::V6(Ipv6Addr::from_bits(bits))
                }
                _ => IpAddr::V6(Ipv6Addr::from_bits(random.next_u128())),
            });
        }
    }
    Ok(addresses)
}

fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().wrapping_sub(1)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().wrapping_sub(1)).into(),
    }
}

fn after(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().wrapping_add(1)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().wrapping_add(1)).into(),
    }
}

fn unusable(what: impl AsRef<Path>, error: &maxminddb::MaxMindDbError) -> Error {
    Error::Usage(format!("{}: {error}; name a country database", what.as_ref().display()))
}
