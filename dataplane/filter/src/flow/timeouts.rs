//! How long a silent flow is remembered, by protocol and by how far it has come.
//!
//! The defaults are what NATs must keep at least: TCP 2 h 4 min (RFC 5382), UDP 5 min (RFC 4787),
//! ICMP 60 s (RFC 5508); a datagram's fragments have as long as Linux waits for them. On the path
//! of a packet a timeout is one load from a table of [`Timing`] by [`State`].

use lookup::Proto;

use super::State;

/// Seconds of silence after which a flow is forgotten; each 1 to [`Timeouts::MOST_S`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP that was seen from one side only, or that only shakes hands.
    pub tcp_opening_s: u32,
    /// TCP that was seen from both sides.
    pub tcp_open_s: u32,
    /// TCP after a FIN or RST.
    pub tcp_closing_s: u32,
    /// UDP without an answer.
    pub udp_opening_s: u32,
    /// UDP with one.
    pub udp_open_s: u32,
    /// ICMP queries.
    pub icmp_s: u32,
    /// Any other protocol, seen from one side.
    pub other_opening_s: u32,
    /// Any other protocol, seen from both sides.
    pub other_open_s: u32,
    /// The rest of a datagram after its first fragment.
    pub fragment_s: u32,
}

impl Timeouts {
    /// A week: far below what a clock of 32 bits in milliseconds can tell.
    pub const MOST_S: u32 = 604_800;
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_opening_s: 60,
            tcp_open_s: 7440,
            tcp_closing_s: 120,
            udp_opening_s: 30,
            udp_open_s: 300,
            icmp_s: 60,
            other_opening_s: 30,
            other_open_s: 300,
            fragment_s: 30,
        }
    }
}

/// Protocols with timeouts of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Timing {
    #[default]
    Other,
    Tcp,
    Udp,
    Icmp,
    /// Of any protocol, and no longer allowed as a service's: it may give way, but who is refused
    /// cannot make it forgotten sooner than an open one.
    Former,
}

impl Timing {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 5] = [Self::Other, Self::Tcp, Self::Udp, Self::Icmp, Self::Former];

    pub(crate) fn of(proto: Proto) -> Self {
        match proto {
            Proto::TCP => Self::Tcp,
            Proto::UDP => Self::Udp,
            Proto::ICMP => Self::Icmp,
            _ => Self::Other,
        }
    }
}

/// Timeouts of one protocol in milliseconds, by [`State`].
pub(crate) type Row = [u32; 3];

/// [`Timeouts`], ready to be looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    /// By the bits of [`Timing`] and [`State`]: more than there are, so that no lookup needs a check.
    idle_ms: [[u32; 4]; 8],
    /// A flow renews its pinhole no more often than this: an eighth of the shortest timeout.
    pub(crate) renew_ms: u32,
    pub(crate) fragment_ms: u32,
}

/// Renewing costs a hash and two cache lines; this often it does not count.
pub(crate) const RENEW_MS: u32 = 4_000;

impl Lives {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        let ms = |seconds: u32| seconds.clamp(1, Timeouts::MOST_S) * 1000;
        let t = timeouts;
        // As Timing counts; what cannot close has no time for it of its own.
        let rows = [
            [ms(t.other_opening_s), ms(t.other_open_s), ms(t.other_open_s)],
            [ms(t.tcp_opening_s), ms(t.tcp_open_s), ms(t.tcp_closing_s)],
            [ms(t.udp_opening_s), ms(t.udp_open_s), ms(t.udp_open_s)],
            [ms(t.icmp_s); 3],
            [ms(t.tcp_open_s.max(t.udp_open_s).max(t.other_open_s)); 3],
        ];
        let shortest = rows.iter().flatten().copied().min().unwrap_or(RENEW_MS);
        let mut idle_ms = [[0; 4]; 8];
        for (idle_ms, row) in idle_ms.iter_mut().zip(rows) {
            idle_ms[..3].copy_from_slice(&row);
        }
        Self { idle_ms, renew_ms: RENEW_MS.min(shortest / 8), fragment_ms: ms(t.fragment_s) }
    }

    /// Milliseconds of silence after which a flow is forgotten.
    #[inline]
    pub(crate) fn of(&self, timing: Timing, state: State) -> u32 {
        self.of_bits(timing as u8, state as u8)
    }

    /// The same of the three bits of a timing and the two of a state; others of a byte count for nothing.
    #[inline]
    pub(super) fn of_bits(&self, timing: u8, state: u8) -> u32 {
        self.idle_ms[usize::from(timing & 7)][usize::from(state & 3)]
    }

    /// The timeouts of one protocol.
    pub(crate) fn row(&self, timing: Timing) -> Row {
        let [opening, open, closing, _] = self.idle_ms[timing as usize];
        [opening, open, closing]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each protocol and state, and what the defaults say in seconds.
    const DEFAULTS: [(Proto, State, u32); 14] = [
        (Proto::TCP, State::Opening, 60),
        (Proto::TCP, State::Open, 7440),
        (Proto::TCP, State::Closing, 120),
        (Proto::UDP, State::Opening, 30),
        (Proto::UDP, State::Open, 300),
        (Proto::ICMP, State::Opening, 60),
        (Proto::ICMP, State::Open, 60),
        (Proto::SCTP, State::Opening, 30),
        (Proto::SCTP, State::Open, 300),
        (Proto(47), State::Opening, 30),
        (Proto(47), State::Open, 300),
        (Proto(0), State::Open, 300),
        (Proto(255), State::Opening, 30),
        (Proto(136), State::Open, 300),
    ];

    #[test]
    fn every_protocol_and_state_has_its_timeout() {
        let lives = Lives::new(&Timeouts::default());
        for (proto, state, seconds) in DEFAULTS {
            assert_eq!(lives.of(Timing::of(proto), state), seconds * 1000, "{proto:?} {state:?}");
            assert_eq!(lives.row(Timing::of(proto))[state as usize], seconds * 1000);
        }
        assert_eq!((lives.renew_ms, lives.fragment_ms), (3_750, 30_000));
    }

    #[test]
    fn short_timeouts_renew_more_often_and_long_ones_end() {
        let short = Timeouts { udp_opening_s: 1, tcp_open_s: u32::MAX, ..Timeouts::default() };
        let lives = Lives::new(&short);
        assert_eq!(lives.renew_ms, 125);
        assert_eq!(lives.of(Timing::Tcp, State::Open), 604_800_000);
    }
}
