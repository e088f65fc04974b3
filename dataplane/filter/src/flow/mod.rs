//! Flows: what makes two packets one conversation, and the table that remembers verdicts.

mod hash;
mod key;
#[cfg(test)]
mod model;
mod table;
mod timeouts;

pub(crate) use hash::Hasher;
pub(crate) use key::Key;
pub(crate) use table::{Entry, Table};
pub(crate) use timeouts::{State, timeout_ms};
