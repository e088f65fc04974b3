//! Pinholes: which connections the inside opened, so that any worker lets their replies in.
//!
//! The worker that saw the connection open writes the fingerprint of its key; the one that sees a
//! reply reads it, on a miss of its own flow table only, and keeps a flow from then on. With one or
//! many queues, with or without symmetric RSS, both directions get the same verdict. A pinhole
//! proves who opened, and how far the connection has come over all workers; whether the remote end
//! may answer is asked of the ruleset each time.
//!
//! ```text
//!  worker 0: SYN ------> [ Opening         , 60 s ]
//!  worker 1: SYN ACK --> [ Opening, answered, 60 s ]
//!  worker 0: ACK ------> [ Open            , 2 h   ]     either: FIN of the inside --> [ Closing, 2 min ]
//! ```

use lookup::Side;

use crate::flow::{Key, Progress, Row, State};
use crate::parse::Step;
use crate::stamps::{Stamp, Stamps};

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

    /// How far a connection has come that the inside opened.
    pub(crate) fn find(&self, key: &Key, now_ms: u64) -> Option<Progress> {
        Some(Progress::unpack(self.0.find(self.print(key), now_ms)?.value))
    }

    /// A packet of a connection that has a pinhole: what it has come to, and how long that lasts.
    /// The outside neither makes a pinhole nor prolongs one that the inside closes; nor does the RST
    /// with which the inside refuses what still comes, or the outside could ask for it for ever.
    pub(crate) fn advance(
        &self,
        key: &Key,
        now_ms: u64,
        lives_ms: Row,
        (side, step): (Side, Step),
    ) -> Option<Progress> {
        let stamp = self.0.change(self.print(key), now_ms, |old| {
            let before = Progress::unpack(old.value);
            let after = before.shared_after(side, step);
            if before.state == State::Closing && (side == Side::Outside || step == Step::End) {
                return old;
            }
            let new = stamp(now_ms, lives_ms, after);
            let closes = after.state == State::Closing && before.state != State::Closing;
            if closes { new } else { new.lasting(old) }
        })?;
        Some(Progress::unpack(stamp.value))
    }

    /// The inside opens a connection that has none. False: no place.
    pub(crate) fn open(&self, key: &Key, now_ms: u64, lives_ms: Row, progress: Progress) -> bool {
        self.0.put(self.print(key), now_ms, stamp(now_ms, lives_ms, progress))
    }

    /// Whether pinholes that counted gave way to others in the last `ms`: then to have none does not
    /// prove that there was none.
    pub(crate) fn crowded(&self, now_ms: u64, ms: u32) -> bool {
        self.0.crowded(now_ms, ms)
    }
}

fn stamp(now_ms: u64, lives_ms: Row, progress: Progress) -> Stamp {
    Stamp::new(now_ms + u64::from(lives_ms[progress.state as usize]), progress.pack())
}
