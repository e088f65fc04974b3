//! Socket options that make sending in copy mode cheaper.
//!
//! In copy mode the kernel allocates an skb and copies each packet within `sendto`: about nine
//! tenths of what forwarding a packet costs on veth. Two limits make that worse: a call sends 32
//! packets, and the skbs on their way must fit the socket's send buffer, some 270 by default.
//! Both are raised here as far as the kernel lets us; where it does not, sending is slower and
//! nothing else changes.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::sockopt;

use crate::config::SocketConfig;

/// `XDP_MAX_TX_SKB_BUDGET` of `linux/if_xdp.h`, Linux 6.17; `libc` has no name for it.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;

/// Raises what one call may send and what may be on its way. Call it with the TX ring made.
pub(crate) fn widen_tx(fd: &OwnedFd, config: &SocketConfig) {
    // The forced variant needs CAP_NET_ADMIN and passes `net.core.wmem_max`.
    if sockopt::set_socket_send_buffer_size_force(fd, config.send_buffer_bytes).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(fd, config.send_buffer_bytes);
    }
    set_budget(fd, config.tx_budget.min(config.rings.tx));
}

/// Kernels before 6.17 answer `ENOPROTOOPT`; that is no error.
fn set_budget(fd: &OwnedFd, packets: u32) {
    // SAFETY: `setsockopt` reads `size_of::<u32>()` bytes from the pointer, which is to a live
    // `u32`, and keeps nothing; the descriptor is open, since `fd` owns it. rustix has no call for
    // this option.
    let _ = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_XDP,
            XDP_MAX_TX_SKB_BUDGET,
            (&raw const packets).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
}
