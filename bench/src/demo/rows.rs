//! The rows of the demo: who asks for what, and what the policy means for them.
//!
//! The expected column is written by hand from the meaning of `policy.toml` and from where the
//! addresses are known to be; the gateway is not asked.

use std::fmt;

use crate::lab::Service;

/// An attempt to reach a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The client's address.
    pub(super) source: &'static str,
    /// Where that is.
    pub(super) country: &'static str,
    /// What it asks for.
    pub(super) door: Door,
    /// It should get in.
    pub(super) reached: bool,
    /// Why.
    pub(super) why: &'static str,
}

/// Something to knock at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// External domain, HTTP.
    Web,
    /// External domain, UDP.
    Time,
    /// Internal domain, a database.
    Postgres,
    /// A server behind the gateway that no domain names.
    Nameless,
}

impl Door {
    pub(super) const ALL: [Self; 4] = [Self::Web, Self::Time, Self::Postgres, Self::Nameless];

    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::Web | Self::Time => "external",
            Self::Postgres => "internal",
            Self::Nameless => "-",
        }
    }

    pub(super) fn service(self) -> Service {
        match self {
            Self::Web => Service::Http,
            Self::Time => Service::UdpEcho,
            Self::Postgres | Self::Nameless => Service::Database,
        }
    }

    pub(super) fn port(self) -> u16 {
        match self {
            Self::Web => 80,
            Self::Time => 123,
            Self::Postgres => 5432,
            Self::Nameless => 6379,
        }
    }

    /// IPv4 and IPv6.
    pub(super) fn addresses(self) -> [&'static str; 2] {
        match self {
            Self::Web | Self::Time => ["10.1.0.10", "fd00:1::10"],
            Self::Postgres | Self::Nameless => ["10.2.0.10", "fd00:2::10"],
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web => f.write_str("web"),
            Self::Time => f.write_str("time"),
            Self::Postgres => f.write_str("postgres"),
            Self::Nameless => write!(f, "port {}", self.port()),
        }
    }
}

const fn row(
    source: &'static str,
    country: &'static str,
    door: Door,
    reached: bool,
    why: &'static str,
) -> Row {
    Row { source, country, door, reached, why }
}

/// From the outside.
#[rustfmt::skip]
pub(super) const ROWS: [Row; 30] = [
    row("5.9.0.9",       "DE", Door::Web,      true,  "europe may"),
    row("2a01:4f8::9",   "DE", Door::Web,      true,  "europe may"),
    row("51.15.0.9",     "FR", Door::Web,      true,  "europe may"),
    row("2001:41d0::9",  "FR", Door::Web,      true,  "europe may"),
    row("145.58.0.9",    "NL", Door::Time,     true,  "europe may"),
    row("2001:610::9",   "NL", Door::Time,     true,  "europe may"),
    row("203.0.113.9",   "FR", Door::Web,      true,  "an override puts it in France"),
    row("198.51.100.7",  "?",  Door::Web,      true,  "failsafe"),
    row("8.8.8.8",       "US", Door::Web,      false, "not in europe"),
    row("2600::9",       "US", Door::Web,      false, "not in europe"),
    row("166.111.0.9",   "CN", Door::Web,      false, "not in europe"),
    row("240e::9",       "CN", Door::Time,     false, "not in europe"),
    row("200.147.0.9",   "BR", Door::Time,     false, "not in europe"),
    row("2804:14c::9",   "BR", Door::Web,      false, "not in europe"),
    row("133.11.0.9",    "JP", Door::Time,     false, "not in europe"),
    row("2001:200::9",   "JP", Door::Time,     false, "not in europe"),
    row("192.0.2.9",     "?",  Door::Web,      false, "unknown satisfies no country"),
    row("2001:db8::9",   "?",  Door::Web,      false, "unknown satisfies no country"),
    row("10.9.9.9",      "-",  Door::Web,      false, "private satisfies no country"),
    row("88.198.7.7",    "DE", Door::Web,      false, "deny beats allow"),
    row("5.9.0.9",       "DE", Door::Postgres, true,  "the office's network, in Germany"),
    row("2a01:4f8::9",   "DE", Door::Postgres, true,  "the office's network, in Germany"),
    row("78.46.1.9",     "DE", Door::Postgres, false, "in Germany, not the office's network"),
    row("8.8.8.8",       "US", Door::Postgres, false, "the office's network, not in Germany"),
    row("51.15.0.9",     "FR", Door::Postgres, false, "not the office"),
    row("2600::9",       "US", Door::Postgres, false, "not the office"),
    row("198.51.100.7",  "?",  Door::Postgres, true,  "failsafe"),
    row("5.9.0.9",       "DE", Door::Nameless, false, "no domain names this port"),
    row("2a01:4f8::9",   "DE", Door::Nameless, false, "no domain names this port"),
    row("198.51.100.7",  "?",  Door::Nameless, true,  "failsafe, to any port"),
];

/// A connection that a server opens to the outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    /// The outside host.
    pub(super) target: &'static str,
    /// Where that is.
    pub(super) country: &'static str,
    /// It should be reached.
    pub(super) reached: bool,
    /// Why.
    pub(super) why: &'static str,
}

/// The port that hosts on the outside serve.
pub(super) const OUTSIDE_PORT: u16 = 8080;

/// From the inside.
#[rustfmt::skip]
pub(super) const OUTGOING: [Outgoing; 4] = [
    Outgoing { target: "51.15.0.9",   country: "FR", reached: true,  why: "egress to europe" },
    Outgoing { target: "2a01:4f8::9", country: "DE", reached: true,  why: "egress to europe" },
    Outgoing { target: "166.111.0.9", country: "CN", reached: false, why: "no egress there" },
    Outgoing { target: "2600::9",     country: "US", reached: false, why: "no egress there" },
];
