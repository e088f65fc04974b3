//! Where events go: the log's files, and beside them syslog and journald.
//!
//! ```text
//!            .--> Log of the domain, or of all --> FILE          waits for its file
//!  event ----+--> Outlet --> syslog   (RFC 5424)                 waits for nobody:
//!            '--> Outlet --> journald (native protocol)          what finds no room is counted
//! ```
//! A record is first of all a line of a file, so files hold the logger up when they take nothing (the
//! records then wait in the rings). What stands beside them never does.

mod datagram;
mod journal;
mod syslog;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::datagram::Outlet;
use crate::{
    Error,
    config::{Drops, Rotate, Syslog},
    event::{Event, Names},
    ledger::Ledger,
    log::Log,
    say,
};

/// Bytes of lines that may wait for their files.
const WAITING_BYTES: usize = 1 << 18;
/// What stands for `{domain}` in the log of events that have none.
const NO_DOMAIN: &str = "none";
/// What is replaced in a log's path.
const DOMAIN: &str = "{domain}";

/// Every place that an event goes to.
#[derive(Debug)]
pub(crate) struct Sinks {
    path: PathBuf,
    by_domain: bool,
    rotate: Option<Rotate>,
    /// By domain; one with an empty name when all share one.
    logs: HashMap<String, Log>,
    waiting: usize,
    syslog: Option<Outlet>,
    journal: Option<Outlet>,
    ledger: Arc<Ledger>,
    /// The event as one line, and in the words of the others.
    line: Vec<u8>,
    words: Vec<u8>,
}

/// What a gateway with these drops will have to account for.
pub(crate) fn ledger(drops: &Drops) -> Ledger {
    let mut ledger = Ledger::default();
    if let Some(target) = &drops.syslog {
        let to = match target {
            Syslog::Unix(path) => format!("unix:{}", path.display()),
            Syslog::Udp(address) => format!("udp:{address}"),
        };
        ledger.beside.push(("syslog", to, Arc::default()));
    }
    if let Some(path) = &drops.journald {
        ledger.beside.push(("journald", path.display().to_string(), Arc::default()));
    }
    ledger
}

impl Sinks {
    /// Opens the log; the others are looked for when there is something to say.
    ///
    /// # Errors
    /// When the log or its folder can't be made.
    pub(crate) fn open(drops: &Drops, ledger: Arc<Ledger>) -> Result<Self, Error> {
        let account = |name| {
            let found = ledger.beside.iter().find(|(known, ..)| *known == name);
            found.map(|(.., account)| Arc::clone(account)).unwrap_or_default()
        };
        let syslog = drops.syslog.as_ref().map(|to| match to {
            Syslog::Unix(path) => Outlet::unix("syslog", path.clone(), account("syslog")),
            Syslog::Udp(address) => Outlet::udp("syslog", *address, account("syslog")),
        });
        let journal = drops.journald.as_ref();
        let journal =
            journal.map(|path| Outlet::unix("journald", path.clone(), account("journald")));
        let mut sinks = Self {
            path: drops.path.clone(),
            by_domain: drops.path.to_string_lossy().contains(DOMAIN),
            rotate: drops.rotate,
            logs: HashMap::new(),
            waiting: 0,
            syslog,
            journal,
            ledger,
            line: Vec::new(),
            words: Vec::new(),
        };
        let name = sinks.log_of(None);
        let log = sinks.log(name);
        let path = sinks.path_of(name);
        let log = log.open().map_err(Error::path("open the drop log", &path))?;
        sinks.logs.insert(name.to_owned(), log);
        Ok(sinks)
    }

    /// Whether the files take more lines before the next write.
    pub(crate) fn room(&self) -> bool {
        self.waiting < WAITING_BYTES
    }

    /// Gives an event to every sink.
    pub(crate) fn push(&mut self, event: &Event, names: &Names) {
        self.line.clear();
        let shown = event.show(names);
        if shown.write(&mut self.line).is_err() {
            // Never in practice: an event has nothing that JSON cannot say.
            self.ledger.log.lose(1);
            return;
        }
        if let Some(syslog) = &mut self.syslog {
            self.words.clear();
            syslog::message(&shown, &self.line, &mut self.words);
            syslog.push(&self.words);
        }
        if let Some(journal) = &mut self.journal {
            self.words.clear();
            journal::message(&shown, &self.line, &mut self.words);
            journal.push(&self.words);
        }
        self.line.push(b'\n');
        self.waiting += self.line.len();
        let name = self.log_of(shown.domain());
        if let Some(log) = self.logs.get_mut(name) {
            log.push(&self.line);
            return;
        }
        let mut log = self.log(name);
        log.push(&self.line);
        self.logs.insert(name.to_owned(), log);
    }

    /// Writes what waits; `false` when some of it waits on in front of a file.
    pub(crate) fn flush(&mut self) -> bool {
        for outlet in self.syslog.iter_mut().chain(&mut self.journal) {
            outlet.flush();
        }
        let turns = self.ledger.turns();
        let mut written = true;
        for log in self.logs.values_mut() {
            written &= log.flush(turns);
        }
        self.waiting = self.logs.values().map(Log::waiting).sum();
        let trouble = self.logs.values().find_map(Log::trouble).map(str::to_owned);
        self.ledger.log.set_trouble(trouble);
        written
    }

    /// Whether syslog and journald have everything.
    pub(crate) fn told(&self) -> bool {
        self.syslog.iter().chain(&self.journal).all(Outlet::is_empty)
    }

    /// The end: counts what was not written, `waiting` records in the rings among it.
    pub(crate) fn finish(self, waiting: u64) {
        for outlet in self.syslog.into_iter().chain(self.journal) {
            outlet.finish(waiting);
        }
        self.ledger.log.lose(waiting);
        let unwritten = self.logs.into_values().map(Log::finish).sum::<u64>() + waiting;
        if unwritten > 0 {
            let path = self.path.display();
            say(format_args!("{unwritten} drop records could not be written to {path}"));
        }
    }

    /// The name that an event's log goes by.
    fn log_of<'a>(&self, domain: Option<&'a str>) -> &'a str {
        if self.by_domain { domain.unwrap_or(NO_DOMAIN) } else { "" }
    }

    fn log(&self, name: &str) -> Log {
        Log::new(self.path_of(name), self.rotate, Arc::clone(&self.ledger.log))
    }

    /// A domain's name is not meant for a path: it stays within its folder.
    fn path_of(&self, name: &str) -> PathBuf {
        let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = name.chars().map(safe).collect();
        let name = if name.trim_matches('.').is_empty() { "_".to_owned() } else { name };
        Path::new(&*self.path.to_string_lossy().replace(DOMAIN, &name)).to_owned()
    }
}
