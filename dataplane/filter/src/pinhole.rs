//! Pinholes: which connections the inside opened, so that any worker lets their replies in.
//!
//! The worker that saw the connection open writes the fingerprint of its key; the one that sees a
//! reply reads it, on a miss of its own flow table only, and keeps a flow from then on. With one or
//! many queues, with or without symmetric RSS, both directions get the same verdict. A pinhole
//! proves who opened; whether the remote end may answer is asked of the ruleset each time.

use crate::flow::{Key, State};
use crate::stamps::{Stamp, Stamps};

const OPEN: u32 = 0;
const CLOSING: u32 = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pinholes(Stamps);

impl Pinholes {
    /// Twice the room, so that no set is crowded while the flows fit.
    pub(crate) fn new(flows: usize, key: &[u8; 16]) -> Self {
        Self(Stamps::new(flows.saturating_mul(2), key))
    }

    fn print(&self, key: &Key) -> u64 {
        self.0.print(&key.bytes())
    }

    /// Whether the inside opened this connection, and how far it has come.
    pub(crate) fn find(&self, key: &Key, now_ms: u64) -> Option<State> {
        let stamp = self.0.find(self.print(key), now_ms)?;
        Some(if stamp.value == CLOSING { State::Closing } else { State::Open })
    }

    /// The inside opened (or goes on with) a connection. False: no place.
    pub(crate) fn open(&self, key: &Key, now_ms: u64, timeout_ms: u32) -> bool {
        let new = Stamp::new(now_ms + u64::from(timeout_ms), OPEN);
        self.0.put(self.print(key), now_ms, |old| old.map_or(new, |old| new.lasting(old)))
    }

    /// The inside ends the connection: what is still under way may pass for `timeout_ms`.
    pub(crate) fn close(&self, key: &Key, now_ms: u64, timeout_ms: u32) -> bool {
        let new = Stamp::new(now_ms + u64::from(timeout_ms), CLOSING);
        self.0.put(self.print(key), now_ms, |_| new)
    }
}
