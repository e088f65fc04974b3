//! What many records have in common, said once an interval.

use std::net::IpAddr;

use serde::Serialize;

use crate::line::Proto;

/// A line of the log that sums others up.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pattern {
    pub(crate) timestamp: String,
    pub(crate) event_type: &'static str,
    pub(crate) palisade: Facts,
}

/// What kind of pattern it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A source that tries many ports.
    Sweep,
    /// A country that was not seen in a domain before.
    NewCountry,
    /// A service or a domain that many networks try.
    Probed,
    /// A source of many drops.
    #[default]
    Busy,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Sweep, Self::Busy, Self::NewCountry, Self::Probed];

    /// The name in the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::NewCountry => "new_country",
            Self::Probed => "probed",
            Self::Busy => "busy",
        }
    }
}

/// What is known of it. Numbers that a kind does not have are absent.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Facts {
    pub(crate) pattern: Kind,
    /// In words.
    pub(crate) text: String,
    pub(crate) interval_s: u64,
    pub(crate) domain: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) country: Option<String>,
    pub(crate) asn: Option<u32>,
    /// Drops in the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<u64>,
    /// Allowed flows in the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flows_allowed: Option<u64>,
    /// Different ports, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ports: Option<u64>,
    /// Different destinations, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) destinations: Option<u64>,
    /// Different networks, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) networks: Option<u64>,
    pub(crate) exemplars: Vec<Exemplar>,
}

/// One of the packets behind a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Exemplar {
    pub(crate) src_ip: Option<IpAddr>,
    pub(crate) src_port: u16,
    pub(crate) dest_ip: Option<IpAddr>,
    pub(crate) dest_port: u16,
    pub(crate) proto: Proto,
}
