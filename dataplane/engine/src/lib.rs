//! Threads and time: what turns the pure crates into a running gateway.
//!
//! ```text
//!  Config --> Gateway::start --> workers (pinned) --drop ring--> logger --> drops.jsonl
//!                 |                 ^        `--board--.
//!                 |             publisher              v
//!                 `--> control socket <-- reload --  State --> status, metrics
//! ```
#![forbid(unsafe_code)]

mod age;
mod board;
mod change;
mod clock;
mod config;
mod control;
mod cores;
mod crew;
mod error;
mod event;
mod flows;
mod gateway;
mod history;
mod idle;
mod interface;
mod ledger;
mod line;
mod log;
mod logger;
mod mail;
mod metrics;
mod orders;
mod pace;
mod pattern;
mod privilege;
mod publish;
mod pulse;
mod recent;
mod records;
mod roster;
mod routes;
mod sandbox;
mod say;
mod sinks;
mod spent;
mod standing;
mod state;
mod status;
mod supervisor;
mod sync;
mod tags;
mod tallies;
mod thread;
mod valve;
mod view;
mod wanted;
mod watch;
mod worker;

pub use age::{DatabaseAge, GeoAge, Warning};
pub use config::{
    Config, Drops, FailMode, HistoryConfig, Mode, Poll, Rotate, SandboxConfig, SandboxMode, Syslog,
};
pub use error::Error;
pub use flows::{FlowStatus, Flows, WantedFlows};
pub use gateway::Gateway;
pub use history::{Confirmation, Database, Entry, EntryFacts, How, Who};
pub use roster::{Roster, RosterChange, WantedRoster, Workers};
pub use routes::rehearsal;
pub use sandbox::SandboxStatus;
pub use say::say;
pub use standing::{ExceptionStatus, PendingStatus, PolicyStatus};
pub use status::{
    AsnStatus, BurstTimes, CountryStatus, DomainStatus, FrameCounts, InterfaceStatus, PacketTimes,
    Packets, RecordCounts, SinkStatus, SourceStatus, Stages, Status, TimeStatus, WorkerState,
    WorkerStatus,
};
pub use wanted::{Choice, Facts, Wanted};
pub use worker::drill::Drill;
