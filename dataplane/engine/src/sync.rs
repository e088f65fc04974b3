//! What [`publish`](crate::publish) shares between threads, by a name of this crate: `bench/models`
//! compiles that file with loom's in its place.

pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
