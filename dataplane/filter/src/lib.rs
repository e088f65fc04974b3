//! Frame bytes to verdict.
//!
//! One [`Filter`] a worker: its flow table, rate limit and counters are its own and never shared.
//! What workers must agree on (which connections the inside opened, which fragments may follow, who
//! is on the outside's link) stands in one lock-free [`Shared`].
//!
//! ```text
//!  frames --> parse --> flow table --hit--------------------------> Forward
//!                            `--miss--> classes (one batch) --> judge --> Forward, insert
//!                                                                 `-----> Drop --> limiter --> Records
//! ```
//!
//! Pure: no sockets, no threads, no clock; the caller says what time it is. Nothing here
//! allocates, locks or panics once [`Filter::new`] has returned.
#![forbid(unsafe_code)]

mod ahead;
pub mod bare;
mod counters;
mod flow;
mod flows;
mod fragment;
mod lease;
mod limiter;
mod neighbour;
mod outcome;
mod parse;
mod pinhole;
mod process;
mod reason;
mod record;
mod shared;
mod stamps;
mod sync;
mod tally;
mod track;
mod verdict;

pub use counters::{Counters, DomainCounters, RecordCounters};
pub use flow::Timeouts;
pub use flows::{Flow, FlowState, Pair};
pub use lease::{LANE_ROWS, Lane, Line};
pub use process::{Action, Actions, BURST, Filter, FilterConfig, Now};
pub use reason::DropReason;
pub use record::{DropRecord, Family, Full, RecordKind, Records};
pub use shared::Shared;
pub use tally::{DomainTally, MAX_DOMAINS, RegionCounters, Source, Spread, Tally};
