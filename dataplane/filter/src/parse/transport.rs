//! Ports: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), DCCP (RFC 4340), UDP-Lite (RFC 3828).
//!
//! The whole fixed header must be there, in a first fragment too: what decides a verdict may not
//! arrive later. Other protocols have no ports and are judged by their number.

use lookup::Proto;

use super::{Payload, Step, be16};
use crate::DropReason;

pub(super) const DCCP: u8 = 33;
pub(super) const UDP_LITE: u8 = 136;

/// The ports of a packet and what it does.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) src: u16,
    pub(super) dst: u16,
    pub(super) step: Step,
}

#[inline]
pub(super) fn read(payload: &Payload<'_>) -> Result<Ports, DropReason> {
    match Proto(payload.proto) {
        Proto::TCP => tcp(payload),
        Proto::UDP => udp(payload),
        Proto::SCTP | Proto(DCCP) => ports::<12>(payload).map(|(ports, _)| ports),
        Proto(UDP_LITE) => ports::<8>(payload).map(|(ports, _)| ports),
        _ => Ok(Ports { src: 0, dst: 0, step: Step::Datagram }),
    }
}

/// Whether the protocol begins with two ports, as all those above do.
pub(super) fn has_ports(proto: u8) -> bool {
    matches!(Proto(proto), Proto::TCP | Proto::UDP | Proto::SCTP | Proto(DCCP | UDP_LITE))
}

/// The two ports at the start of a header of at least `N` bytes.
#[inline]
fn ports<'a, const N: usize>(payload: &Payload<'a>) -> Result<(Ports, &'a [u8; N]), DropReason> {
    let header = payload.bytes.first_chunk::<N>().ok_or(payload.short())?;
    let (src, dst) = (be16!(header, 0), be16!(header, 2));
    Ok((Ports { src, dst, step: Step::Datagram }, header))
}

#[inline]
pub(super) fn tcp(payload: &Payload<'_>) -> Result<Ports, DropReason> {
    let (ports, header) = ports::<20>(payload)?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 {
        return Err(DropReason::BadHeader);
    }
    if header_len > payload.bytes.len() {
        return Err(payload.short());
    }
    let (fin, syn, rst, ack) = (0x01, 0x02, 0x04, 0x10);
    let flags = header[13];
    let step = if flags & (fin | rst) != 0 {
        Step::End
    } else if flags & (syn | ack) == syn {
        Step::Syn
    } else if flags & syn != 0 {
        Step::SynAck
    } else {
        Step::Segment
    };
    Ok(Ports { step, ..ports })
}

#[inline]
pub(super) fn udp(payload: &Payload<'_>) -> Result<Ports, DropReason> {
    let (ports, header) = ports::<8>(payload)?;
    let len = usize::from(be16!(header, 4));
    if len < 8 {
        return Err(DropReason::BadHeader);
    }
    if payload.piece.is_none() && len > payload.bytes.len() {
        return Err(DropReason::Truncated);
    }
    Ok(ports)
}
