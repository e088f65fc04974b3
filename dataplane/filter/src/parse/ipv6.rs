//! The IPv6 header and its extension headers (RFC 8200).
//!
//! The chain is walked to the transport header, at most [`MAX_HEADERS`] deep. What would make the
//! packet's real ends others than those that are judged is dropped: routing headers that still
//! have a way to go (RFC 5095, RFC 8754) and home addresses (RFC 6275).

use super::{Head, Payload, Piece, authentication, be16};
use crate::{DropReason, Family};

pub(super) const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// The most extension headers of one packet; RFC 8200 lets each occur once, one of them twice.
const MAX_HEADERS: usize = 8;

const PAD1: u8 = 0;
const JUMBO: u8 = 0xc2;
const HOME_ADDRESS: u8 = 0xc9;

/// What stands at the end of a chain.
pub(super) struct Chain<'a> {
    pub(super) proto: u8,
    pub(super) fragmented: bool,
    pub(super) piece: Option<Piece>,
    pub(super) bytes: &'a [u8],
}

#[inline]
pub(super) fn read<'a>(bytes: &'a [u8], head: &mut Head) -> Result<Payload<'a>, DropReason> {
    let (fixed, rest) = bytes.split_first_chunk::<40>().ok_or(DropReason::Truncated)?;
    if fixed[0] >> 4 != 6 {
        return Err(DropReason::BadHeader);
    }
    head.family = Family::V6;
    head.proto = fixed[6];
    (head.src, head.dst) = addresses(fixed);

    let payload_len = usize::from(be16!(fixed, 4));
    if payload_len == 0 && fixed[6] == HOP_BY_HOP {
        return Err(DropReason::Jumbogram);
    }
    let body = rest.get(..payload_len).ok_or(DropReason::Truncated)?;
    let chain = walk(fixed[6], body)?;
    let Chain { proto, fragmented, piece, bytes } = chain;
    Ok(Payload { proto, hop_limit: fixed[7], fragmented, piece, bytes })
}

/// Source and destination, host byte order.
#[inline]
pub(super) fn addresses(header: &[u8; 40]) -> (u128, u128) {
    let mut ends = [[0; 16]; 2];
    ends[0].copy_from_slice(&header[8..24]);
    ends[1].copy_from_slice(&header[24..40]);
    (u128::from_be_bytes(ends[0]), u128::from_be_bytes(ends[1]))
}

/// Walks from header `next` at the start of `bytes` to the first that is no extension.
#[inline]
pub(super) fn walk(mut next: u8, mut bytes: &[u8]) -> Result<Chain<'_>, DropReason> {
    let (mut fragmented, mut piece) = (false, None);
    for depth in 0..=MAX_HEADERS {
        let short = if piece.is_some() { DropReason::FragmentTiny } else { DropReason::Truncated };
        let (header, rest) = match next {
            HOP_BY_HOP if depth > 0 => return Err(DropReason::BadHeader),
            HOP_BY_HOP | DESTINATION | ROUTING => {
                let len = usize::from(*bytes.get(1).ok_or(short)?) * 8 + 8;
                let (header, rest) = bytes.split_at_checked(len).ok_or(short)?;
                if next == ROUTING {
                    route(header)?;
                } else {
                    options(header)?;
                }
                (header, rest)
            }
            authentication::NUMBER => authentication::split(bytes, short)?,
            FRAGMENT if fragmented => return Err(DropReason::BadHeader),
            FRAGMENT => {
                let (header, rest) = bytes.split_first_chunk::<8>().ok_or(short)?;
                fragmented = true;
                piece = fragment(header, rest.len())?;
                if piece.is_some_and(|piece| piece.offset > 0) {
                    return Ok(Chain { proto: header[0], fragmented, piece, bytes: rest });
                }
                (header.as_slice(), rest)
            }
            _ => return Ok(Chain { proto: next, fragmented, piece, bytes }),
        };
        next = *header.first().ok_or(short)?;
        bytes = rest;
    }
    Err(DropReason::TooManyHeaders)
}

/// `None` for an atomic fragment: a whole packet that carries the header (RFC 6946).
fn fragment(header: &[u8; 8], len: usize) -> Result<Option<Piece>, DropReason> {
    let word = be16!(header, 2);
    let (offset, more) = (word >> 3, word & 1 != 0);
    if offset == 0 && !more {
        return Ok(None);
    }
    let id = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    Piece::new(id, header[0], offset, more, len).map(Some)
}

/// A routing header may only have been travelled to its end; type 0 may not be there at all.
fn route(header: &[u8]) -> Result<(), DropReason> {
    match header {
        [_, _, kind, 0, ..] if *kind != 0 => Ok(()),
        _ => Err(DropReason::RoutingHeader),
    }
}

/// Walks the options of a hop-by-hop or destination header.
fn options(header: &[u8]) -> Result<(), DropReason> {
    let mut list = header.get(2..).unwrap_or_default();
    while let Some((&kind, rest)) = list.split_first() {
        list = match kind {
            PAD1 => rest,
            JUMBO => return Err(DropReason::Jumbogram),
            HOME_ADDRESS => return Err(DropReason::SourceRoute),
            _ => {
                let len = usize::from(*rest.first().ok_or(DropReason::BadHeader)?);
                rest.get(1 + len..).ok_or(DropReason::BadHeader)?
            }
        };
    }
    Ok(())
}

/// Unspecified, loopback, multicast and IPv4-mapped addresses send nothing (RFC 4291, RFC 4942).
#[inline]
pub(super) fn bad_source(address: u128) -> bool {
    address <= 1 || address >> 120 == 0xff || address >> 32 == 0xffff
}
