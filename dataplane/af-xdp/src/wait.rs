//! Sleeping until packets come.
//!
//! It is a call of this crate, so that no socket's descriptor ever leaves it: a duplicate would keep
//! the kernel writing to frames that [`Socket::close`] took home.

use std::time::Duration;

use arrayvec::ArrayVec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::socket::Socket;

/// The most sockets that one call waits for.
const SOCKETS: usize = 16;

/// Sleeps until one of `sockets` (the first 16 count) has packets in RX, a signal comes, or `at_most`
/// is over. Simulated sockets never end the sleep.
pub fn wait(sockets: &[Socket], at_most: Duration) {
    let mut sources: ArrayVec<PollFd<'_>, SOCKETS> = sockets
        .iter()
        .filter_map(Socket::fd)
        .take(SOCKETS)
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    let at_most = Timespec {
        tv_sec: at_most.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: at_most.subsec_nanos().into(),
    };
    // A sleep that a signal cut short is a short sleep.
    let _ = poll(&mut sources, Some(&at_most));
}
