//! What the log tells of: a record, or a pattern of many.
//!
//! An event is kept as the worker or the logger made it and is shown when somebody wants to read it:
//! to a file, to syslog, to journald, or to a reader of the recent past. So all of them say the same.

use std::{
    fmt::{self, Display},
    net::IpAddr,
    sync::Arc,
};

use filter::DropRecord;
use lookup::Legend;
use serde_json::Error;

use crate::{line::Line, pattern::Pattern, wanted::Facts};

/// The names of outside and inside.
pub(crate) type Names = [String; 2];

/// Something to tell.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet that was dropped, or might have been; with the names of the revision that judged it.
    Record(DropRecord, Option<Arc<Legend>>),
    /// What many of them have in common.
    Pattern(Arc<Pattern>),
}

/// An event with all its names.
pub(crate) enum Shown<'a> {
    /// A record's line.
    Line(Box<Line<'a>>),
    /// A pattern's.
    Pattern(&'a Pattern),
}

impl Event {
    /// The event with its names, country and operator.
    pub(crate) fn show<'a>(&'a self, names: &'a Names) -> Shown<'a> {
        match self {
            Self::Record(record, legend) => {
                Shown::Line(Box::new(Line::new(record, legend.as_deref(), names)))
            }
            Self::Pattern(pattern) => Shown::Pattern(pattern),
        }
    }
}

impl Shown<'_> {
    /// Writes it as JSON, without a newline.
    ///
    /// # Errors
    /// When it holds what JSON cannot say.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Line(line) => serde_json::to_writer(out, line),
            Self::Pattern(pattern) => serde_json::to_writer(out, pattern),
        }
    }

    /// Its `event_type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Line(line) => line.event_type,
            Self::Pattern(pattern) => pattern.event_type,
        }
    }

    /// Which pattern it is, if it is one.
    fn pattern(&self) -> Option<&'static str> {
        match self {
            Self::Line(_) => None,
            Self::Pattern(pattern) => Some(pattern.palisade.pattern.as_str()),
        }
    }

    /// Whether it sums up others.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }

    /// What readers choose it by.
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            domain: self.domain(),
            country: self.country(),
            asn: self.asn(),
            src: self.src(),
            reason: self.reason(),
            kind: self.kind(),
            pattern: self.pattern(),
        }
    }

    /// When, RFC 3339.
    pub(crate) fn timestamp(&self) -> &str {
        match self {
            Self::Line(line) => &line.timestamp,
            Self::Pattern(pattern) => &pattern.timestamp,
        }
    }

    /// The domain that it is about.
    pub(crate) fn domain(&self) -> Option<&str> {
        match self {
            Self::Line(line) => line.palisade.domain,
            Self::Pattern(pattern) => pattern.palisade.domain.as_deref(),
        }
    }

    /// Why, of a record.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Line(line) => line.palisade.reason,
            Self::Pattern(_) => None,
        }
    }

    /// The country that it is about.
    pub(crate) fn country(&self) -> Option<&str> {
        match self {
            Self::Line(line) => line.palisade.country.as_deref(),
            Self::Pattern(pattern) => pattern.palisade.country.as_deref(),
        }
    }

    /// The operator that it is about.
    pub(crate) fn asn(&self) -> Option<u32> {
        match self {
            Self::Line(line) => line.palisade.asn,
            Self::Pattern(pattern) => pattern.palisade.asn,
        }
    }

    /// Where it came from.
    pub(crate) fn src(&self) -> Option<IpAddr> {
        match self {
            Self::Line(line) => line.src_ip,
            Self::Pattern(pattern) => pattern.palisade.source,
        }
    }
}

/// A sentence for people.
impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => line.fmt(f),
            Self::Pattern(pattern) => pattern.palisade.text.fmt(f),
        }
    }
}
