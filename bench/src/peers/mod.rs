//! What may stand between the two interfaces of the lab's gateway: Palisade, or what a user would run
//! instead.
//!
//! Each is started on the interfaces of a fresh lab, forwards until it is dropped, and leaves the
//! interfaces as it found them, so that several can take turns in one run.

mod bridge;

pub use bridge::Bridge;
