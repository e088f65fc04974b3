//! The least of other modules that the files under test import.

/// The interface that a packet arrived on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the internet.
    Outside,
    /// From the protected network.
    Inside,
}

/// Counts rulesets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u32);

/// A ruleset that tells by whom it is freed.
#[derive(Debug)]
pub struct Ruleset {
    revision: Revision,
    /// The one thread that may free it.
    owner: loom::thread::ThreadId,
}

impl Ruleset {
    /// Freed by the thread that makes it, or the model fails.
    #[must_use]
    pub fn new(revision: u32) -> Self {
        let owner = loom::thread::current().id();
        Self { revision: Revision(revision), owner }
    }

    /// Its number.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

impl Drop for Ruleset {
    fn drop(&mut self) {
        assert_eq!(loom::thread::current().id(), self.owner, "freed by a worker");
    }
}

/// `crate::flow` of the filter.
pub(crate) mod flow {
    pub(crate) use crate::progress::{Progress, State};

    /// Timeouts in milliseconds, by state.
    pub(crate) type Row = [u32; 3];

    /// A flow's key: any bytes.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Key(pub(crate) u8);

    impl Key {
        pub(crate) fn bytes(&self) -> [u8; 1] {
            [self.0]
        }
    }
}

/// `crate::parse` of the filter.
pub(crate) mod parse {
    /// What a packet does to its connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Step {
        Syn,
        SynAck,
        End,
        Segment,
        Datagram,
        Query,
    }
}
