//! Packets that no ordinary socket sends: an ICMP error about nothing, tunnels, any protocol.

use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::Namespace;
use crate::Result;
use crate::error::system;

/// Sends one IP packet of a protocol from an address that the namespace has; the kernel writes the
/// IP header, and the checksum of ICMPv6.
///
/// # Errors
/// When the namespace has no such address, or no route.
pub fn send_raw(
    namespace: &Namespace,
    protocol: u8,
    from: IpAddr,
    to: IpAddr,
    payload: &[u8],
) -> Result<()> {
    let [from, to] = [from, to].map(|address| SocketAddr::new(address, 0));
    let send = || {
        let protocol = Protocol::from(i32::from(protocol));
        let socket = Socket::new(Domain::for_address(from), Type::RAW, Some(protocol))?;
        socket.bind(&from.into())?;
        socket.send_to(payload, &to.into()).map(drop)
    };
    let name = format!("protocol {protocol} from {from} to {to}");
    namespace.enter(|| send().map_err(system("send", &name)))
}

/// The Internet checksum (RFC 1071) over some bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high, ..] => u32::from(*high) << 8,
        [] => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
