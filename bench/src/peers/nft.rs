//! The kernel's nftables as a geo-fence: what most people run instead.
//!
//! Each kind is the shortest ruleset that does the job, at its best: connections that are known are
//! accepted first, sets are merged, one counter stands at each end. Nothing is logged.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::fence::Fence;
use super::router::Router;
use crate::compare::FLOWS;
use crate::error::system;
use crate::lab::{Duty, Lab, OUTSIDE};
use crate::{Error, Result};

/// The limit of conntrack for the whole machine: a full table would refuse allowed packets.
const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// The buckets of its hash table.
const BUCKETS: &str = "/sys/module/nf_conntrack/parameters/hashsize";

/// Kinds of rulesets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In forward: conntrack, then a set of intervals.
    Set,
    /// In forward: conntrack, then a map from all networks to marks of countries, then a verdict map.
    Map,
    /// In prerouting, before conntrack, which is not loaded: a set of intervals.
    Raw,
    /// In forward: conntrack alone, any source may open.
    Conntrack,
}

/// What the ruleset counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets let through.
    pub allowed: u64,
    /// Packets dropped.
    pub denied: u64,
    /// Packets that conntrack dropped before they were judged: its table was full.
    pub untracked: u64,
}

/// A running ruleset over a router; both go when dropped.
#[derive(Debug)]
pub struct Nft<'lab> {
    lab: &'lab Lab,
    _router: Router<'lab>,
    _limits: [Limit; 2],
}

impl<'lab> Nft<'lab> {
    /// Loads the ruleset and routes.
    ///
    /// # Errors
    /// When `nft` refuses it, or the router does not start.
    pub fn start(lab: &'lab Lab, core: u32, fence: &Fence, kind: Kind) -> Result<Self> {
        let limits = [Limit::raise(BUCKETS, FLOWS / 2)?, Limit::raise(LIMIT, FLOWS)?];
        load(lab, &ruleset(fence, kind))?;
        let router = Router::start(lab, core, fence.address)?;
        Ok(Self { lab, _router: router, _limits: limits })
    }

    /// What its two counters say.
    ///
    /// # Errors
    /// When `nft` does not answer.
    pub fn counted(&self) -> Result<Counted> {
        let command = "nft list counters table ip peer";
        let text = self.lab.gateway.run(command)?;
        let packets = |name: &str| {
            let rest = text.split(&format!("counter {name} {{")).nth(1)?;
            rest.split("packets ").nth(1)?.split(' ').next()?.parse().ok()
        };
        let none = || Error::Command { command: command.to_owned(), message: text.clone() };
        Ok(Counted {
            allowed: packets("allowed").ok_or_else(none)?,
            denied: packets("denied").ok_or_else(none)?,
            untracked: self.untracked()?,
        })
    }

    /// The column `drop` of conntrack's statistics, over all cores.
    fn untracked(&self) -> Result<u64> {
        const FILE: &str = "/proc/thread-self/net/stat/nf_conntrack";
        let text =
            self.lab.gateway.enter(|| fs::read_to_string(FILE).map_err(system("read", FILE)))?;
        let mut lines = text.lines().map(|line| line.split_whitespace());
        let place = lines.next().and_then(|mut names| names.position(|name| name == "drop"));
        let Some(place) = place else { return Ok(0) };
        let values = lines.filter_map(|mut values| values.nth(place));
        Ok(values.filter_map(|value| u64::from_str_radix(value, 16).ok()).sum())
    }
}

impl Drop for Nft<'_> {
    fn drop(&mut self) {
        let _ = self.lab.gateway.run("nft delete table ip peer");
    }
}

/// The whole ruleset.
#[must_use]
pub fn ruleset(fence: &Fence, kind: Kind) -> String {
    let (address, port) = (fence.address, fence.port);
    let to = format!("iifname {OUTSIDE} ip daddr {address} udp dport {port}");
    let set = || {
        format!(
            "set welcome {{ type ipv4_addr; flags interval; elements = {{ {} }}; }}\n",
            fence.intervals()
        )
    };
    let forward = "type filter hook forward priority 0; policy drop;\n\
                   ct state established,related counter name allowed accept\n";
    let mut text = "table ip peer {\ncounter allowed { }\ncounter denied { }\n".to_owned();
    let chain = match kind {
        Kind::Set => {
            text += &set();
            format!("{forward}{to} ip saddr @welcome counter name allowed accept")
        }
        Kind::Map => {
            let marks = fence.marks();
            let _ = write!(
                text,
                "map country {{ type ipv4_addr : mark; flags interval; elements = {{ {marks} }}; }}\n\
                 chain welcome {{\ncounter name allowed accept\n}}\n",
            );
            let welcome: Vec<String> =
                (1..=fence.countries.len()).map(|mark| format!("{mark} : jump welcome")).collect();
            format!(
                "{forward}{to} meta mark set ip saddr map @country\n\
                 {to} meta mark vmap {{ {} }}",
                welcome.join(", ")
            )
        }
        Kind::Raw => {
            text += &set();
            format!(
                "type filter hook prerouting priority raw; policy accept;\n\
                 {to} ip saddr @welcome counter name allowed accept"
            )
        }
        Kind::Conntrack => format!("{forward}{to} counter name allowed accept"),
    };
    let last = format!("iifname {OUTSIDE} counter name denied drop");
    text + &format!("chain fence {{\n{chain}\n{last}\n}}\n}}\n")
}

fn load(lab: &Lab, ruleset: &str) -> Result<()> {
    let mut command = lab.gateway.command("nft");
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let line = "nft -f -".to_owned();
    let mut child =
        command.spawn().map_err(|source| Error::Start { command: line.clone(), source })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(ruleset.as_bytes()).map_err(system("write to", "nft"))?;
    }
    let output = child.wait_with_output().map_err(system("wait for", "nft"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command { command: line, message: said.chars().take(400).collect() })
}

/// A setting of the machine, raised; what was there before comes back when this is dropped.
#[derive(Debug)]
struct Limit {
    _duty: Duty,
}

impl Limit {
    fn raise(path: &'static str, least: u32) -> Result<Self> {
        let before = fs::read_to_string(path).map_err(system("read", path))?;
        let is: u32 = before.trim().parse().unwrap_or(0);
        if is < least {
            fs::write(path, least.to_string()).map_err(system("write", path))?;
        }
        let duty = Duty::new(move || {
            let _ = fs::write(path, before.trim());
        })?;
        Ok(Self { _duty: duty })
    }
}
