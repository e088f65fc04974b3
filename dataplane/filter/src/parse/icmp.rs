//! ICMP (RFC 792) and ICMPv6 (RFC 4443): queries, errors, and what belongs to the link.
//!
//! A query and its answer are a flow, named by the query's id and by who asked: a host that was
//! asked from the inside does not gain the right to ask back. An error is judged by the packet
//! that it embeds, which travelled the other way, and must go back to that packet's sender
//! (RFC 5927):
//!
//! ```text
//!  outside                                   inside
//!     router --> [ any -> A | error | A -> B, ports ]  --> A
//!                                    '---------------- the pair that is judged: B and A
//! ```

use lookup::{Proto, Side};

use super::{Fate, Head, Payload, Step, authentication, be16, ipv4, ipv6, transport};
use crate::flow::Key;
use crate::{DropReason, Family};

/// What an ICMP message is to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Query(u8),
    Answer(u8),
    Error,
    Redirect,
    Other,
}

const ECHO: u8 = 1;
const TIMESTAMP: u8 = 2;
/// No flow has it. Without it, ICMP's number in a packet of the other family would open the way.
const NOTICE: u8 = 3;
/// Marks a query that the inside asked.
const ASKED_INSIDE: u8 = 8;

fn message(family: Family, kind: u8) -> Message {
    match (family, kind) {
        (Family::V4, 8) | (Family::V6, 128) => Message::Query(ECHO),
        (Family::V4, 0) | (Family::V6, 129) => Message::Answer(ECHO),
        (Family::V4, 13) => Message::Query(TIMESTAMP),
        (Family::V4, 14) => Message::Answer(TIMESTAMP),
        (Family::V4, 3 | 4 | 11 | 12) | (Family::V6, 1..=4) => Message::Error,
        (Family::V4, 5) => Message::Redirect,
        _ => Message::Other,
    }
}

/// The fate of an ICMPv6 packet that is the link's own: neighbour discovery (RFC 4861) has hop limit
/// 255, listener discovery (RFC 2710, RFC 3810) goes from a link-local address to a group with hop
/// limit 1; no router forwards either. `None` for all other ICMPv6.
///
/// Hop limit 255 proves that the sender is on this link, not that the packet stays there: a router
/// forwards it if neither end is of the link's scope. See [`crate::neighbour`].
pub(super) fn on_link(
    side: Side,
    head: &Head,
    payload: &Payload<'_>,
) -> Result<Option<Fate>, DropReason> {
    let &[kind, code, ..] = payload.bytes else {
        return Err(payload.short());
    };
    let local_source = head.src == 0 || link_local(head.src);
    let genuine = match kind {
        133..=137 => payload.hop_limit == 255 && code == 0,
        130..=132 | 143 => payload.hop_limit == 1 && local_source && head.dst >> 120 == 0xff,
        _ => return Ok(None),
    };
    if !genuine || payload.fragmented {
        return Err(DropReason::OffLink);
    }
    let stays = local_source || link_local(head.dst) || head.dst >> 112 == LINK_GROUPS;
    let settled = local_source || side == Side::Inside && stays;
    Ok(Some(if settled { Fate::Pass } else { Fate::Neighbour }))
}

/// The first 16 bits of groups that no router forwards (RFC 4291, 2.7).
const LINK_GROUPS: u128 = 0xff02;

fn link_local(address: u128) -> bool {
    address >> 118 == 0xfe80 >> 6
}

/// The pair that a message is judged by, and what it is.
pub(super) fn read(
    side: Side,
    head: &mut Head,
    payload: &Payload<'_>,
) -> Result<(Key, Step), DropReason> {
    let (header, body) = payload.bytes.split_first_chunk::<8>().ok_or(payload.short())?;
    (head.src_port, head.dst_port) = (u16::from(header[0]), u16::from(header[1]));
    let id = be16!(header, 4);
    match message(head.family, header[0]) {
        Message::Query(kind) => Ok((query(side, side, head, kind, id), Step::Query)),
        Message::Answer(kind) => Ok((query(side, other(side), head, kind, id), Step::Answer)),
        Message::Error if payload.piece.is_some() => Err(DropReason::IcmpMismatch),
        Message::Error => Ok((embedded(side, head, body)?, Step::Error)),
        Message::Redirect if side == Side::Outside => Err(DropReason::IcmpRedirect),
        Message::Redirect | Message::Other => {
            let key = Key::new(side, head, Proto::ICMP.0, (0, 0));
            Ok((key.with_kind(NOTICE), Step::Notice))
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Outside => Side::Inside,
        Side::Inside => Side::Outside,
    }
}

/// The key of a query and its answer: the id stands as the remote port, and services see port 0.
fn query(side: Side, asked: Side, head: &Head, kind: u8, id: u16) -> Key {
    let kind = if asked == Side::Inside { kind | ASKED_INSIDE } else { kind };
    let ports = match side {
        Side::Outside => (id, 0),
        Side::Inside => (0, id),
    };
    Key::new(side, head, Proto::ICMP.0, ports).with_kind(kind)
}

/// The key of the packet that an error embeds. At least 8 bytes of its transport header are there;
/// its end may be cut off.
fn embedded(side: Side, outer: &Head, bytes: &[u8]) -> Result<Key, DropReason> {
    let (inner, payload) = match outer.family {
        Family::V4 => embedded_v4(outer, bytes),
        _ => embedded_v6(outer, bytes),
    }
    .ok_or(DropReason::IcmpMismatch)?;
    if inner.src != outer.dst {
        return Err(DropReason::IcmpMismatch);
    }
    // The embedded packet went the other way.
    let went = other(side);
    let Some(start) = payload.first_chunk::<8>() else {
        return Err(DropReason::IcmpMismatch);
    };
    let icmp = match inner.family {
        Family::V4 => Proto::ICMP.0,
        _ => Proto::ICMPV6.0,
    };
    if inner.proto == icmp {
        let id = be16!(start, 4);
        return match message(inner.family, start[0]) {
            Message::Query(kind) => Ok(query(went, went, &inner, kind, id)),
            Message::Answer(kind) => Ok(query(went, side, &inner, kind, id)),
            _ => Err(DropReason::IcmpMismatch),
        };
    }
    let ports =
        if transport::has_ports(inner.proto) { (be16!(start, 0), be16!(start, 2)) } else { (0, 0) };
    Ok(Key::new(went, &inner, inner.proto, ports))
}

fn embedded_v4<'a>(outer: &Head, bytes: &'a [u8]) -> Option<(Head, &'a [u8])> {
    let (fixed, _) = bytes.split_first_chunk::<20>()?;
    let header_len = usize::from(fixed[0] & 0x0f) * 4;
    let later_fragment = be16!(fixed, 6) & 0x1fff != 0;
    if fixed[0] >> 4 != 4 || header_len < 20 || later_fragment {
        return None;
    }
    let (src, dst) = ipv4::addresses(fixed);
    let (proto, payload) =
        authentication::skip(fixed[9], bytes.get(header_len..)?, DropReason::Truncated).ok()?;
    Some((Head { src, dst, proto, ..*outer }, payload))
}

fn embedded_v6<'a>(outer: &Head, bytes: &'a [u8]) -> Option<(Head, &'a [u8])> {
    let (fixed, rest) = bytes.split_first_chunk::<40>()?;
    if fixed[0] >> 4 != 6 {
        return None;
    }
    let chain = ipv6::walk(fixed[6], rest).ok()?;
    if chain.piece.is_some_and(|piece| piece.offset > 0) {
        return None;
    }
    let (src, dst) = ipv6::addresses(fixed);
    Some((Head { src, dst, proto: chain.proto, ..*outer }, chain.bytes))
}
