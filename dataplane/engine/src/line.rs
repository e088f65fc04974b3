//! One line of the drop log: a drop record with names, country and operator beside it.
//!
//! The format is that of Suricata's EVE
//! (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>), with one object `palisade`
//! beside it.

use std::{borrow::Cow, fmt, net::IpAddr};

use filter::{DropReason, DropRecord, RecordKind};
use lookup::{Legend, Side};
use serde::Serialize;

/// One line of the log.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) timestamp: String,
    pub(crate) event_type: &'static str,
    pub(crate) src_ip: Option<IpAddr>,
    src_port: u16,
    dest_ip: Option<IpAddr>,
    dest_port: u16,
    proto: Proto,
    in_iface: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<[u16; 1]>,
    pub(crate) palisade: Explanation<'a>,
}

/// What Palisade adds to an EVE line.
#[derive(Serialize)]
pub(crate) struct Explanation<'a> {
    pub(crate) country: Option<String>,
    country_from: Option<&'static str>,
    pub(crate) asn: Option<u32>,
    prefix: Option<String>,
    pub(crate) domain: Option<&'a str>,
    service: Option<&'a str>,
    rule: Option<&'a str>,
    pub(crate) reason: Option<&'static str>,
    revision: u32,
    suppressed: u32,
    shadow: bool,
    /// Of an exception that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl<'a> Line<'a> {
    /// What the log says of a record, with the names and origins of the revision that judged.
    pub(crate) fn new(
        record: &DropRecord,
        legend: Option<&'a Legend>,
        interfaces: &'a [String; 2],
    ) -> Self {
        let origin = legend.zip(record.remote()).map(|(legend, remote)| legend.origin(remote));
        let exception = legend.zip(record.rule).and_then(|(legend, id)| legend.exception(id));
        let [outside, inside] = interfaces;
        Self {
            timestamp: timestamp(record.time_ns),
            event_type: if record.kind == RecordKind::Exception { "exception" } else { "drop" },
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
                reason: record.reason().map(DropReason::as_str),
                revision: record.revision.0,
                suppressed: record.suppressed,
                shadow: matches!(record.kind, RecordKind::Shadow(_)),
                owner: exception.map(|exception| exception.owner.as_str()),
                until: exception.map(|exception| exception.until.to_string()),
            },
        }
    }
}

/// `drop 203.0.113.9:999 -> 10.2.0.5:5432/TCP not_allowed (internal/postgres, default), US AS64500`
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type, palisade: why, .. } = self;
        let src = End(self.src_ip, self.src_port);
        let dest = End(self.dest_ip, self.dest_port);
        write!(
            f,
            "{event_type} {src} -> {dest}/{} {}",
            self.proto.name(),
            why.reason.unwrap_or("allowed")
        )?;
        if let (Some(domain), Some(service)) = (why.domain, why.service) {
            write!(f, " ({domain}/{service}, {})", why.rule.unwrap_or("no rule"))?;
        }
        write!(f, ", {}", why.country.as_deref().unwrap_or("no country"))?;
        why.asn.map_or(Ok(()), |asn| write!(f, " AS{asn}"))?;
        if why.suppressed > 0 {
            write!(f, ", {} more suppressed", why.suppressed)?;
        }
        Ok(())
    }
}

/// An address with its port, as people write it.
struct End(Option<IpAddr>, u16);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(None, _) => f.write_str("?"),
            Self(Some(address), port) => std::net::SocketAddr::new(address, port).fmt(f),
        }
    }
}

/// EVE's names of protocols; a number where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proto(pub(crate) u8);

impl Proto {
    pub(crate) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.0 {
            1 => "ICMP",
            6 => "TCP",
            17 => "UDP",
            33 => "DCCP",
            41 => "IPv6",
            47 => "GRE",
            50 => "ESP",
            58 => "IPv6-ICMP",
            132 => "SCTP",
            136 => "UDP-LITE",
            other => return Cow::Owned(other.to_string()),
        })
    }
}

impl Serialize for Proto {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn timestamp(unix_ns: u64) -> String {
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
