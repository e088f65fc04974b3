//! Long transfers by real sockets: what goes out comes back, byte by byte, while a test looks on.
//!
//! ```text
//!  pattern --> write --> [gateway] --> echo server
//!                                          |
//!  compare <-- read  <-- [gateway] <-------'      bytes() counts what came back right
//! ```
//! One transfer so loads both directions. Over TCP a thread writes and one reads; over UDP one
//! thread sends a numbered datagram until it comes back, then the next.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket};

use super::Namespace;
use super::server::Service;
use crate::Result;
use crate::error::system;

/// How often a transfer looks whether it should stop.
const TURN: Duration = Duration::from_millis(50);
/// Bytes of one write.
const CHUNK_BYTES: usize = 16 << 10;
/// How long a UDP datagram may be away before it is sent again.
const RESEND: Duration = Duration::from_millis(200);
/// How long a connection may take to open.
const OPEN: Duration = Duration::from_secs(5);

/// What to move, and where.
#[derive(Clone, Copy, Debug)]
pub struct Haul {
    /// [`Service::TcpEcho`], [`Service::UdpEcho`] or [`Service::UdpLiteEcho`].
    pub service: Service,
    /// The client's address.
    pub from: IpAddr,
    /// The server's.
    pub to: SocketAddr,
    /// Bytes each way.
    pub bytes: u64,
    /// Bytes a second, so that it lasts; as fast as it goes when absent.
    pub rate_bytes: Option<u64>,
    /// Bytes of a UDP datagram.
    pub datagram_bytes: usize,
}

impl Haul {
    /// A haul as fast as it goes, with UDP datagrams of 512 bytes.
    #[must_use]
    pub fn new(service: Service, from: IpAddr, to: SocketAddr, bytes: u64) -> Self {
        Self { service, from, to, bytes, rate_bytes: None, datagram_bytes: 512 }
    }

    /// At most so many bytes a second.
    #[must_use]
    pub fn paced(self, rate_bytes: u64) -> Self {
        Self { rate_bytes: Some(rate_bytes), ..self }
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All bytes came back, and right.
    Complete,
    /// So many came back right, then there was no more time.
    Unfinished(u64),
    /// The connection was reset, closed or refused, or wrong bytes came back.
    Broken(ErrorKind),
}

/// A running transfer; given up when dropped.
#[derive(Debug)]
pub struct Transfer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<End>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    done: AtomicBool,
    bytes: AtomicU64,
}

impl Transfer {
    /// Opens the connection and begins; returns when it is open.
    ///
    /// # Errors
    /// When the client has no such address, or no connection comes about.
    pub fn start(namespace: &Namespace, haul: Haul) -> Result<Self> {
        let name = format!("{} to {}", haul.from, haul.to);
        let socket = namespace.enter(|| open(haul).map_err(system("open transfer", &name)))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = namespace.spawn_thread("transfer", move || {
            let end = if haul.service.datagrams() {
                volley(&socket, haul, &theirs)
            } else {
                stream(&socket, haul, &theirs)
            };
            theirs.done.store(true, Ordering::Release);
            Ok(match end {
                Ok(()) if theirs.bytes() == haul.bytes => End::Complete,
                Ok(()) => End::Unfinished(theirs.bytes()),
                Err(error) => End::Broken(error.kind()),
            })
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Bytes that came back right so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.bytes()
    }

    /// Waits for the end, and gives up after a while.
    ///
    /// # Errors
    /// When the transfer's thread panicked.
    pub fn wait(mut self, patience: Duration) -> Result<End> {
        let begin = Instant::now();
        while !self.shared.done.load(Ordering::Acquire) && begin.elapsed() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        self.give_up()
    }

    fn give_up(&mut self) -> Result<End> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let lost = || Ok(End::Broken(ErrorKind::Other));
        self.thread.take().map_or_else(lost, |thread| thread.join().unwrap_or_else(|_| lost()))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.give_up();
        }
    }
}

impl Shared {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn open(haul: Haul) -> std::io::Result<Socket> {
    let socket = haul.service.socket(Domain::for_address(haul.to))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(haul.from, 0).into())?;
    socket.connect_timeout(&haul.to.into(), OPEN)?;
    socket.set_read_timeout(Some(TURN))?;
    socket.set_write_timeout(Some(TURN))?;
    Ok(socket)
}

/// Over TCP: writes on a second thread, and compares what comes back.
fn stream(mut socket: &Socket, haul: Haul, shared: &Shared) -> std::io::Result<()> {
    thread::scope(|scope| {
        let writer = scope.spawn(move || write_all(socket, haul, shared));
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = 0;
        let end = loop {
            if at == haul.bytes || shared.stopped() {
                break Ok(());
            }
            match socket.read(&mut chunk) {
                Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
                Ok(bytes) if right(&chunk[..bytes], at) => at += bytes as u64,
                Ok(_) => break Err(ErrorKind::InvalidData.into()),
                Err(error) if waits(&error) => {}
                Err(error) => break Err(error),
            }
            shared.bytes.store(at, Ordering::Relaxed);
        };
        // The writer must not go on alone.
        if end.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        let written = writer.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()));
        end.and(written)
    })
}

fn write_all(mut socket: &Socket, haul: Haul, shared: &Shared) -> std::io::Result<()> {
    let begin = Instant::now();
    let mut at = 0;
    while at < haul.bytes && !shared.stopped() {
        pause(begin, at, haul.rate_bytes);
        let bytes = (haul.bytes - at).min(CHUNK_BYTES as u64) as usize;
        match socket.write(&pattern(at, bytes)) {
            Ok(bytes) => at += bytes as u64,
            Err(error) if waits(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Over UDP: each datagram again and again until it comes back.
fn volley(mut socket: &Socket, haul: Haul, shared: &Shared) -> std::io::Result<()> {
    let begin = Instant::now();
    let mut back = vec![0; 65_535];
    let mut at = 0;
    while at < haul.bytes && !shared.stopped() {
        pause(begin, at, haul.rate_bytes);
        let bytes = (haul.bytes - at).min(haul.datagram_bytes as u64) as usize;
        let datagram = [&at.to_le_bytes()[..], &pattern(at, bytes)].concat();
        let sent = Instant::now();
        // What an ICMP error reports does not end a datagram socket's work.
        let _ = socket.write(&datagram);
        while sent.elapsed() < RESEND {
            let Ok(length) = socket.read(&mut back) else { continue };
            // An older one may come twice; one of this number must be right.
            if back.get(..8) == Some(&at.to_le_bytes()[..]) && length > 8 {
                if back[..length] != datagram[..] {
                    return Err(ErrorKind::InvalidData.into());
                }
                at += bytes as u64;
                shared.bytes.store(at, Ordering::Relaxed);
                break;
            }
        }
    }
    Ok(())
}

/// Sleeps until the byte at `at` is due.
fn pause(begin: Instant, at: u64, rate_bytes: Option<u64>) {
    if let Some(rate) = rate_bytes {
        let due = Duration::from_secs_f64(at as f64 / rate as f64);
        thread::sleep(due.saturating_sub(begin.elapsed()));
    }
}

/// Bytes of the pattern from a place on: a byte out of place shows.
fn pattern(at: u64, bytes: usize) -> Vec<u8> {
    (at..at + bytes as u64).map(byte).collect()
}

fn right(bytes: &[u8], at: u64) -> bool {
    (at..).zip(bytes).all(|(place, have)| byte(place) == *have)
}

fn byte(place: u64) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}

fn waits(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
