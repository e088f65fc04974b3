//! What changes between two policies, or for one policy between two databases.
//!
//! ```text
//!  policy, policy ----------------> written: groups, lists, services, in the policy's own terms
//!  policy + geo --> Reading --.
//!                              >--> flips: who gains and loses access, address by address
//!  policy + geo --> Reading --'
//!  networks, VLANs, ports of both --> ground: which service of each a packet meets
//!  ruleset, ruleset, packet ------> Ruleset::explain of both
//! ```
//!
//! Flips are counted, not sampled: two covers of the address space are merged in one pass, so that
//! the figures are exact. Costs: two compilations without lookup tables, and a look at each piece
//! that either cuts; docs/policy.md has the figures.

mod extent;
mod flips;
mod ground;
mod subjects;
mod written;

pub use extent::{ByCountry, Example, Extent};
pub use flips::{Flips, Size, SubjectFlips, flips};
pub use subjects::Subject;
pub use written::{Change, Sign, written};
