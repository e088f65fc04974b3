//! Real servers on threads inside a namespace: TCP and UDP, both families.
//!
//! A server answers what a client says and remembers who reached it, so that a test can say that a
//! denied client did not.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Namespace;
use crate::Result;
use crate::error::system;

/// How often a server looks whether it should stop.
const TURN: Duration = Duration::from_millis(50);
/// How long a server waits for what a client says.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the generator's frames begin with behind the UDP header (`bpf/marker.h`).
const GENERATED: [u8; 4] = 0x9a11_5ade_u32.to_le_bytes();

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// HTTP/1.1 over TCP: one answer, then closes.
    Http,
    /// A line protocol over TCP, like a database's: every line gets a row.
    Database,
    /// Every byte goes back over TCP.
    TcpEcho,
    /// Every datagram goes back.
    UdpEcho,
    /// The same over UDP-Lite (RFC 3828).
    UdpLiteEcho,
}

impl Service {
    /// What a client says to it.
    #[must_use]
    pub fn question(self) -> &'static [u8] {
        match self {
            Self::Http => b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n",
            Self::Database => b"select 1;\n",
            Self::TcpEcho | Self::UdpEcho | Self::UdpLiteEcho => b"anyone there?",
        }
    }

    /// What the answer begins with.
    #[must_use]
    pub fn answer(self) -> &'static [u8] {
        match self {
            Self::Http => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
            Self::Database => b"row 1\n",
            Self::TcpEcho | Self::UdpEcho | Self::UdpLiteEcho => self.question(),
        }
    }

    /// Whether it takes datagrams instead of connections.
    pub(super) fn datagrams(self) -> bool {
        matches!(self, Self::UdpEcho | Self::UdpLiteEcho)
    }

    pub(super) fn socket(self, domain: Domain) -> std::io::Result<Socket> {
        match self {
            Self::Http | Self::Database | Self::TcpEcho => {
                Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
            }
            Self::UdpEcho => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)),
            Self::UdpLiteEcho => Socket::new(domain, Type::DGRAM, Some(Protocol::from(136))),
        }
    }
}

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    peers: Mutex<Vec<SocketAddr>>,
}

impl Server {
    /// Serves at an address that the namespace already has; port 0 takes any.
    ///
    /// # Errors
    /// When the address or the port cannot be had.
    pub fn start(namespace: &Namespace, service: Service, address: SocketAddr) -> Result<Self> {
        let socket = namespace.enter(|| listen(service, address))?;
        let bound = socket.local_addr().map_err(system("ask the address of", "a server"))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = namespace.spawn_thread("server", move || {
            if service.datagrams() {
                echo(socket, &theirs);
            } else {
                accept(&socket, service, &theirs);
            }
            Ok(())
        })?;
        Ok(Self { address: bound.as_socket().unwrap_or(address), shared, thread: Some(thread) })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who reached it so far, in order.
    #[must_use]
    pub fn peers(&self) -> Vec<SocketAddr> {
        self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn met(&self, peer: &SockAddr) {
        if let Some(peer) = peer.as_socket() {
            self.peers.lock().unwrap_or_else(PoisonError::into_inner).push(peer);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn listen(service: Service, address: SocketAddr) -> Result<Socket> {
    let name = address.to_string();
    let open = || {
        let socket = service.socket(Domain::for_address(address))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_read_timeout(Some(TURN))?;
        socket.bind(&address.into())?;
        if !service.datagrams() {
            socket.listen(128)?;
        }
        Ok(socket)
    };
    open().map_err(system("serve at", &name))
}

fn accept(socket: &Socket, service: Service, shared: &Shared) {
    thread::scope(|scope| {
        while !shared.stopped() {
            // The read timeout of a listening socket bounds accept too.
            if let Ok((connection, peer)) = socket.accept() {
                shared.met(&peer);
                scope.spawn(move || match service {
                    Service::TcpEcho => mirror(&connection, shared),
                    _ => serve(connection, service),
                });
            }
        }
    });
}

/// One connection: an answer to everything that ends with a line, until the client closes.
fn serve(mut connection: Socket, service: Service) {
    let _ = connection.set_read_timeout(Some(PATIENCE));
    let mut said = [0; 2048];
    while let Ok(bytes @ 1..) = connection.read(&mut said) {
        let complete = said.get(..bytes).is_some_and(|text| text.ends_with(b"\n"));
        if complete && connection.write_all(service.answer()).is_err() {
            return;
        }
        if complete && service == Service::Http {
            return;
        }
    }
}

/// One connection: every byte back, until the client closes or the server stops.
fn mirror(mut connection: &Socket, shared: &Shared) {
    let _ = connection.set_read_timeout(Some(TURN));
    let _ = connection.set_write_timeout(Some(TURN));
    let waits = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
    };
    let mut said = vec![0; 64 << 10];
    while !shared.stopped() {
        let mut left = match connection.read(&mut said) {
            Ok(bytes @ 1..) => &said[..bytes],
            Err(error) if waits(&error) => continue,
            Ok(_) | Err(_) => return,
        };
        while !left.is_empty() && !shared.stopped() {
            match connection.write(left) {
                Ok(bytes) => left = &left[bytes..],
                Err(error) if waits(&error) => {}
                Err(_) => return,
            }
        }
    }
}

fn echo(socket: Socket, shared: &Shared) {
    let socket = UdpSocket::from(socket);
    let mut said = vec![0; 65_535];
    while !shared.stopped() {
        let Ok((bytes, peer)) = socket.recv_from(&mut said) else { continue };
        shared.met(&peer.into());
        // What the generator marked asks for no answer.
        if said.get(..4) != Some(&GENERATED[..]) {
            let _ = socket.send_to(&said[..bytes], peer);
        }
    }
}
