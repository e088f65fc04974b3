//! From policy text to a ruleset in force: the whole world, beside `nft -f` of the same networks.
//!
//! Ours runs in a process of its own (this program, called again), so that its memory is its own:
//! it loads a policy, then loads it again while the first is in force, as a reload does after an update of
//! the database, and once more over the database that is there. nft gets the
//! same countries in a network namespace of its own, once as a map of all networks to the mark of
//! their country, which is what ours knows, and once as the set of three countries.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime};

use lookup::{Country, Geo, GeoFiles, Prefix, Revision, Ruleset};

use super::{Tables, differ};
use crate::error::system;
use crate::lab::Namespace;
use crate::record::{Better, Record, Row};
use crate::{Error, Result};

/// A time.
const MS: (&str, Better) = ("ms", Better::Less);
/// A size.
pub(super) const MIB: (&str, Better) = ("MiB", Better::Less);
/// The three that may come in.
const ALLOWED: [&str; 3] = ["DE", "FR", "US"];

/// What a load of ours costs.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Cost {
    /// The first load of a process, in ms.
    first_ms: f64,
    /// A load and the swap while another is in force.
    again_ms: f64,
    /// The same when the files of the databases did not change.
    shared_ms: f64,
    /// Resident with one ruleset.
    resident_mib: f64,
    /// The most at any time, two rulesets and what compiling takes.
    peak_mib: f64,
}

/// Loads a policy twice and prints what it cost: the inner side of the measurement.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The policy.
    policy: PathBuf,
}

impl Load {
    /// Loads and prints.
    ///
    /// # Errors
    /// When the policy cannot be loaded.
    pub fn run(&self) -> Result<()> {
        let load = |revision| {
            let start = Instant::now();
            let loaded = Ruleset::load(&self.policy, SystemTime::now().into(), Revision(revision));
            let (ruleset, _) = loaded.map_err(|error| Error::Usage(error.to_string()))?;
            Ok::<_, Error>((ruleset, start.elapsed().as_secs_f64() * 1000.0))
        };
        let (before, first_ms) = load(1)?;
        let resident_mib = memory_mib("/proc/self/status", "VmRSS:");
        let (after, again_ms) = load(2)?;
        let peak_mib = memory_mib("/proc/self/status", "VmHWM:");
        let start = Instant::now();
        let next = after.reload(&self.policy, None, SystemTime::now().into(), Revision(3));
        let next = next.map_err(|error| Error::Usage(error.to_string()))?.ruleset;
        let shared_ms = start.elapsed().as_secs_f64() * 1000.0;
        if [&after, &next].iter().any(|it| it.class_count() != before.class_count()) {
            return Err(differ("rebuild", "a later load", after.class_count()));
        }
        let cost = Cost { first_ms, again_ms, shared_ms, resident_mib, peak_mib };
        println!("{}", serde_json::json!(cost));
        Ok(())
    }
}

pub(super) fn measure(terms: &Tables) -> Result<Record> {
    let mut record = Record::begin("rebuild");
    let folder = std::env::temp_dir().join(format!("palisade-rebuild-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(system("make", "a scratch folder"))?;
    let done = all(terms, &mut record, &folder);
    // What stays behind in a scratch folder harms nobody.
    let _ = fs::remove_dir_all(&folder);
    done.map(|()| record)
}

fn all(terms: &Tables, record: &mut Record, folder: &Path) -> Result<()> {
    let policy = folder.join("policy.toml");
    write(&policy, &policy_text(terms)?)?;
    let files = GeoFiles { country: terms.database.clone(), asn: None };
    let geo = Geo::load(&files, &[]).map_err(|error| Error::Usage(error.to_string()))?;
    let texts = [nft_map(&geo), nft_set(&geo)];
    let names = ["nft -f, map of all networks", "nft -f, set of three countries"];
    let paths = [folder.join("map.nft"), folder.join("set.nft")];
    for (path, (text, networks)) in paths.iter().zip(&texts) {
        write(path, text)?;
        record.notes.push(format!(
            "{} networks in {}.",
            networks,
            path.file_stem().unwrap_or_default().display()
        ));
    }
    let mut ours: [Vec<f64>; 5] = Default::default();
    let mut theirs: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 1..=terms.rounds {
        println!("rebuild, round {round}");
        let cost = own(&policy)?;
        let Cost { first_ms, again_ms, shared_ms, resident_mib, peak_mib } = cost;
        let values = [first_ms, again_ms, shared_ms, resident_mib, peak_mib];
        for (list, value) in ours.iter_mut().zip(values) {
            list.push(value);
        }
        for (path, [times, sizes]) in paths.iter().zip(&mut theirs) {
            let (ms, mib) = nft(path)?;
            times.push(ms);
            sizes.push(mib);
        }
    }
    let [first, again, shared, resident, peak] = ours;
    for (name, [times, sizes]) in names.into_iter().zip(theirs) {
        let row = Row::beside("whole world rebuilt and swapped", name, MS, again.clone(), times);
        let whole = name.ends_with("networks");
        record.rows.push(if whole { row.asked(5.0, 20.0) } else { row });
        let what = "whole world, memory of the program at its most";
        record.rows.push(Row::beside(what, name, MIB, peak.clone(), sizes));
    }
    record.rows.push(Row::alone("whole world, first load", MS, first));
    let what = "whole world, a new policy over the same database";
    record.rows.push(Row::alone(what, MS, shared));
    let row = Row::alone("whole world, resident with one ruleset", MIB, resident);
    record.rows.push(row.asked(100.0, 100.0));
    let row = Row::alone("whole world, at most during a swap", MIB, peak);
    record.rows.push(row.asked(200.0, 200.0));
    Ok(())
}

fn policy_text(terms: &Tables) -> Result<String> {
    let geo = match &terms.database {
        Some(path) => {
            let path = path.canonicalize().map_err(system("find", "the database"))?;
            format!("[geo]\ncountry = {:?}\n", path.display().to_string())
        }
        None => String::new(),
    };
    Ok(format!(
        "{geo}[group.three]\ncountries = {ALLOWED:?}\n\
         [domain.web]\nexposure = \"external\"\nallow = [\"three\"]\n\
         [[domain.web.service]]\nname = \"https\"\n\
         networks = [\"10.1.0.0/24\", \"2001:db8::/64\"]\nproto = \"tcp\"\nports = [\"443\"]\n"
    ))
}

fn own(policy: &Path) -> Result<Cost> {
    let program = std::env::current_exe().map_err(system("find", "this program"))?;
    let mut command = Command::new(program);
    command.arg("load").arg(policy);
    let line = format!("{command:?}");
    let output =
        command.output().map_err(|source| Error::Start { command: line.clone(), source })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Command { command: line, message });
    }
    serde_json::from_slice(&output.stdout).map_err(|source| Error::Json { object: line, source })
}

/// Milliseconds and MiB at most of one `nft -f` in a namespace that has nothing yet.
fn nft(path: &Path) -> Result<(f64, f64)> {
    let namespace = Namespace::alone("nft")?;
    let start = Instant::now();
    let mut child = namespace
        .command("nft")
        .arg("-f")
        .arg(path)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start { command: "nft -f".to_owned(), source })?;
    let most = watch(&mut child)?;
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    Ok((ms, most))
}

/// Waits for a child and sees how large it grows.
fn watch(child: &mut Child) -> Result<f64> {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    loop {
        most = most.max(memory_mib(&status, "VmHWM:"));
        let ended = child.try_wait().map_err(system("wait for", "nft"))?;
        match ended {
            Some(code) if code.success() => return Ok(most),
            Some(code) => {
                let message = code.to_string();
                return Err(Error::Command { command: "nft -f".to_owned(), message });
            }
            None => std::thread::sleep(std::time::Duration::from_millis(2)),
        }
    }
}

fn memory_mib(status: &str, field: &str) -> f64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(system("write", &path.display().to_string()))
}

/// All prefixes of both families with their countries, as text.
fn prefixes(geo: &Geo, wanted: impl Fn(Country) -> bool) -> [Vec<(String, Country)>; 2] {
    let all = geo.keys();
    let country = |id: &lookup::OriginId| {
        let key = all.keys.get(id.0 as usize)?;
        key.country.filter(|country| wanted(*country))
    };
    let mut lists = [Vec::new(), Vec::new()];
    for (first, last, country) in all.v4.map(country).iter() {
        let Some(country) = country else { continue };
        lists[0].extend(Prefix::cover(first, last).map(|prefix| {
            (format!("{}/{}", std::net::Ipv4Addr::from(prefix.first()), prefix.bits()), *country)
        }));
    }
    for (first, last, country) in all.v6.map(country).iter() {
        let Some(country) = country else { continue };
        lists[1].extend(Prefix::cover(first, last).map(|prefix| {
            (format!("{}/{}", std::net::Ipv6Addr::from(prefix.first()), prefix.bits()), *country)
        }));
    }
    lists
}

/// A map of every network to the mark of its country, and how many networks that is.
fn nft_map(geo: &Geo) -> (String, usize) {
    let lists = prefixes(geo, |_| true);
    let mark = |country: &Country| {
        country.as_str().bytes().fold(0_u32, |mark, letter| mark << 8 | u32::from(letter))
    };
    let elements = |list: &[(String, Country)]| {
        join(list.iter().map(|(network, country)| format!("{network} : {:#x}", mark(country))))
    };
    let text = format!(
        "table inet geo {{\n map four {{ type ipv4_addr : mark; flags interval; elements = {{ {} }} }}\n \
         map six {{ type ipv6_addr : mark; flags interval; elements = {{ {} }} }}\n}}\n",
        elements(&lists[0]),
        elements(&lists[1]),
    );
    (text, lists.iter().map(Vec::len).sum())
}

/// The set of three countries, and how many networks that is.
fn nft_set(geo: &Geo) -> (String, usize) {
    let lists = prefixes(geo, |country| ALLOWED.contains(&country.as_str()));
    let elements =
        |list: &[(String, Country)]| join(list.iter().map(|(network, _)| network.clone()));
    let text = format!(
        "table inet geo {{\n set four {{ type ipv4_addr; flags interval; elements = {{ {} }} }}\n \
         set six {{ type ipv6_addr; flags interval; elements = {{ {} }} }}\n}}\n",
        elements(&lists[0]),
        elements(&lists[1]),
    );
    (text, lists.iter().map(Vec::len).sum())
}

fn join(items: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for item in items {
        // A String takes every write.
        let _ = write!(text, "{}{item}", if text.is_empty() { "" } else { ", " });
    }
    text
}
