//! The logger: drop records in, EVE-compatible JSON lines out, on a core of its own.
//!
//! It adds what the worker did not carry: names from the [`Legend`] of the revision that judged, and
//! country, operator and database network from the legend's origins. The format is that of Suricata's
//! EVE (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>), with one object
//! `palisade` beside it.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    net::IpAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use filter::DropRecord;
use lookup::{Legend, Revision, Side};
use rtrb::Consumer;
use serde::Serialize;

use crate::Error;

/// How many superseded revisions a record in flight may still be of.
const LEGENDS: usize = 16;
/// How long the logger rests when every ring is empty.
const REST: Duration = Duration::from_millis(10);

/// Names and origins of the recent revisions, newest last; shared with whoever publishes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legends(Arc<Mutex<VecDeque<Known>>>);

/// A revision with its names.
type Known = (Revision, Arc<Legend>);

impl Legends {
    /// Makes a revision known; call it before the first packet is judged by it.
    pub(crate) fn add(&self, revision: Revision, legend: Arc<Legend>) {
        let mut legends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if legends.len() == LEGENDS {
            legends.pop_front();
        }
        legends.push_back((revision, legend));
    }

    fn find(&self, revision: Revision) -> Option<Arc<Legend>> {
        let legends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        legends.iter().rev().find(|(known, _)| *known == revision).map(|(_, l)| Arc::clone(l))
    }
}

/// The drop log and what feeds it.
#[derive(Debug)]
pub(crate) struct Logger {
    rings: Vec<Consumer<DropRecord>>,
    legends: Legends,
    /// The legend of the last record: nearly always the next one's too.
    legend: Option<Known>,
    log: BufWriter<File>,
    interfaces: [String; 2],
    /// Records that could not be written.
    unwritten: Arc<AtomicU64>,
}

impl Logger {
    /// Opens the log at `path` for appending; `interfaces` are the names of outside and inside.
    ///
    /// # Errors
    /// When the log or its folder can't be made.
    pub(crate) fn open(
        path: &Path,
        interfaces: [String; 2],
        rings: Vec<Consumer<DropRecord>>,
        legends: Legends,
        unwritten: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(Error::path("make the folder", folder))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::path("open the drop log", path))?;
        let log = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { rings, legends, legend: None, log, interfaces, unwritten })
    }

    /// Writes until `stop` is set and the rings are empty.
    pub(crate) fn run(mut self, stop: &AtomicBool) {
        loop {
            // Read before draining: what was pushed before the stop is written before the end.
            let last = stop.load(Ordering::Acquire);
            let written = self.drain();
            if written == 0 {
                self.flush();
                if last {
                    return;
                }
                thread::sleep(REST);
            }
        }
    }

    /// Writes what stands in the rings now; returns how many records that were.
    fn drain(&mut self) -> usize {
        let mut rings = std::mem::take(&mut self.rings);
        let mut written = 0;
        for ring in &mut rings {
            let Ok(chunk) = ring.read_chunk(ring.slots()) else { continue };
            for record in chunk {
                self.write(&record);
                written += 1;
            }
        }
        self.rings = rings;
        written
    }

    fn write(&mut self, record: &DropRecord) {
        let legend = self.legend_of(record.revision);
        let line = Line::new(record, legend.as_deref(), &self.interfaces);
        let result = serde_json::to_writer(&mut self.log, &line).map_err(Into::into);
        if result.and_then(|()| self.log.write_all(b"\n")).is_err() {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn legend_of(&mut self, revision: Revision) -> Option<Arc<Legend>> {
        if self.legend.as_ref().is_none_or(|(known, _)| *known != revision) {
            self.legend = self.legends.find(revision).map(|legend| (revision, legend));
        }
        self.legend.as_ref().map(|(_, legend)| Arc::clone(legend))
    }

    fn flush(&mut self) {
        // A full disk is met again by the next write, and counted there.
        let _ = self.log.flush();
    }
}

/// One line of the log.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    event_type: &'static str,
    src_ip: Option<IpAddr>,
    src_port: u16,
    dest_ip: Option<IpAddr>,
    dest_port: u16,
    proto: Proto,
    in_iface: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<[u16; 1]>,
    palisade: Explanation<'a>,
}

/// What Palisade adds to an EVE line.
#[derive(Serialize)]
struct Explanation<'a> {
    country: Option<String>,
    country_from: Option<&'static str>,
    asn: Option<u32>,
    prefix: Option<String>,
    domain: Option<&'a str>,
    service: Option<&'a str>,
    rule: Option<&'a str>,
    reason: &'static str,
    revision: u32,
    suppressed: u32,
    shadow: bool,
}

impl<'a> Line<'a> {
    fn new(record: &DropRecord, legend: Option<&'a Legend>, interfaces: &'a [String; 2]) -> Self {
        let origin = legend.zip(record.remote()).map(|(legend, remote)| legend.origin(remote));
        let [outside, inside] = interfaces;
        Self {
            timestamp: timestamp(record.time_ns),
            event_type: "drop",
            src_ip: record.src(),
            src_port: record.src_port,
            dest_ip: record.dst(),
            dest_port: record.dst_port,
            proto: Proto(record.proto),
            in_iface: match record.side {
                Side::Outside => outside,
                Side::Inside => inside,
            },
            vlan: (record.vlan != 0).then_some([record.vlan]),
            palisade: Explanation {
                country: origin.as_ref().and_then(|o| o.country).map(|c| c.to_string()),
                country_from: origin.as_ref().and_then(|o| o.country_from).map(|f| f.as_str()),
                asn: origin.as_ref().and_then(|o| o.asn).map(|asn| asn.0),
                prefix: origin.as_ref().and_then(|o| o.prefix).map(|prefix| prefix.to_string()),
                domain: legend.zip(record.domain).map(|(legend, id)| legend.domain_name(id)),
                service: legend.zip(record.service).map(|(legend, id)| legend.service_name(id)),
                rule: legend.zip(record.rule).map(|(legend, id)| legend.rule_text(id)),
                reason: record.reason.as_str(),
                revision: record.revision.0,
                suppressed: record.suppressed,
                shadow: record.shadow,
            },
        }
    }
}

/// EVE's names of protocols; a number where there is none.
struct Proto(u8);

impl Serialize for Proto {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => serializer.serialize_str("ICMP"),
            6 => serializer.serialize_str("TCP"),
            17 => serializer.serialize_str("UDP"),
            33 => serializer.serialize_str("DCCP"),
            41 => serializer.serialize_str("IPv6"),
            47 => serializer.serialize_str("GRE"),
            50 => serializer.serialize_str("ESP"),
            58 => serializer.serialize_str("IPv6-ICMP"),
            132 => serializer.serialize_str("SCTP"),
            136 => serializer.serialize_str("UDP-LITE"),
            other => serializer.collect_str(&other),
        }
    }
}

/// RFC 3339 in UTC with microseconds.
fn timestamp(unix_ns: u64) -> String {
    let microseconds = i64::try_from(unix_ns / 1_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(microseconds)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_with_microseconds() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(1_766_275_200_123_456_789), "2025-12-21T00:00:00.123456Z");
    }
}
