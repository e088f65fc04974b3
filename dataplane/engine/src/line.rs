//! One line of the drop log: a drop record with names, country and operator beside it.
//!
//! The format is that of Suricata's EVE
//! (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>), with one object `palisade`
//! beside it.

use std::net::IpAddr;

use filter::DropRecord;
use lookup::{Legend, Side};
use serde::Serialize;

/// One line of the log.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
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
    /// What the log says of a record, with the names and origins of the revision that judged.
    pub(crate) fn new(
        record: &DropRecord,
        legend: Option<&'a Legend>,
        interfaces: &'a [String; 2],
    ) -> Self {
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
