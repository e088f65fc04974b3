//! What the sinks of the drop log took, and what they could not take; `status` and metrics read it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::status::SinkStatus;

/// One sink: files, syslog or journald.
#[derive(Debug, Default)]
pub(crate) struct Account {
    written: AtomicU64,
    lost: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Account {
    /// Counts lines that the sink took.
    pub(crate) fn write(&self, lines: u64) {
        self.written.fetch_add(lines, Ordering::Relaxed);
    }

    /// Counts lines that it never will.
    pub(crate) fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines that it never got.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Why it takes nothing now.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says why it takes nothing, or that it does; answers whether that is news.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.is_some() != trouble.is_some();
        *known = trouble;
        changed
    }
}

/// All sinks of a gateway; the files stand first.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The files.
    pub(crate) log: Arc<Account>,
    /// The others, each with its name and where it is.
    pub(crate) beside: Vec<(&'static str, String, Arc<Account>)>,
    /// How often somebody asked for the log to be begun anew.
    turns: AtomicU64,
}

impl Ledger {
    /// Asks for the log to be begun anew.
    pub(crate) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was asked.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// What `status` shows.
    pub(crate) fn status(&self, path: &str) -> Vec<SinkStatus> {
        let show = |name: &str, to: &str, account: &Account| SinkStatus {
            name: name.to_owned(),
            to: to.to_owned(),
            written: account.written.load(Ordering::Relaxed),
            lost: account.lost(),
        };
        let log = show("log", path, &self.log);
        let beside = self.beside.iter().map(|(name, to, account)| show(name, to, account));
        std::iter::once(log).chain(beside).collect()
    }

    /// Why sinks take nothing now.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = String> {
        let accounts = self.beside.iter().map(|(_, _, account)| account);
        std::iter::once(&self.log).chain(accounts).filter_map(|account| account.trouble())
    }
}
