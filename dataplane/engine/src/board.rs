//! Where a worker shows its counters, and `status` reads them.
//!
//! The worker copies a whole snapshot at a burst boundary, so both identities hold in what is read.
//! It takes the lock only when nobody holds it and skips the turn otherwise: a worker never waits.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// One slot, written by its worker and read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Board<T>(Arc<Mutex<T>>);

impl<T> Clone for Board<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Board<T> {
    /// A board that shows `first` until the worker writes.
    #[must_use]
    pub(crate) fn new(first: T) -> Self {
        Self(Arc::new(Mutex::new(first)))
    }

    /// Shows what `write` puts there, unless a reader is looking: then `false`, try again next time.
    pub(crate) fn show(&self, write: impl FnOnce(&mut T)) -> bool {
        match self.0.try_lock() {
            Ok(mut slot) => write(&mut slot),
            Err(TryLockError::Poisoned(slot)) => write(&mut slot.into_inner()),
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }

    /// Shows what `write` puts there, whoever looks: for a moment in which no worker does.
    pub(crate) fn put(&self, write: impl FnOnce(&mut T)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A little of what was shown last, without a copy of the rest.
    pub(crate) fn look<U>(&self, at: impl FnOnce(&T) -> U) -> U {
        at(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of what was shown last.
    #[must_use]
    pub(crate) fn read(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
