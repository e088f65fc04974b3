//! What a socket is to be like, and what the kernel granted.
//!
//! The sizes follow from one thought: two sockets of one UMEM have eight rings, and no ring may take
//! so many frames that another one starves.

/// How packets are to move between the socket and the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Zero-copy if the driver can, else copy.
    #[default]
    Auto,
    /// The NIC reads and writes the UMEM itself. Fails if the driver cannot.
    ZeroCopy,
    /// The kernel copies each packet between the driver's memory and the UMEM.
    Copy,
    /// As copy, behind a generic XDP program: works with every driver, slowest.
    Skb,
}

/// How packets do move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The NIC reads and writes the UMEM itself.
    ZeroCopy,
    /// The kernel copies each packet.
    Copy,
    /// The kernel copies each packet, behind a generic XDP program.
    Skb,
    /// There is no kernel: see [`sim`](crate::sim).
    Simulated,
}

impl Granted {
    /// The word for it in a configuration and in a status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroCopy => "zerocopy",
            Self::Copy => "copy",
            Self::Skb => "skb",
            Self::Simulated => "simulated",
        }
    }
}

/// How many entries each ring has; each a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// The fill ring.
    pub fill: u32,
    /// The RX ring.
    pub rx: u32,
    /// The TX ring.
    pub tx: u32,
    /// The completion ring.
    pub completion: u32,
}

impl RingSizes {
    /// Rings for one of two sockets that share a UMEM of `frames`: an eighth each, so that all
    /// eight rings can be full at once and no socket can take all frames from the other.
    #[must_use]
    pub fn for_frames(frames: u32) -> Self {
        let size = 1 << (frames / 8).max(64).ilog2();
        Self { fill: size, rx: size, tx: size, completion: size }
    }
}

/// What a socket is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// How packets are to move.
    pub mode: Mode,
    /// How large the rings are.
    pub rings: RingSizes,
    /// In copy mode, how many packets the kernel may send in one call (`XDP_MAX_TX_SKB_BUDGET`,
    /// Linux 6.17; older ones send 32). At most the size of the TX ring.
    pub tx_budget: u32,
    /// In copy mode, how much kernel memory packets on their way may take.
    pub send_buffer_bytes: usize,
}

impl SocketConfig {
    /// The default for one of two sockets that share a UMEM of `frames`.
    #[must_use]
    pub fn for_frames(frames: u32) -> Self {
        let rings = RingSizes::for_frames(frames);
        Self {
            mode: Mode::Auto,
            rings,
            tx_budget: 256,
            send_buffer_bytes: rings.tx as usize * 4096,
        }
    }
}
