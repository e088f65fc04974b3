//! Settings of a machine that can be read, changed, and put back: each with the command that does it.
//!
//! A value is text, in the words of the command: what [`Setting::read`] answers, [`Setting::write`]
//! takes. Nothing here guesses: what the kernel does not say can't be changed, because it could not be
//! put back.

use std::{fmt, fs, io};

use af_xdp_rs::Interface;
use serde::{Deserialize, Serialize};

use crate::{Tree, facts::Rss, tools};

/// Where a setting lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// A feature of an interface: `on` or `off`.
    Feature {
        /// The interface.
        link: String,
        /// Its name of `ethtool -k` in the kernel.
        name: String,
    },
    /// How many queues of a kind an interface uses.
    Queues {
        /// The interface.
        link: String,
        /// `rx`, `tx` or `combined`.
        kind: String,
    },
    /// How many descriptors a ring of a NIC has.
    Ring {
        /// The interface.
        link: String,
        /// `rx` or `tx`.
        kind: String,
    },
    /// The key that flows are hashed with.
    Key {
        /// The interface.
        link: String,
    },
    /// Over how many queues flows are spread, evenly.
    Spread {
        /// The interface.
        link: String,
    },
    /// Whether an interface is `up` or `down`.
    State {
        /// The interface.
        link: String,
    },
    /// The cores that an interrupt may run on.
    Irq {
        /// Its number.
        number: u32,
        /// The driver's name for it: after a change of queues the number may be another's.
        name: String,
    },
    /// A file of `/proc` or `/sys` with one value.
    File {
        /// Its path.
        path: String,
    },
}

/// A setting and the value that it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub setting: Setting,
    /// The value.
    pub to: String,
}

/// Folders with one folder for each interface.
const LINK_FOLDERS: [&str; 2] = ["/sys/class/net/", "/proc/sys/net/ipv6/conf/"];

/// How a value is set.
enum Command {
    Run(&'static str, Vec<String>),
    Write(String, String),
}

impl Setting {
    /// The interface that it belongs to.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Feature { link, .. }
            | Self::Queues { link, .. }
            | Self::Ring { link, .. }
            | Self::Key { link }
            | Self::Spread { link }
            | Self::State { link } => Some(link),
            Self::Irq { .. } => None,
            Self::File { path } => LINK_FOLDERS
                .iter()
                .find_map(|folder| path.strip_prefix(folder))
                .and_then(|rest| rest.split('/').next()),
        }
    }

    /// Whether changing it stops an interface for a moment.
    #[must_use]
    pub fn stops_traffic(&self) -> bool {
        matches!(self, Self::Queues { .. } | Self::Ring { .. } | Self::State { .. })
    }

    /// Its value now.
    ///
    /// # Errors
    /// When there is no such setting here.
    pub fn read(&self, tree: &Tree) -> io::Result<String> {
        match self {
            Self::Feature { link, name } => {
                let features = find(link)?.all_features().map_err(io::Error::other)?;
                let feature = features.iter().find(|feature| feature.name == *name);
                let on = feature.ok_or_else(|| absent(self))?.on;
                Ok(if on { "on" } else { "off" }.to_owned())
            }
            Self::Queues { link, kind } => {
                let channels = find(link)?.channels().map_err(io::Error::other)?;
                let channels = channels.ok_or_else(|| absent(self))?;
                let ring = match kind.as_str() {
                    "rx" => channels.rx,
                    "tx" => channels.tx,
                    _ => channels.combined,
                };
                Ok(ring.now.to_string())
            }
            Self::Ring { link, kind } => {
                let rings = find(link)?.rings().map_err(io::Error::other)?;
                let rings = rings.ok_or_else(|| absent(self))?;
                Ok(if kind == "rx" { rings.rx } else { rings.tx }.now.to_string())
            }
            Self::Key { link } => {
                let rss = Rss::read(link).filter(|rss| !rss.key.is_empty());
                Ok(hex(&rss.ok_or_else(|| absent(self))?.key))
            }
            Self::Spread { link } => {
                let spread = Rss::read(link).and_then(|rss| rss.equal());
                Ok(spread.ok_or_else(|| absent(self))?.to_string())
            }
            Self::State { link } => Ok(if find(link)?.up { "up" } else { "down" }.to_owned()),
            Self::Irq { number, name } => {
                if !tree.path(&format!("/proc/irq/{number}/{name}")).exists() {
                    return Err(absent(self));
                }
                let path = format!("/proc/irq/{number}/smp_affinity_list");
                tree.text(&path).ok_or_else(|| absent(self))
            }
            Self::File { path } => tree.text(path).ok_or_else(|| absent(self)),
        }
    }

    /// Gives it a value, by the command that [`Change`] shows.
    ///
    /// # Errors
    /// What the command or the kernel said.
    pub fn write(&self, tree: &Tree, to: &str) -> io::Result<()> {
        match self.command(to) {
            Command::Run(program, words) => {
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                tools::run(program, &words).map(drop)
            }
            Command::Write(path, value) => fs::write(tree.path(&path), value),
        }
    }

    fn command(&self, to: &str) -> Command {
        let ethtool = |words: &[&str]| {
            Command::Run("ethtool", words.iter().map(|word| (*word).to_owned()).collect())
        };
        match self {
            Self::Feature { link, name } => ethtool(&["-K", link, name, to]),
            Self::Queues { link, kind } => ethtool(&["-L", link, kind, to]),
            Self::Ring { link, kind } => ethtool(&["-G", link, kind, to]),
            Self::Key { link } => ethtool(&["-X", link, "hkey", to]),
            Self::Spread { link } => ethtool(&["-X", link, "equal", to]),
            Self::State { link } => {
                let words = ["link", "set", "dev", link, to];
                Command::Run("ip", words.map(str::to_owned).to_vec())
            }
            Self::Irq { number, .. } => {
                Command::Write(format!("/proc/irq/{number}/smp_affinity_list"), to.to_owned())
            }
            Self::File { path } => Command::Write(path.clone(), to.to_owned()),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature { link, name } => write!(f, "{name} of {link}"),
            Self::Queues { link, kind } => write!(f, "{kind} queues of {link}"),
            Self::Ring { link, kind } => write!(f, "{kind} ring of {link}"),
            Self::Key { link } => write!(f, "hash key of {link}"),
            Self::Spread { link } => write!(f, "queues that {link} spreads flows over"),
            Self::State { link } => write!(f, "state of {link}"),
            Self::Irq { number, name } => write!(f, "cores of interrupt {number} ({name})"),
            Self::File { path } => write!(f, "{path}"),
        }
    }
}

/// The command, as a person would type it.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.setting.command(&self.to) {
            Command::Run(program, words) => write!(f, "{program} {}", words.join(" ")),
            Command::Write(path, value) => write!(f, "echo {value} > {path}"),
        }
    }
}

/// Bytes as `ethtool -X` takes a key.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn find(link: &str) -> io::Result<Interface> {
    Interface::find(link).map_err(io::Error::other)
}

fn absent(setting: &Setting) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {setting}, or it can't be read"))
}
