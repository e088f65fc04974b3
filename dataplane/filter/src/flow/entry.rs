//! What is remembered of a flow: one cache line.

use lookup::{DomainId, Side};

use super::{Key, Lives, Progress, State, Timing};
use crate::parse::Step;

/// See the module.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// The ruleset that allowed it.
    pub(crate) revision: u32,
    /// When the last packet came, milliseconds, wrapping.
    pub(crate) seen_ms: u32,
    /// When its pinhole was last renewed, milliseconds, wrapping.
    pub(crate) renewed_ms: u32,
    /// When it was last judged, seconds since 1970 UTC.
    pub(crate) judged_s: u32,
    /// Packets since it was first judged, no more than fit.
    pub(crate) packets: u32,
    domain: u16,
    /// [`Progress::pack_all`].
    progress: u8,
    /// The timing, and whether it is the inside's.
    kind: u8,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// No policy has so many domains.
const NO_DOMAIN: u16 = u16::MAX;
/// Opened from the inside: its replies are allowed, and it has a pinhole.
const EGRESS: u8 = 8;

impl Default for Entry {
    fn default() -> Self {
        Self {
            key: Key::EMPTY,
            revision: 0,
            seen_ms: 0,
            renewed_ms: 0,
            judged_s: 0,
            packets: 0,
            domain: NO_DOMAIN,
            progress: 0,
            kind: 0,
        }
    }
}

impl Entry {
    /// A flow that has come this far; `egress` if the inside opened it.
    pub(crate) fn new(key: Key, progress: Progress, timing: Timing, egress: bool) -> Self {
        let kind = timing as u8 | if egress { EGRESS } else { 0 };
        Self { key, progress: progress.pack_all(), kind, ..Self::default() }
    }

    #[inline]
    pub(crate) fn domain(&self) -> Option<DomainId> {
        (self.domain != NO_DOMAIN).then_some(DomainId(self.domain))
    }

    pub(crate) fn set_domain(&mut self, domain: Option<DomainId>) {
        self.domain = domain.map_or(NO_DOMAIN, |domain| domain.0);
    }

    #[inline]
    pub(crate) fn progress(&self) -> Progress {
        Progress::unpack_all(self.progress)
    }

    #[inline]
    pub(crate) fn set_progress(&mut self, progress: Progress) {
        self.progress = progress.pack_all();
    }

    #[inline]
    pub(crate) fn timing(&self) -> Timing {
        Timing::ALL[usize::from(self.kind & 7) % Timing::ALL.len()]
    }

    pub(crate) fn set_timing(&mut self, timing: Timing) {
        self.kind = self.kind & EGRESS | timing as u8;
    }

    /// The inside opened it.
    #[inline]
    pub(crate) fn egress(&self) -> bool {
        self.kind & EGRESS != 0
    }

    /// The flow was silent for too long.
    #[inline]
    pub(crate) fn expired(&self, now_ms: u32, lives: &Lives) -> bool {
        now_ms.wrapping_sub(self.seen_ms) > lives.of_bits(self.kind, self.progress)
    }

    /// A packet that arrived on `side` changes nothing but the time, as most do.
    #[inline]
    pub(crate) fn settled(&self, side: Side, step: Step, (now_ms, renew_ms): (u32, u32)) -> bool {
        self.stays(side, step) && !(self.egress() && self.due(now_ms, renew_ms))
    }

    /// A packet that arrived on `side` leaves the connection as it is.
    #[inline]
    pub(crate) fn stays(&self, side: Side, step: Step) -> bool {
        let open = Progress::is_open(self.progress);
        let plain = matches!(step, Step::Segment | Step::Datagram | Step::Query | Step::Answer);
        let asks = self.egress() && step == Step::Segment;
        plain && (open || Progress::waits(self.progress, side) && !asks)
    }

    /// A packet that arrived on `side` keeps it alive. Once it is closing, the outside cannot do that to a
    /// connection of the inside, nor can refusals.
    #[inline]
    pub(crate) fn lives_by(&self, side: Side, step: Step) -> bool {
        self.progress().state != State::Closing || self.owner(side) && step != Step::End
    }

    /// A side may open it: the inside its own, either one a service's.
    #[inline]
    pub(crate) fn owner(&self, side: Side) -> bool {
        side == Side::Inside || !self.egress()
    }

    /// Its pinhole was last renewed so long ago.
    #[inline]
    pub(crate) fn due(&self, now_ms: u32, after_ms: u32) -> bool {
        now_ms.wrapping_sub(self.renewed_ms) >= after_ms
    }
}
