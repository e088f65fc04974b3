//! A moment of the world's clock, told by the caller: this crate reads no clock.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Whole seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// RFC 3339, such as `2026-12-01T00:00:00Z` or `2026-12-01T01:00:00+01:00`. A part of a second
    /// is cut off, and what is before 1970 is its first second.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: Timestamp = text.parse().ok()?;
        Some(Self(u64::try_from(stamp.as_second()).unwrap_or(0)))
    }

    /// RFC 3339 in UTC with microseconds, of nanoseconds since 1970.
    #[must_use]
    pub fn text_ns(unix_ns: u64) -> String {
        let stamp = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::MAX);
        format!("{stamp:.6}")
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = i64::try_from(self.0).ok().and_then(|secs| Timestamp::from_second(secs).ok());
        write!(f, "{}", stamp.unwrap_or(Timestamp::MAX))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
