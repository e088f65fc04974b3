//! The IPv4 header (RFC 791).
//!
//! The total length rules: what a frame carries beyond it is padding, and a frame that carries
//! less is dropped. The header checksum is verified, because a header that every receiver
//! would refuse is not what would be judged.

use super::{Head, Payload, Piece, be16};
use crate::{DropReason, Family};

/// Loose and strict source route.
const SOURCE_ROUTES: [u8; 2] = [131, 137];
pub(super) const MORE_FRAGMENTS: u16 = 0x2000;
pub(super) const OFFSET: u16 = 0x1fff;

#[inline]
pub(super) fn read<'a>(bytes: &'a [u8], head: &mut Head) -> Result<Payload<'a>, DropReason> {
    let (fixed, _) = bytes.split_first_chunk::<20>().ok_or(DropReason::Truncated)?;
    let header_len = usize::from(fixed[0] & 0x0f) * 4;
    if fixed[0] >> 4 != 4 || header_len < 20 {
        return Err(DropReason::BadHeader);
    }
    head.family = Family::V4;
    head.proto = fixed[9];
    (head.src, head.dst) = addresses(fixed);

    let total_len = usize::from(be16!(fixed, 2));
    if total_len < header_len {
        return Err(DropReason::BadHeader);
    }
    let packet = bytes.get(..total_len).ok_or(DropReason::Truncated)?;
    let (header, payload) = packet.split_at_checked(header_len).ok_or(DropReason::Truncated)?;
    let whole = if header_len == 20 { checksum_ok(fixed) } else { long_checksum_ok(header) };
    if !whole {
        return Err(DropReason::BadChecksum);
    }
    if let Some(list) = header.get(20..)
        && !list.is_empty()
    {
        options(list)?;
    }
    let word = be16!(fixed, 6);
    let (offset, more) = (word & OFFSET, word & MORE_FRAGMENTS != 0);
    let fragmented = offset > 0 || more;
    let piece = if fragmented {
        Some(Piece::new(u32::from(be16!(fixed, 4)), fixed[9], offset, more, payload.len())?)
    } else {
        None
    };
    Ok(Payload { proto: fixed[9], hop_limit: fixed[8], fragmented, piece, bytes: payload })
}

/// Source and destination, host byte order.
#[inline]
pub(super) fn addresses(header: &[u8; 20]) -> (u128, u128) {
    let src = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
    let dst = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
    (u128::from(src), u128::from(dst))
}

/// The ones' complement sum over a header is all ones (RFC 1071). The order of bytes within a word
/// does not matter to that.
#[inline]
pub(super) fn checksum_ok(header: &[u8]) -> bool {
    let mut sum: u64 = 0;
    for word in header.chunks_exact(4) {
        sum += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    }
    sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum == 0xffff
}

/// Of a header with options, apart from the rest so that the other is inlined.
#[cold]
#[inline(never)]
fn long_checksum_ok(header: &[u8]) -> bool {
    checksum_ok(header)
}

/// Walks the options: each well formed, none that routes by the sender's wish.
#[cold]
fn options(mut list: &[u8]) -> Result<(), DropReason> {
    const END: u8 = 0;
    const NOTHING: u8 = 1;
    while let Some((&kind, rest)) = list.split_first() {
        list = match kind {
            END => return Ok(()),
            NOTHING => rest,
            _ if SOURCE_ROUTES.contains(&kind) => return Err(DropReason::SourceRoute),
            _ => {
                let len = usize::from(*rest.first().ok_or(DropReason::BadHeader)?);
                if len < 2 {
                    return Err(DropReason::BadHeader);
                }
                list.get(len..).ok_or(DropReason::BadHeader)?
            }
        };
    }
    Ok(())
}

/// "This network", loopback, multicast and broadcast send nothing (RFC 1122, 3.2.1.3).
#[inline]
pub(super) fn bad_source(address: u128) -> bool {
    let first = (address >> 24) & 0xff;
    first == 0 || first == 127 || (224..240).contains(&first) || address == 0xffff_ffff
}
