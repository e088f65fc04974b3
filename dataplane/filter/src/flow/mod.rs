//! Flows: what makes two packets one conversation, and the table that remembers verdicts.

#[cfg(test)]
mod crowd;
mod entry;
mod hash;
mod key;
#[cfg(test)]
mod model;
mod progress;
mod table;
mod timeouts;

pub(crate) use entry::Entry;
pub(crate) use hash::{Hasher, fold};
pub(crate) use key::Key;
pub(crate) use progress::{Progress, State};
pub(crate) use table::Table;
pub use timeouts::Timeouts;
pub(crate) use timeouts::{Lives, RENEW_MS, Row, Timing};
