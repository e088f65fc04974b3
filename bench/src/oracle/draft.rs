//! Random policies over a small part of the address space, so that everything overlaps.
//!
//! Written as an operator writes them, text and lists and geo data, and read by the loader that
//! everybody uses. A service that would be an error (two domains, one port) is taken out again, so
//! that what is left is as tangled as a policy may be.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use ipnet::IpNet;
use lookup::{Geo, Policy};

use crate::error::system;
use crate::load::Random;
use crate::{Error, Result};

/// A policy that was drawn, and how it was written.
#[derive(Debug)]
pub struct Draft {
    /// `policy.toml`.
    pub text: String,
    /// What it means.
    pub policy: Policy,
    /// The geo data that it was loaded with.
    pub geo: Geo,
}

/// Around these everything is.
const BASES: [&str; 13] = [
    "10.2.0.0",
    "10.2.3.0",
    "192.0.2.0",
    "203.0.113.77",
    "100.64.0.0",
    "8.8.8.0",
    "0.0.0.0",
    "255.255.255.255",
    "2001:db8::",
    "2001:db8:0:7::9",
    "fc00::",
    "::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const COUNTRIES: [&str; 5] = ["DE", "FR", "LI", "XK", "MC"];
const ASNS: [&str; 4] = ["1", "3320", "64500", "4294967295"];
const PROTOS: [&str; 16] = [
    "tcp", "tcp", "udp", "udp", "sctp", "icmp", "icmp", "any", "any", "udplite", "dccp", "gre",
    "esp", "ospf", "47", "253",
];
/// Names that nftables could stumble over.
const NAMES: [&str; 8] = ["office", "3com", "büro", "b_ro", "set", "ip", "a;b", "x-y.z"];
const VLANS: [u16; 5] = [0, 1, 10, 20, 4094];

/// Draws a policy, with its lists and geo data, into a folder.
///
/// # Errors
/// When the folder cannot be written, or the loader refuses what was drawn.
pub fn draw(seed: u64, folder: &Path) -> Result<Draft> {
    let mut dice = Dice(Random::new(seed));
    let path = folder.join("policy.toml");
    let mut text = head(&mut dice, folder)?;
    let known = groups(&mut dice, folder, &mut text)?;
    if dice.one_in(2) {
        let (allow, deny) = (dice.some(&known, 2), dice.some(&known, 1));
        let _ = writeln!(text, "[egress]\nallow = {allow:?}\ndeny = {deny:?}");
    }
    for index in 0..1 + dice.below(4) {
        domain(&mut dice, &path, &mut text, &known, index);
    }
    fs::write(&path, &text).map_err(system("write", "policy.toml"))?;
    Draft::load(&path).map_err(|error| Error::Usage(format!("seed {seed}: {error}\n{text}")))
}

impl Draft {
    /// A policy that stands in a file.
    ///
    /// # Errors
    /// When it cannot be read, or the loader refuses it.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(system("read", &path.display().to_string()))?;
        let (policy, geo, _) = Policy::load(path, SystemTime::now().into()).map_err(|error| {
            let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
            Error::Usage(problems.join("\n"))
        })?;
        Ok(Self { text, policy, geo })
    }
}

/// Failsafe, databases, overrides.
fn head(dice: &mut Dice, folder: &Path) -> Result<String> {
    let mut text = String::new();
    if dice.one_in(2) {
        let _ = writeln!(text, "failsafe = {:?}", dice.networks(2));
    }
    let _ = writeln!(text, "[geo]\nasn = \"asn.csv\"");
    // Now and then the embedded table, whole.
    if !dice.one_in(8) {
        let _ = writeln!(text, "country = \"country.csv\"");
        write(folder, "country.csv", &table(dice, 16, &COUNTRIES))?;
    }
    write(folder, "asn.csv", &table(dice, 8, &ASNS))?;
    for network in dice.networks(3) {
        let axes = 1 + dice.below(3);
        let _ = writeln!(text, "[[override]]\nnetwork = \"{network}\"");
        if axes & 1 != 0 {
            let _ = writeln!(text, "country = \"{}\"", dice.pick(&COUNTRIES));
        }
        if axes & 2 != 0 {
            let _ = writeln!(text, "asn = {}", dice.pick(&ASNS));
        }
    }
    Ok(text)
}

/// Geo data: networks that nest, in the form of a CSV.
fn table(dice: &mut Dice, most: usize, values: &[&str]) -> String {
    let rows = dice.networks(most).into_iter();
    rows.map(|network| format!("{network},{}\n", dice.pick(values))).collect()
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(folder.join(name), text).map_err(system("write", name))
}

/// Groups of every form; returns the names of all.
fn groups(dice: &mut Dice, folder: &Path, text: &mut String) -> Result<Vec<String>> {
    let mut known: Vec<String> = ["anyone", "private", "unknown"].map(str::to_owned).to_vec();
    for name in NAMES.iter().take(dice.below(NAMES.len() + 1)) {
        let _ = writeln!(text, "[group.\"{name}\"]");
        if dice.one_in(3) {
            let mut parts = dice.some(&known, 3);
            if parts.is_empty() {
                parts.push("private".to_owned());
            }
            let _ = writeln!(text, "any_of = {parts:?}");
        } else {
            let axes = 1 + dice.below(7);
            if axes & 1 != 0 {
                let list = dice.networks(5);
                if dice.one_in(3) {
                    let file = format!("{}.netset", known.len());
                    write(folder, &file, &(list.join("\n") + "\n# the end\n"))?;
                    let _ = writeln!(text, "files = [\"{file}\"]");
                } else {
                    let _ = writeln!(text, "networks = {list:?}");
                }
            }
            if axes & 2 != 0 {
                let first = dice.below(COUNTRIES.len());
                let list = COUNTRIES.iter().skip(first).take(1 + dice.below(3));
                let _ = writeln!(text, "countries = {:?}", list.collect::<Vec<_>>());
            }
            if axes & 4 != 0 {
                let _ = writeln!(text, "asns = [{}]", dice.pick(&ASNS));
            }
        }
        if dice.one_in(3) {
            let _ = writeln!(text, "except = {:?}", dice.some(&known, 2));
        }
        known.push((*name).to_owned());
    }
    Ok(known)
}

fn domain(dice: &mut Dice, path: &Path, text: &mut String, known: &[String], index: usize) {
    let name = ["internal", "d;2", "3rd", "forward"][index % 4];
    let (mut allow, deny) = (dice.some(known, 3), dice.some(known, 1));
    if allow.is_empty() && !dice.one_in(4) {
        allow.push(dice.pick(known).clone());
    }
    let mode = if dice.one_in(6) { "shadow" } else { "enforce" };
    let _ = writeln!(text, "[domain.\"{name}\"]\nmode = \"{mode}\"");
    let _ = writeln!(text, "allow = {allow:?}\ndeny = {deny:?}");
    if dice.one_in(3) {
        let list = VLANS.iter().skip(dice.below(VLANS.len())).take(1 + dice.below(3));
        let list: Vec<u16> = list.copied().collect();
        let _ = writeln!(text, "vlans = {list:?}");
    }
    for number in 0..1 + dice.below(6) {
        let service = service(dice, name, number);
        let longer = format!("{text}{service}");
        // Refused whole or taken: a claim of somebody else's port is an error.
        if Policy::parse(path, longer.clone()).is_ok() {
            *text = longer;
        }
    }
}

fn service(dice: &mut Dice, domain: &str, number: usize) -> String {
    let proto = *dice.pick(&PROTOS);
    let mut text = format!("[[domain.\"{domain}\".service]]\nname = \"s{number}\"\n");
    let _ = writeln!(text, "networks = {:?}\nproto = \"{proto}\"", dice.networks(3));
    let ported = ["tcp", "udp", "sctp", "udplite", "dccp", "any"].contains(&proto);
    if ported {
        let list: Vec<String> = if dice.one_in(3) {
            vec!["any".to_owned()]
        } else {
            (0..1 + dice.below(3)).map(|_| dice.ports()).collect()
        };
        let _ = writeln!(text, "ports = {list:?}");
    }
    let _ = writeln!(text, "carve_out = {}", dice.one_in(2));
    text
}

/// Chance, in words.
pub(super) struct Dice(pub(super) Random);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u128) as usize
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn some(&mut self, list: &[String], most: usize) -> Vec<String> {
        let mut rest = list.to_vec();
        let count = self.below(most + 1).min(rest.len());
        (0..count).map(|_| rest.swap_remove(self.below(rest.len()))).collect()
    }

    fn ports(&mut self) -> String {
        let first = *self.pick(&[1_u16, 2, 80, 255, 256, 257, 511, 1000, 65280, 65535]);
        match self.below(3) {
            0 => first.to_string(),
            _ => format!("{first}-{}", first.saturating_add(*self.pick(&[0, 1, 255, 700]))),
        }
    }

    /// Near a base, or far from it.
    pub(super) fn address(&mut self) -> IpAddr {
        let base: IpAddr = self.pick(&BASES).parse().unwrap_or(IpAddr::from([0; 4]));
        let noise = self.0.next_u128();
        let keep = *self.pick(&[8, 16, 20, 24, 31]);
        match base {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ (noise as u32 >> keep)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ (noise >> (4 * keep))).into()),
        }
    }

    fn networks(&mut self, most: usize) -> Vec<String> {
        let all: BTreeSet<IpNet> = (0..=self.below(most)).map(|_| self.network()).collect();
        all.into_iter().map(|network| network.to_string()).collect()
    }

    fn network(&mut self) -> IpNet {
        let address = match self.one_in(3) {
            true => self.address(),
            false => self.pick(&BASES).parse().unwrap_or(IpAddr::from([0; 4])),
        };
        let lens: &[u8] = match address {
            IpAddr::V4(_) => &[0, 1, 7, 8, 15, 16, 23, 24, 25, 31, 32],
            IpAddr::V6(_) => &[0, 1, 7, 32, 48, 63, 64, 65, 96, 127, 128],
        };
        // Networks of everything drown the rest: seldom.
        let skip = if self.one_in(8) { 0 } else { 3 };
        let len = lens[skip + self.below(lens.len() - skip)];
        IpNet::new(address, len).map_or(IpNet::from(address), |network| network.trunc())
    }
}
