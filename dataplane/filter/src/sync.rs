//! The atomics of [`stamps`](crate::stamps) by a name of this crate: `bench/models` compiles that file
//! with loom's in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
