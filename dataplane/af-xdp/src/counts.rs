//! Where the frames of a socket are, and what went wrong, in numbers.
//!
//! A socket counts each hand-over in a counter of its own; what is where follows by subtraction:
//! what was filled and is neither received nor waiting in RX is the kernel's. So for the sockets of
//! one UMEM `free + fill + rx + burst + tx + completion == frames` at any time between two calls.

use rustix::net::xdp::XdpStatistics;

/// How many frames each part of a socket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the fill ring, or taken from it by the kernel and not yet in RX.
    pub fill: u64,
    /// Received and waiting in RX.
    pub rx: u64,
    /// Staged or in the TX ring, or taken from it by the kernel and not yet completed.
    pub tx: u64,
    /// Sent and waiting in the completion ring.
    pub completion: u64,
}

impl Counts {
    /// All frames that the socket holds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.fill + self.rx + self.tx + self.completion
    }
}

/// What the kernel handed over that it should not have. All of it stays 0 with a sound kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Descriptors in RX whose chunk the kernel did not have, or whose content left its chunk.
    pub descriptors: u64,
    /// Addresses in the completion ring whose chunk was not being sent.
    pub completions: u64,
    /// Looks at a ring whose index was further ahead than the ring is large.
    pub indices: u64,
}

/// The kernel's counters of a socket (`XDP_STATISTICS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets dropped for want of a frame to receive into, or because they were too long.
    pub rx_dropped: u64,
    /// Addresses in the fill ring that the kernel refused.
    pub rx_invalid_descs: u64,
    /// Descriptors in the TX ring that the kernel refused.
    pub tx_invalid_descs: u64,
    /// Packets dropped because the RX ring was full.
    pub rx_ring_full: u64,
    /// Times the kernel found the fill ring empty.
    pub fill_ring_empty: u64,
    /// Times the kernel found the TX ring empty.
    pub tx_ring_empty: u64,
}

impl From<XdpStatistics> for Statistics {
    fn from(of: XdpStatistics) -> Self {
        Self {
            rx_dropped: of.rx_dropped,
            rx_invalid_descs: of.rx_invalid_descs,
            tx_invalid_descs: of.tx_invalid_descs,
            rx_ring_full: of.rx_ring_full.unwrap_or(0),
            fill_ring_empty: of.rx_fill_ring_empty_descs.unwrap_or(0),
            tx_ring_empty: of.tx_ring_empty_descs.unwrap_or(0),
        }
    }
}

/// Frames handed over since the socket was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) filled: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) completed: u64,
}

impl Moved {
    /// What is where, given how many entries wait in RX and in the completion ring. A ring of a
    /// kernel that hands over chunks that it does not have counts for no more than it can have.
    pub(crate) fn counts(&self, rx: u32, completion: u32) -> Counts {
        let receiving = self.filled - self.received;
        let sending = self.sent - self.completed;
        let rx = u64::from(rx).min(receiving);
        let completion = u64::from(completion).min(sending);
        Counts { fill: receiving - rx, rx, tx: sending - completion, completion }
    }
}
