//! How long a silent flow is remembered.
//!
//! Three states are enough for a filter that keeps no sequence numbers. Times are those that NATs
//! must keep at least: TCP 2 h 4 min (RFC 5382), UDP 5 min (RFC 4787), ICMP 60 s (RFC 5508).

use lookup::Proto;

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

/// Milliseconds of silence after which a flow is forgotten.
#[inline]
pub(crate) fn timeout_ms(proto: Proto, state: State) -> u32 {
    match (proto, state) {
        (Proto::TCP, State::Opening) => 60_000,
        (Proto::TCP, State::Open) => 7_440_000,
        (_, State::Closing) => 120_000,
        (Proto::ICMP, _) => 60_000,
        (_, State::Opening) => 30_000,
        (_, State::Open) => 300_000,
    }
}
