//! The lock-free parts of the gateway under [loom]: their own source files, compiled a second time
//! over loom's atomics, so that a model runs every order of steps and every stale read.
//!
//! ```text
//!  dataplane/filter  stamps.rs, pinhole.rs, flow/progress.rs --.
//!  dataplane/engine  publish.rs                                +-- #[path] --> loom's atomics, Arc
//!  dataplane/af-xdp  ring.rs                                  --'              and cells by the name
//!                                                                              of `crate::sync`
//! ```
//! What those files import from their crates stands here in the least form that they need
//! (`stand_in`), which is all that a model takes on trust: arc-swap by its documented contract, a
//! ring's mapped memory by loom's cells. No flag of the compiler is needed.
#![forbid(unsafe_op_in_unsafe_fn)]
#![allow(dead_code, reason = "a model needs not all of a file")]
#![allow(unreachable_pub, reason = "the files belong to other crates")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a model fails by panicking"
)]

extern crate self as arc_swap;
extern crate self as lookup;

#[path = "../../../dataplane/filter/src/pinhole.rs"]
mod pinhole;
#[path = "../../../dataplane/filter/src/flow/progress.rs"]
mod progress;
#[path = "../../../dataplane/engine/src/publish.rs"]
mod publish;
#[path = "../../../dataplane/af-xdp/src/ring.rs"]
mod ring;
#[path = "../../../dataplane/filter/src/stamps.rs"]
mod stamps;

mod exchange;
mod place;
pub mod publication;
pub mod rings;
mod stand_in;
mod sync;
pub mod table;

use place as region;
use stand_in::{flow, parse};

pub use exchange::{ArcSwap, Cache};
pub use stand_in::{Revision, Ruleset, Side};
