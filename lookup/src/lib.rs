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
//!                                             +-- services: (place, VLAN, proto, port) -> ServiceId
//!                                             +-- matrix:   (ClassId, domain) -> rule
//!                                             `-- Legend:   names and origins, for records
//! ```
//!
//! Pure: no sockets, no threads, no clock.
#![forbid(unsafe_code)]

mod ask;
pub mod diff;
pub mod document;
mod explain;
pub mod export;
mod geo;
mod ids;
mod load;
mod moment;
mod origins;
pub mod policy;
mod ranges;
mod region;
mod ruleset;
mod services;
mod table;
mod verdict;
mod verify;
mod words;

pub use ask::{Ask, AskError};
pub use document::{Finding, LoadError, Problem, Severity};
pub use explain::{ExceptionNote, Explanation, SourceFacts};
pub use geo::{Geo, GeoError, GeoFiles, GeoInfo, Override, pack, unpack};
pub use ids::{Asn, ClassId, Country, DomainId, Revision, RuleId, ServiceId, Vlan};
pub use load::Loaded;
pub use moment::Moment;
pub use origins::{CountryFrom, Origin, OriginId, OriginKey, OriginKeys, Origins};
pub use policy::{Exposure, Policy};
pub use ranges::{Address, Prefix, Ranges};
pub use region::Region;
pub use ruleset::{CompileError, DomainFacts, ExceptionFacts, GeoFacts, Legend, Ruleset};
pub use table::{ClassTable, Dir24_8, Six, TableError};
pub use verdict::{Judgement, Proto, Query, Reason, Side, Verdict};
pub use verify::verify;
pub use words::number;
