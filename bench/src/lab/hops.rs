//! What the interfaces between generator and sink count: where a frame can be lost without anybody
//! deciding so.
//!
//! ```text
//!  generator -> c0 ==> outside -> peer -> inside ==> s0 -> sink
//!               refused  entered          unsent
//! ```
//! Source: `drivers/net/veth.c`, the statistics of `ethtool -S`.

use serde::Deserialize;

use super::{CLIENT_VETH, INSIDE, Lab, OUTSIDE};
use crate::{Error, Result};

/// Frames so far, at three places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hops {
    /// Frames that found no room in the outside interface's ring.
    pub refused: u64,
    /// Frames that the outside interface took.
    pub entered: u64,
    /// Frames that found no room on the way out of the inside interface.
    pub unsent: u64,
}

#[derive(Deserialize)]
struct Link {
    stats64: Both,
}

#[derive(Deserialize)]
struct Both {
    tx: Way,
}

#[derive(Deserialize)]
struct Way {
    dropped: u64,
}

impl Hops {
    /// The interfaces of a lab.
    ///
    /// # Errors
    /// When `ethtool` or `ip` does not answer.
    pub fn read(lab: &Lab) -> Result<Self> {
        let clients = lab.clients.run(&format!("ethtool -S {CLIENT_VETH}"))?;
        let outside = lab.gateway.run(&format!("ethtool -S {OUTSIDE}"))?;
        let command = format!("ip -j -s link show dev {INSIDE}");
        let text = lab.gateway.run(&command)?;
        let links: Vec<Link> = serde_json::from_str(&text)
            .map_err(|source| Error::Json { object: command, source })?;
        // Frames of both kinds: veth adds those that XDP redirects to those that the stack sends.
        let dropped = links.first().map_or(0, |link| link.stats64.tx.dropped);
        Ok(Self {
            refused: total(&clients, "_xdp_xmit_errors"),
            entered: total(&outside, "_xdp_packets"),
            unsent: dropped,
        })
    }

    /// What was counted since an earlier reading.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            refused: self.refused - before.refused,
            entered: self.entered - before.entered,
            unsent: self.unsent - before.unsent,
        }
    }
}

/// The sum of a statistic over the queues.
fn total(statistics: &str, name: &str) -> u64 {
    let lines = statistics.lines().filter_map(|line| line.trim().split_once(": "));
    lines
        .filter(|(key, _)| key.ends_with(name))
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn queues_add_up() {
        let text = "NIC statistics:\n     peer_ifindex: 2\n     rx_queue_0_xdp_packets: 5\n     \
                    rx_queue_1_xdp_packets: 7\n     tx_queue_0_xdp_xmit: 3\n     \
                    tx_queue_0_xdp_xmit_errors: 2\n";
        assert_eq!(total(text, "_xdp_packets"), 12);
        assert_eq!(total(text, "_xdp_xmit_errors"), 2);
        assert_eq!(total(text, "_nothing"), 0);
    }
}
