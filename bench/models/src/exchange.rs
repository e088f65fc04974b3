//! `arc-swap` by its contract, over loom: a swap is atomic and leaves no reader with a reference that
//! is not counted; a cache asks by one relaxed load whether there is something new.
//!
//! The crate itself has no loom build (it counts references by debts that loom does not know); that
//! it holds to its contract is taken from its own tests.

use std::ops::Deref;

use loom::sync::{Arc, Mutex};

use crate::sync::{AtomicU64, Ordering};

/// One `Arc` that can be exchanged.
#[derive(Debug)]
pub struct ArcSwap<T> {
    current: Mutex<Arc<T>>,
    /// The address of `current`, as readers compare it.
    address: AtomicU64,
}

/// A copy of the `Arc` that is brought up to date when asked.
#[derive(Debug)]
pub struct Cache<A, T> {
    source: A,
    cached: T,
}

impl<T> ArcSwap<T> {
    /// Holds `value` first.
    pub fn from_pointee(value: T) -> Self {
        let first = Arc::new(value);
        let address = AtomicU64::new(address_of(&first));
        Self { current: Mutex::new(first), address }
    }

    /// A counted reference to what it holds.
    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&self.current.lock().unwrap())
    }

    /// As [`ArcSwap::load_full`].
    pub fn load(&self) -> Arc<T> {
        self.load_full()
    }

    /// Puts `next` in its place, and gives back what it held.
    pub fn swap(&self, next: Arc<T>) -> Arc<T> {
        let mut current = self.current.lock().unwrap();
        self.address.store(address_of(&next), Ordering::SeqCst);
        std::mem::replace(&mut *current, next)
    }
}

impl<A: Deref<Target = ArcSwap<T>>, T> Cache<A, Arc<T>> {
    /// Holds what `source` holds.
    pub fn new(source: A) -> Self {
        let cached = source.load_full();
        Self { source, cached }
    }

    /// What `source` holds, by one load if it is known already.
    pub fn load(&mut self) -> &Arc<T> {
        let address = self.source.address.load(Ordering::Relaxed);
        if address != address_of(&self.cached) {
            self.cached = self.source.load_full();
        }
        &self.cached
    }
}

fn address_of<T>(value: &Arc<T>) -> u64 {
    Arc::as_ptr(value) as usize as u64
}
