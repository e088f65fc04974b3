//! A sink that takes datagrams: it is sent to without waiting, and what it does not take is counted.
//!
//! ```text
//!  push --> queue (bounded; full: lost) --send, until it would block--> socket
//! ```
//! One that is not there is looked for once a second; meanwhile the queue keeps the oldest messages, so
//! that a restart of it costs nothing at a usual rate.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use crate::{ledger::Account, say};

/// Messages that wait for a sink.
const WAITING: usize = 4096;
/// How often a sink that is not there is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// Where a sink listens.
#[derive(Debug)]
enum Place {
    Unix(PathBuf),
    Udp(SocketAddr),
}

/// A connection to it.
#[derive(Debug)]
enum Wire {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outlet {
    name: &'static str,
    place: Place,
    wire: Option<Wire>,
    /// When it was last looked for.
    tried: Option<Instant>,
    queue: VecDeque<Box<[u8]>>,
    account: Arc<Account>,
}

impl Outlet {
    /// A sink at a socket of this host.
    pub(super) fn unix(name: &'static str, path: PathBuf, account: Arc<Account>) -> Self {
        Self::at(name, Place::Unix(path), account)
    }

    /// A sink at an address.
    pub(super) fn udp(name: &'static str, address: SocketAddr, account: Arc<Account>) -> Self {
        Self::at(name, Place::Udp(address), account)
    }

    fn at(name: &'static str, place: Place, account: Arc<Account>) -> Self {
        Self { name, place, wire: None, tried: None, queue: VecDeque::new(), account }
    }

    /// Takes one message, or counts it.
    pub(super) fn push(&mut self, message: &[u8]) {
        if self.queue.len() == WAITING {
            self.flush();
        }
        if self.queue.len() == WAITING {
            self.account.lose(1);
        } else {
            self.queue.push_back(message.into());
        }
    }

    /// Sends what the sink takes now.
    pub(super) fn flush(&mut self) {
        while let Some(message) = self.queue.front() {
            let Some(wire) = &self.wire else {
                if !self.connect() {
                    return;
                }
                continue;
            };
            match wire.send(message) {
                Ok(()) => {
                    self.account.write(1);
                    self.queue.pop_front();
                }
                Err(error) if full(&error) => return,
                Err(error) if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) => {
                    self.account.lose(1);
                    self.queue.pop_front();
                }
                // It went away; the message waits for its return.
                Err(error) => {
                    self.wire = None;
                    self.trouble(&error);
                }
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The end: what it did not take is counted, `more` with it.
    pub(super) fn finish(self, more: u64) {
        self.account.lose(self.queue.len() as u64 + more);
    }

    /// Looks for the sink, unless that was done just now.
    fn connect(&mut self) -> bool {
        if self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return false;
        }
        self.tried = Some(Instant::now());
        match Wire::to(&self.place) {
            Ok(wire) => {
                self.wire = Some(wire);
                if self.account.set_trouble(None) {
                    say(format_args!("{} takes drop records again", self.name));
                }
                true
            }
            Err(error) => {
                self.trouble(&error);
                false
            }
        }
    }

    fn trouble(&self, error: &io::Error) {
        let trouble = format!(
            "{} takes no drop records: {error}; up to {WAITING} wait, those beyond are lost there, not \
             in the log",
            self.name
        );
        if self.account.set_trouble(Some(trouble.clone())) {
            say(trouble);
        }
    }
}

impl Wire {
    fn to(place: &Place) -> io::Result<Self> {
        match place {
            Place::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Unix(socket))
            }
            Place::Udp(address) => {
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Udp(socket))
            }
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        let sent = match self {
            Self::Unix(socket) => socket.send(message),
            Self::Udp(socket) => socket.send(message),
        };
        sent.map(drop)
    }
}

/// It takes nothing now, and will again.
fn full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
        || error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}
