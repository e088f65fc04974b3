//! Who may reach what.
//!
//! Policy text and geo databases go in, one immutable [`Ruleset`] comes out. The workers, `check`
//! and `explain` all ask the same `Ruleset`, so what is explained is what is done.
//!
//! ```text
//!  policy.toml --> policy::Policy --.
//!                                    >--> Ruleset::compile --> Ruleset --> judge(...) --> Judgement
//!  mmdb, csv,  --> geo::Geo --------'         |
//!  embedded                                   +-- classes: address -> ClassId  (DIR-24-8, IPv6)
//!                                             +-- services: (place, proto, port) -> ServiceId
//!                                             +-- matrix:   (ClassId, domain) -> rule
//!                                             `-- Legend:   names and origins, for records
//! ```
//!
//! Pure: no sockets, no threads, no clock.
#![forbid(unsafe_code)]

mod ask;
mod explain;
mod geo;
mod ids;
mod load;
mod origins;
/// Reading a TOML file to its end: every mistake with its place and what to do.
pub mod document {
    pub use crate::policy::{
        Check as Document, LoadError, Node, Problem, Section, Source, entries, section, suggest,
        unknown_key, value,
    };
    pub use crate::section;
}
pub mod policy;
mod ranges;
mod ruleset;
mod services;
mod table;
mod verdict;

pub use ask::{Ask, AskError};
pub use explain::{Explanation, SourceFacts};
pub use geo::{Geo, GeoError, GeoFiles, GeoInfo, Override, pack};
pub use ids::{Asn, ClassId, Country, DomainId, Revision, RuleId, ServiceId};
pub use origins::{CountryFrom, Origin, OriginId, OriginKey, OriginKeys, Origins};
pub use policy::{Exposure, Finding, LoadError, Policy, Problem, Severity};
pub use ranges::{Address, Prefix, Ranges};
pub use ruleset::{CompileError, DomainFacts, GeoFacts, Legend, Ruleset};
pub use table::{ClassTable, Dir24_8, Six, TableError};
pub use verdict::{Judgement, Proto, Query, Reason, Side, Verdict};
