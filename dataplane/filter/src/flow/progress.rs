//! How far a connection has come, as far as a filter needs to know that keeps no sequence numbers.
//!
//! ```text
//!             both sides seen,
//!  Opening -- not only shaking hands --> Open
//!     ^  `------- FIN, RST ----.          | FIN, RST
//!     |                        v          v
//!     `-- the owner opens anew -- Closing
//! ```
//!
//! The owner of a connection is who may open it: the inside for its own, either for a service's.
//! A worker's flow and the pinhole that all workers share go through the same states.

use lookup::Side;

use crate::parse::Step;

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum State {
    /// Seen from one side only, or TCP that only shakes hands. May give way to another flow.
    #[default]
    Opening,
    /// Seen from both sides. Never gives way.
    Open,
    /// TCP FIN or RST was seen. May give way.
    Closing,
}

/// The state, and who was seen on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    pub(crate) from_outside: bool,
    pub(crate) from_inside: bool,
}

impl Progress {
    /// What a packet that arrived on `side` makes of it.
    #[inline]
    pub(crate) fn after(mut self, side: Side, owner: bool, step: Step) -> Self {
        match (self.state, step) {
            (_, Step::End) => self.state = State::Closing,
            (State::Closing, Step::Syn | Step::Datagram | Step::Query) if owner => {
                self = Self::default();
            }
            _ => {}
        }
        match side {
            Side::Outside => self.from_outside = true,
            Side::Inside => self.from_inside = true,
        }
        // A forged SYN has an answer too, but nothing follows it.
        let shakes = matches!(step, Step::Syn | Step::SynAck);
        if self.state == State::Opening && !shakes && self.from_inside && self.from_outside {
            self.state = State::Open;
        }
        self
    }

    /// Opening, and only `side` was seen: more of it that is no handshake changes nothing.
    #[inline]
    pub(crate) fn waits(self, side: Side) -> bool {
        let (this, other) = match side {
            Side::Outside => (self.from_outside, self.from_inside),
            Side::Inside => (self.from_inside, self.from_outside),
        };
        self.state == State::Opening && this && !other
    }

    /// [`Progress::after`] for a connection of the inside as all workers know it. The outside's FIN or RST does
    /// not end it: it may be forged, and the inside has not said goodbye.
    pub(crate) fn shared_after(self, side: Side, step: Step) -> Self {
        match (side, step) {
            (Side::Outside, Step::End) => self.after(side, false, Step::SynAck),
            _ => self.after(side, side == Side::Inside, step),
        }
    }

    /// In three bits; the inside was always seen of what it opened.
    pub(crate) fn pack(self) -> u32 {
        self.state as u32 | u32::from(self.from_outside) << 2
    }

    /// In four bits, as a flow keeps it.
    #[inline]
    pub(super) fn pack_all(self) -> u8 {
        self.state as u8 | u8::from(self.from_outside) << 2 | u8::from(self.from_inside) << 3
    }

    #[inline]
    pub(super) fn unpack_all(bits: u8) -> Self {
        Self { from_inside: bits >> 3 & 1 != 0, ..Self::unpack(u32::from(bits & 7)) }
    }

    #[inline]
    pub(crate) fn unpack(bits: u32) -> Self {
        let state = match bits & 3 {
            0 => State::Opening,
            1 => State::Open,
            _ => State::Closing,
        };
        Self { state, from_outside: bits >> 2 & 1 != 0, from_inside: true }
    }
}
