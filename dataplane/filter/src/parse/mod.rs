//! Frame bytes to what the rest asks: which pair of ends, which step of a connection, which piece.
//!
//! Each packet is read once, front to back, with every length checked; nothing is copied but
//! addresses and ports. What cannot be read is a [`DropReason`], never an error.
//!
//! ```text
//!  | ethernet | 0-2 tags | IPv4 + options, AH        | TCP, UDP, SCTP, DCCP, UDP-Lite | ...
//!                        | IPv6 + 0-8 extensions     | ICMP -> what it embeds         | ...
//! ```

mod authentication;
mod ether;
mod icmp;
mod ipv4;
mod ipv6;
mod plain;
mod transport;

use lookup::{Proto, Side};

use crate::flow::Key;
use crate::{DropReason, Family};

/// The fields of a packet that a record repeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) src: u128,
    pub(crate) dst: u128,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) vlan: u16,
    pub(crate) proto: u8,
    pub(crate) family: Family,
}

impl Head {
    pub(crate) const EMPTY: Self =
        Self { src: 0, dst: 0, src_port: 0, dst_port: 0, vlan: 0, proto: 0, family: Family::None };
}

/// A packet as it is judged. Filled in place: moved about, it would cost more than it takes to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) head: Head,
    /// The pair that is judged, where `fate` says so.
    pub(crate) key: Key,
    pub(crate) piece: Option<Piece>,
    pub(crate) step: Step,
    pub(crate) fate: Fate,
}

impl Packet {
    /// Before it is read.
    pub(crate) const UNREAD: Self = Self {
        head: Head::EMPTY,
        key: Key::EMPTY,
        piece: None,
        step: Step::Notice,
        fate: Fate::Drop(DropReason::Truncated),
    };
}

/// What is to be done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Link traffic: on to the other interface, unjudged.
    Pass,
    /// Neighbour discovery that shows who is on the link, or that depends on it.
    Neighbour,
    /// It cannot be judged.
    Drop(DropReason),
    /// Judge the pair. With a piece it is the first of several fragments.
    Judge,
    /// A later fragment: do as was done with the first one.
    Follow,
}

/// What a packet does to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// TCP SYN without ACK.
    Syn,
    /// TCP SYN with ACK.
    SynAck,
    /// TCP FIN or RST.
    End,
    /// Any other TCP segment.
    Segment,
    /// UDP, and every protocol without a connection that we can see.
    Datagram,
    /// An ICMP query (echo, timestamp).
    Query,
    /// The answer to one.
    Answer,
    /// Other ICMP: judged alone, remembered nowhere.
    Notice,
    /// An ICMP error; the key is the embedded packet's.
    Error,
}

impl Step {
    /// From the inside, this may begin a connection (or take one up again after a restart).
    pub(crate) fn opens(self) -> bool {
        matches!(self, Self::Syn | Self::Segment | Self::Datagram | Self::Query)
    }

    /// The packet belongs to a flow that may be remembered.
    pub(crate) fn flows(self) -> bool {
        !matches!(self, Self::Notice | Self::Error)
    }
}

/// One fragment: where it lies in its datagram, in units of 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) id: u32,
    pub(crate) offset: u16,
    pub(crate) end: u16,
    /// As the fragment names it: in IPv6 perhaps an extension header.
    pub(crate) proto: u8,
}

impl Piece {
    /// Reads the 16 bits of offset and flags that follow a fragment's id; `more` is a mask.
    fn new(id: u32, proto: u8, offset: u16, more: bool, len: usize) -> Result<Self, DropReason> {
        let end_bytes = usize::from(offset) * 8 + len;
        let ragged = more && (len == 0 || !len.is_multiple_of(8));
        if ragged || end_bytes > usize::from(u16::MAX) {
            return Err(DropReason::BadHeader);
        }
        if offset == 1 && proto == Proto::TCP.0 {
            return Err(DropReason::FragmentTiny);
        }
        let end = u16::try_from(end_bytes.div_ceil(8)).unwrap_or(u16::MAX);
        Ok(Self { id, offset, end, proto })
    }
}

/// What stands behind the IP headers.
#[derive(Clone, Copy, Debug)]
struct Payload<'a> {
    proto: u8,
    hop_limit: u8,
    /// There was a fragment header, even one that says "whole".
    fragmented: bool,
    piece: Option<Piece>,
    bytes: &'a [u8],
}

impl Payload<'_> {
    /// What to call a packet that ends too early here.
    fn short(&self) -> DropReason {
        if self.piece.is_some() { DropReason::FragmentTiny } else { DropReason::Truncated }
    }
}

/// Reads one frame that arrived on `side`.
#[inline]
pub(crate) fn parse(frame: &[u8], side: Side, packet: &mut Packet) {
    if !plain::read(frame, side, packet) {
        *packet = Packet::UNREAD;
        packet.fate = read(frame, side, packet).unwrap_or_else(Fate::Drop);
    }
}

#[inline(never)]
fn read(frame: &[u8], side: Side, packet: &mut Packet) -> Result<Fate, DropReason> {
    let link = ether::read(frame)?;
    let head = &mut packet.head;
    head.vlan = link.vlan;
    let payload = match link.ethertype {
        ether::IPV4 => ipv4::read(link.bytes, head)?,
        ether::IPV6 => ipv6::read(link.bytes, head)?,
        ether::ARP => return ether::arp(link.bytes).map(|()| Fate::Pass),
        _ => return Err(DropReason::Ethertype),
    };
    head.proto = payload.proto;
    packet.piece = payload.piece;
    if payload.piece.is_some_and(|piece| piece.offset > 0) {
        ends(head)?;
        return Ok(Fate::Follow);
    }
    // IPv6 has skipped its own authentication headers.
    let (proto, bytes) = authentication::skip(payload.proto, payload.bytes, payload.short())?;
    head.proto = proto;
    behind(side, packet, Payload { proto, bytes, ..payload })
}

/// Reads what stands behind the IP headers.
#[inline]
fn behind(side: Side, packet: &mut Packet, payload: Payload<'_>) -> Result<Fate, DropReason> {
    let head = &mut packet.head;
    let v6 = head.family == Family::V6;
    if v6
        && payload.proto == Proto::ICMPV6.0
        && let Some(fate) = icmp::on_link(side, head, &payload)?
    {
        return Ok(fate);
    }
    ends(head)?;
    if payload.proto == if v6 { Proto::ICMPV6.0 } else { Proto::ICMP.0 } {
        (packet.key, packet.step) = icmp::read(side, head, &payload)?;
    } else {
        let ports = transport::read(&payload)?;
        (head.src_port, head.dst_port) = (ports.src, ports.dst);
        packet.key = Key::new(side, head, payload.proto, (ports.src, ports.dst));
        packet.step = ports.step;
    }
    Ok(Fate::Judge)
}

/// Refuses sources that no packet can have.
#[inline]
fn ends(head: &Head) -> Result<(), DropReason> {
    let bad = match head.family {
        Family::V4 => ipv4::bad_source(head.src),
        _ => ipv6::bad_source(head.src),
    };
    if bad || head.src == head.dst { Err(DropReason::BadSource) } else { Ok(()) }
}

/// Two bytes of an array at a fixed place, network byte order.
macro_rules! be16 {
    ($bytes:expr, $at:literal) => {
        u16::from_be_bytes([$bytes[$at], $bytes[$at + 1]])
    };
}
use be16;
