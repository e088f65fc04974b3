//! The authentication header (RFC 4302), which IPv4 and IPv6 may put before the transport header.
//!
//! It hides nothing, so it is skipped: the verdict is that of the ports behind it.

use crate::DropReason;

pub(super) const NUMBER: u8 = 51;

/// The most of them in one packet; honest senders use one.
const MAX_HEADERS: usize = 8;

/// One header at the start of `bytes`, and what follows it; `short` if it is cut.
#[inline]
pub(super) fn split(bytes: &[u8], short: DropReason) -> Result<(&[u8], &[u8]), DropReason> {
    let &words = bytes.get(1).ok_or(short)?;
    // Its length is that of its fixed part of 12 bytes at least.
    if words == 0 {
        return Err(DropReason::BadHeader);
    }
    bytes.split_at_checked(usize::from(words) * 4 + 8).ok_or(short)
}

/// What an IPv4 packet of protocol `proto` carries behind all its authentication headers; `short` if
/// one is cut.
#[inline]
pub(super) fn skip(proto: u8, bytes: &[u8], short: DropReason) -> Result<(u8, &[u8]), DropReason> {
    if proto == NUMBER { walk(bytes, short) } else { Ok((proto, bytes)) }
}

#[cold]
#[inline(never)]
fn walk(mut bytes: &[u8], short: DropReason) -> Result<(u8, &[u8]), DropReason> {
    for _ in 0..MAX_HEADERS {
        let (header, rest) = split(bytes, short)?;
        bytes = rest;
        match header.first() {
            Some(&NUMBER) => {}
            Some(&next) => return Ok((next, bytes)),
            None => return Err(short),
        }
    }
    Err(DropReason::TooManyHeaders)
}
