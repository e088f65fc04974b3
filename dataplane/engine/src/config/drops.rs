//! `[drops]`: where drop records go, how many of them, and what is said beside them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use lookup::document::Document;
use toml::Spanned;

use super::{
    number, path,
    text::{DropsText, RotateText},
};

/// `[drops]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drops {
    /// The log; with `{domain}` in it, one for each domain.
    pub path: PathBuf,
    /// Full drop records a second and worker.
    pub records_per_s: u32,
    /// When the log is begun anew; by hand or by logrotate when absent.
    pub rotate: Option<Rotate>,
    /// A syslog server that gets every line too.
    pub syslog: Option<Syslog>,
    /// The socket of a systemd journal that gets every line too.
    pub journald: Option<PathBuf>,
    /// How often patterns are written; never when absent.
    pub patterns: Option<Duration>,
}

/// When a log is begun anew, and how many old ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// Before it would grow beyond this many bytes.
    pub size_bytes: Option<u64>,
    /// At multiples of this time, counted from 1970 UTC: `1d` is midnight UTC.
    pub every: Option<Duration>,
    /// Old ones: `.1` is the newest.
    pub keep: u32,
}

/// Where a syslog server takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syslog {
    /// A datagram socket of this host, such as /dev/log.
    Unix(PathBuf),
    /// RFC 5426.
    Udp(SocketAddr),
}

impl Drops {
    pub(super) fn read(
        document: &mut Document,
        text: DropsText,
        rotate: Option<RotateText>,
        folder: &Path,
    ) -> Self {
        let patterns_s = number(document, text.patterns_s, 60, 0, 86_400);
        Self {
            path: folder.join(path(text.path, "/var/log/palisade/drops.jsonl")),
            records_per_s: number(document, text.rate, 10_000, 0, u32::MAX),
            rotate: rotate.map(|text| rotation(document, text)),
            syslog: text.syslog.and_then(|text| syslog(document, &text)),
            journald: text.journald.map(|text| folder.join(text.into_inner())),
            patterns: (patterns_s > 0).then(|| Duration::from_secs(u64::from(patterns_s))),
        }
    }
}

fn rotation(document: &mut Document, text: RotateText) -> Rotate {
    let by_size = text.size_mb.is_some() || text.every.is_none();
    let size_mb = number(document, text.size_mb, 100, 1, 1 << 20);
    Rotate {
        size_bytes: by_size.then_some(u64::from(size_mb) << 20),
        every: text.every.and_then(|text| every(document, &text)),
        keep: number(document, text.keep, 7, 1, 10_000),
    }
}

/// A time as people write it: `30m`, `12h`, `1d`.
fn every(document: &mut Document, text: &Spanned<String>) -> Option<Duration> {
    const MOST_S: u64 = 366 * 86_400;
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
    let time = units.into_iter().find_map(|(unit, seconds)| {
        let count: u64 = text.get_ref().strip_suffix(unit)?.trim().parse().ok()?;
        count.checked_mul(seconds).filter(|total| (1..=MOST_S).contains(total))
    });
    if time.is_none() {
        let help = "write a number and s, m, h, d or w, such as 12h or 1d; a year at most";
        document.error(text.span(), format!("`{}` is no time", text.get_ref()), help);
    }
    time.map(Duration::from_secs)
}

fn syslog(document: &mut Document, text: &Spanned<String>) -> Option<Syslog> {
    let target = match text.get_ref().split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Some(Syslog::Unix(path.into())),
        Some(("udp", address)) => address.parse().ok().map(Syslog::Udp),
        _ => None,
    };
    if target.is_none() {
        let help = "write unix:/dev/log, or udp:ADDRESS:PORT such as udp:127.0.0.1:514";
        document.error(text.span(), "not where a syslog server listens", help);
    }
    target
}
