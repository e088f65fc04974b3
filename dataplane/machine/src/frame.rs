//! The size of a frame of packet memory, by the MTUs that it must hold.

use af_xdp_rs::UmemConfig;

/// Bytes of a frame on the wire beyond the MTU: an Ethernet header and two VLAN tags.
const LINK_HEADER_BYTES: u32 = 14 + 2 * 4;
/// The chunk sizes of a UMEM (`net/xdp/xdp_umem.c` asks for 2,048 at least, a page at most).
const SIZES: [u32; 2] = [2048, 4096];

/// The smallest frame that holds a packet of each MTU; the largest where none does.
#[must_use]
pub fn bytes_for(mtus: impl Iterator<Item = u32>) -> u32 {
    let mtu = mtus.max().unwrap_or(0);
    let [_, largest] = SIZES;
    SIZES.into_iter().find(|size| mtu <= mtu_of(*size)).unwrap_or(largest)
}

/// The largest MTU that a frame holds.
#[must_use]
pub fn largest_mtu() -> u32 {
    let [_, largest] = SIZES;
    mtu_of(largest)
}

fn mtu_of(frame_bytes: u32) -> u32 {
    let shape = UmemConfig { frame_bytes, ..UmemConfig::default() };
    shape.packet_bytes() - LINK_HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_holds_all() {
        for (mtus, bytes) in [
            (&[1500, 1500][..], 2048),
            (&[1500, 1770], 2048),
            (&[1500, 1771], 4096),
            (&[3818, 68], 4096),
            (&[9000], 4096),
            (&[], 2048),
        ] {
            assert_eq!(bytes_for(mtus.iter().copied()), bytes, "{mtus:?}");
        }
        assert_eq!(largest_mtu(), 3818);
    }
}
