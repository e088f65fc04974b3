//! `gateway.toml`: the machine. Every key but `interface` has a default; docs/gateway.md lists them.

mod drops;
mod sandbox;
#[cfg(test)]
mod tests;
mod text;

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use af_xdp_rs::LanePlan;
pub use af_xdp_rs::Mode;
use filter::Timeouts;
use lookup::document::{Document, LoadError, Problem, Source, suggest};
use machine::Plan;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use self::drops::{Drops, Rotate, Syslog};
pub use self::sandbox::{SandboxConfig, SandboxMode};
use self::text::{FileText, HistoryText, TimeoutsText};
use crate::{Error, cores};

/// How a worker waits for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poll {
    /// Never: the core is the worker's alone.
    Busy,
    /// Spins while there is traffic, sleeps when there has been none for a while.
    Adaptive,
    /// Sleeps whenever the rings are empty.
    Interrupt,
}

impl Poll {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("busy", Self::Busy), ("adaptive", Self::Adaptive), ("interrupt", Self::Interrupt)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the XDP program does when no worker serves a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// It drops.
    Closed,
    /// It bridges to the other interface, unjudged.
    Open,
}

/// What is kept of the revisions that were in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The folder that they are kept in; in memory when absent.
    pub path: Option<PathBuf>,
    /// How many.
    pub keep: usize,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { path: None, keep: IN_MEMORY }
    }
}

/// Packets that a worker takes at a time when the configuration does not say, which is the most.
const MOST_BURST: u32 = filter::BURST as u32;

/// Revisions that are kept in memory, and in a folder, when the configuration does not say.
const IN_MEMORY: usize = 64;
const ON_DISK: u32 = 100;

/// A validated `gateway.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it stands, when it was read from a file.
    pub file: Option<PathBuf>,
    /// The policy's path.
    pub policy: PathBuf,
    /// The interface towards the internet.
    pub outside: String,
    /// The interface towards the protected network.
    pub inside: String,
    /// Worker `i` runs on `cores[i]` and serves queue `i` of both interfaces.
    pub cores: Vec<usize>,
    /// The AF_XDP mode asked for.
    pub mode: Mode,
    /// How workers wait.
    pub poll: Poll,
    /// Packets that a worker takes at a time, at most.
    pub burst: u8,
    /// UMEM frames per worker.
    pub frames: u32,
    /// Flow entries per worker.
    pub flows: usize,
    /// Leases that flows may have, per worker and direction: a power of two, or 0.
    pub leases: u32,
    /// How long silent flows are remembered.
    pub timeouts: Timeouts,
    /// Where drop records go.
    pub drops: Drops,
    /// The control socket.
    pub socket: PathBuf,
    /// The group whose members may use it too, by name or number.
    pub group: Option<String>,
    /// Where metrics are served over TCP, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The history of revisions.
    pub history: HistoryConfig,
    /// What the XDP program does when no worker serves a queue.
    pub fail: FailMode,
    /// What the process gives up.
    pub sandbox: SandboxConfig,
}

const MODES: [(&str, Mode); 4] =
    [("auto", Mode::Auto), ("zerocopy", Mode::ZeroCopy), ("copy", Mode::Copy), ("skb", Mode::Skb)];
const FAILS: [(&str, FailMode); 2] = [("closed", FailMode::Closed), ("open", FailMode::Open)];

impl Config {
    /// Reads and validates the file at `path`; relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// All mistakes in it, each with its place and what to do.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::path("read the configuration", path))?;
        let last = cores::online()?.last().copied().unwrap_or(0);
        let source = Source { name: path.display().to_string(), text };
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(source, folder, last)
            .map(|config| Self { file: std::path::absolute(path).ok(), ..config })
            .map_err(|problems| Error::Config(Box::new(LoadError::from(problems))))
    }

    /// What it asks of the machine.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            interfaces: [self.outside.clone(), self.inside.clone()],
            cores: self.cores.clone(),
            mode: self.mode,
            busy: self.poll == Poll::Busy,
            frames: self.frames,
            flows: self.flows,
            leases: self.leases,
            fail_open: self.fail == FailMode::Open,
        }
    }

    fn read(source: Source, folder: &Path, last_core: usize) -> Result<Self, Vec<Problem>> {
        let mut document = Document::new(source);
        let file = FileText::read(&mut document);
        let [outside, inside] = interfaces(&mut document, &file);
        let workers = file.workers;
        let control = file.control;
        let flows = number(&mut document, workers.flows, 1 << 20, 64, 1 << 26);
        let config = Self {
            file: None,
            policy: folder.join(path(file.policy, "policy.toml")),
            outside,
            inside,
            cores: cores_of(&mut document, workers.cores, last_core),
            mode: choice(&mut document, workers.mode, "mode", &MODES),
            poll: choice(&mut document, workers.poll, "poll mode", &Poll::ALL),
            burst: number(&mut document, workers.burst, MOST_BURST, 1, MOST_BURST) as u8,
            frames: number(&mut document, workers.frames, 16_384, 512, 1 << 22),
            flows: flows as usize,
            leases: leases(&mut document, workers.leases, flows),
            timeouts: timeouts(&mut document, file.timeouts),
            drops: Drops::read(&mut document, file.drops, file.rotate, folder),
            socket: folder.join(path(control.socket, "/run/palisade/control.sock")),
            group: control.group.map(Spanned::into_inner),
            metrics: control.metrics.and_then(|text| address(&mut document, &text)),
            history: history(&mut document, folder, file.history),
            fail: choice(&mut document, file.fail.mode, "fail mode", &FAILS),
            sandbox: SandboxConfig::read(&mut document, file.sandbox, folder),
        };
        document.finish(config).map(|(config, _)| config)
    }
}

fn path(text: Option<Spanned<String>>, default: &str) -> String {
    text.map_or_else(|| default.to_owned(), Spanned::into_inner)
}

/// Outside and inside: both named, and not the same.
fn interfaces(document: &mut Document, file: &FileText) -> [String; 2] {
    const SECTION: &str = "name two interfaces that carry nothing else: [interface] with outside = \
                           \"eth0\" and inside = \"eth1\"";
    let names = [&file.interface.outside, &file.interface.inside].map(Option::as_ref);
    if let [Some(outside), Some(inside)] = names {
        if outside.get_ref() == inside.get_ref() {
            document.error(inside.span(), "outside and inside are the same interface", SECTION);
        }
        for name in [outside, inside] {
            // IFNAMSIZ is 16 with the ending zero (include/uapi/linux/if.h).
            if name.get_ref().is_empty() || name.get_ref().len() > 15 {
                let help = "an interface's name has 1 to 15 bytes; `ip link` lists them";
                document.error(name.span(), "not the name of an interface", help);
            }
        }
    } else {
        let missing = if names[0].is_none() { "outside" } else { "inside" };
        let span = file.interface_span.clone();
        document.error(span, format!("no {missing} interface is named"), SECTION);
    }
    names.map(|name| name.map(|name| name.get_ref().clone()).unwrap_or_default())
}

fn cores_of(
    document: &mut Document,
    cores: Option<Spanned<Vec<Spanned<u32>>>>,
    last_core: usize,
) -> Vec<usize> {
    let Some(cores) = cores else { return vec![last_core] };
    let span = cores.span();
    let cores = cores.into_inner();
    if cores.is_empty() {
        document.error(span, "no cores", "list at least one: one worker runs on each");
    }
    let mut seen = Vec::new();
    for core in cores {
        let number = *core.get_ref() as usize;
        if seen.contains(&number) {
            let help = "each worker has a core of its own: remove one of the two";
            document.error(core.span(), format!("core {number} stands twice"), help);
        }
        seen.push(number);
    }
    seen
}

/// One of a few words; the first is the default.
fn choice<T: Copy>(
    document: &mut Document,
    text: Option<Spanned<String>>,
    what: &str,
    choices: &[(&str, T)],
) -> T {
    let default = choices[0].1;
    let Some(text) = text else { return default };
    let word = text.get_ref();
    if let Some((_, value)) = choices.iter().find(|(name, _)| name == word) {
        return *value;
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    document.error(text.span(), format!("unknown {what} `{word}`"), suggest(word, &names));
    default
}

fn number(
    document: &mut Document,
    value: Option<Spanned<u32>>,
    default: u32,
    least: u32,
    most: u32,
) -> u32 {
    let Some(value) = value else { return default };
    let number = *value.get_ref();
    if (least..=most).contains(&number) {
        return number;
    }
    let help = format!("choose {least} to {most}; the default is {default}");
    document.error(value.span(), format!("{number} is out of range"), help);
    default
}

/// As asked, rounded up to a power of two; else a quarter of the flows: few of many are busy at a time.
fn leases(document: &mut Document, asked: Option<Spanned<u32>>, flows: u32) -> u32 {
    const MOST: u32 = 1 << 22;
    let default = (flows / 4).min(1 << 18);
    match number(document, asked, default, 0, MOST) {
        0 => 0,
        leases => leases.next_power_of_two().max(LanePlan::LEAST),
    }
}

/// Seconds by protocol and state.
fn timeouts(document: &mut Document, text: TimeoutsText) -> Timeouts {
    let default = Timeouts::default();
    let mut seconds = |value, default| number(document, value, default, 1, Timeouts::MOST_S);
    Timeouts {
        tcp_opening_s: seconds(text.tcp_opening, default.tcp_opening_s),
        tcp_open_s: seconds(text.tcp_open, default.tcp_open_s),
        tcp_closing_s: seconds(text.tcp_closing, default.tcp_closing_s),
        udp_opening_s: seconds(text.udp_opening, default.udp_opening_s),
        udp_open_s: seconds(text.udp_open, default.udp_open_s),
        icmp_s: seconds(text.icmp, default.icmp_s),
        other_opening_s: seconds(text.other_opening, default.other_opening_s),
        other_open_s: seconds(text.other_open, default.other_open_s),
        fragment_s: seconds(text.fragment, default.fragment_s),
    }
}

fn history(document: &mut Document, folder: &Path, text: HistoryText) -> HistoryConfig {
    let path = text.path.map(|path| folder.join(path.into_inner()));
    let default = if path.is_some() { ON_DISK } else { IN_MEMORY as u32 };
    HistoryConfig { path, keep: number(document, text.keep, default, 2, 10_000) as usize }
}

fn address(document: &mut Document, text: &Spanned<String>) -> Option<SocketAddr> {
    let address = text.get_ref().parse();
    if address.is_err() {
        let help = "write address:port, such as 127.0.0.1:9477 or [::1]:9477";
        document.error(text.span(), "not an address to listen at", help);
    }
    address.ok()
}
