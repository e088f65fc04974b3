//! How a new ruleset reaches the workers.
//!
//! ```text
//!  Publisher --store--> ArcSwap <--one atomic load a burst-- Reader (one per worker)
//!      |
//!      `-- retired: the last reference to every superseded ruleset
//! ```
//!
//! A worker looks once a burst, so the burst boundary is the quiescent point: each packet is judged
//! by one ruleset, whole. The publisher keeps a reference to each superseded ruleset until every
//! worker has let go of it, so the tables (tens of megabytes) are never freed on a worker's core.

use arc_swap::{ArcSwap, Cache};
use lookup::{Revision, Ruleset};

use crate::sync::{Arc, AtomicU32, Ordering};

/// The writing end: one per gateway.
#[derive(Debug)]
pub(crate) struct Publisher {
    current: Arc<ArcSwap<Ruleset>>,
    retired: Vec<Arc<Ruleset>>,
    taken: Taken,
}

/// The revision that each reader has taken last: written when it takes another one, read by who waits
/// for the effect of a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Vec<Arc<AtomicU32>>);

/// The reading end: one per worker, moved to its thread.
#[derive(Debug)]
pub(crate) struct Reader {
    cache: Cache<Arc<ArcSwap<Ruleset>>, Arc<Ruleset>>,
    current: Arc<Ruleset>,
    taken: Arc<AtomicU32>,
}

impl Publisher {
    /// Publishes the first ruleset.
    #[must_use]
    pub(crate) fn new(first: Ruleset) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(first));
        Self { current, retired: Vec::new(), taken: Taken::default() }
    }

    /// A reading end for one worker.
    #[must_use]
    pub(crate) fn reader(&mut self) -> Reader {
        let current = self.current();
        let taken = Arc::new(AtomicU32::new(current.revision().0));
        self.taken.0.push(Arc::clone(&taken));
        Reader { cache: Cache::new(Arc::clone(&self.current)), current, taken }
    }

    /// What all readers so far have taken.
    #[must_use]
    pub(crate) fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// The ruleset in force.
    #[must_use]
    pub(crate) fn current(&self) -> Arc<Ruleset> {
        self.current.load_full()
    }

    /// The revision that the next ruleset is to be compiled as.
    #[must_use]
    pub(crate) fn next_revision(&self) -> Revision {
        Revision(self.current.load().revision().0.wrapping_add(1))
    }

    /// Puts `next` in force for every worker's next burst.
    pub(crate) fn publish(&mut self, next: Ruleset) {
        self.retired.push(self.current.swap(Arc::new(next)));
        self.collect();
    }

    /// Frees superseded rulesets that no worker holds any more; returns how many still wait.
    pub(crate) fn collect(&mut self) -> usize {
        self.retired.retain(|ruleset| Arc::strong_count(ruleset) > 1);
        self.retired.len()
    }
}

impl Taken {
    /// Whether every reader judges by this revision, or by one after it.
    #[must_use]
    pub(crate) fn by_all(&self, revision: Revision) -> bool {
        (0..self.0.len()).all(|reader| self.by(reader, revision))
    }

    /// Whether a reader does, by the order in which they were made.
    #[must_use]
    pub(crate) fn by(&self, reader: usize, revision: Revision) -> bool {
        // Numbers go round, and two that are compared are never far apart.
        self.0.get(reader).is_some_and(|taken| {
            let ahead = taken.load(Ordering::Acquire).wrapping_sub(revision.0);
            ahead.cast_signed() >= 0
        })
    }
}

impl Reader {
    /// Whether another ruleset is in force than that of the last refresh.
    #[inline]
    pub(crate) fn superseded(&mut self) -> bool {
        !Arc::ptr_eq(self.cache.load(), &self.current)
    }

    /// Takes the ruleset that is in force: one atomic load. Another one than before is shown to `turn` before
    /// it counts as taken.
    #[inline]
    pub(crate) fn refresh(&mut self, turn: impl FnOnce(&Ruleset)) {
        let next = self.cache.load();
        if Arc::ptr_eq(next, &self.current) {
            return;
        }
        self.current = Arc::clone(next);
        turn(&self.current);
        self.taken.store(self.current.revision().0, Ordering::Release);
    }

    /// The ruleset of the last refresh.
    #[inline]
    #[must_use]
    pub(crate) fn current(&self) -> &Ruleset {
        &self.current
    }
}
