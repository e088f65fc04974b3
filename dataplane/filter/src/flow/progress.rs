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

// A flow's bits.
const STATE: u8 = 3;
const FROM_OUTSIDE: u8 = 4;
const FROM_INSIDE: u8 = 8;

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

    /// Opening, and only `side` was seen: more of it that is no handshake changes nothing. Asked of
    /// [`Progress::pack_all`], as each packet does.
    #[inline]
    pub(super) fn waits(bits: u8, side: Side) -> bool {
        let this = match side {
            Side::Outside => FROM_OUTSIDE,
            Side::Inside => FROM_INSIDE,
        };
        bits == State::Opening as u8 | this
    }

    /// Open, asked of [`Progress::pack_all`].
    #[inline]
    pub(super) fn is_open(bits: u8) -> bool {
        bits & STATE == State::Open as u8
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
        let from_outside = if self.from_outside { FROM_OUTSIDE } else { 0 };
        let from_inside = if self.from_inside { FROM_INSIDE } else { 0 };
        self.state as u8 | from_outside | from_inside
    }

    #[inline]
    pub(super) fn unpack_all(bits: u8) -> Self {
        Self {
            from_inside: bits & FROM_INSIDE != 0,
            ..Self::unpack(u32::from(bits & !FROM_INSIDE))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_say_what_they_stand_for() {
        for bits in 0..16 {
            let progress = Progress::unpack_all(bits);
            if bits & STATE == STATE {
                continue; // no state
            }
            let Progress { state, from_outside, from_inside } = progress;
            assert_eq!(progress.pack_all(), bits);
            assert_eq!(Progress::is_open(bits), state == State::Open);
            let opening = state == State::Opening;
            let waits =
                [opening && from_outside && !from_inside, opening && from_inside && !from_outside];
            let got = [Side::Outside, Side::Inside].map(|side| Progress::waits(bits, side));
            assert_eq!(got, waits, "{progress:?}");
        }
    }
}
