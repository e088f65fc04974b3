//! Ethernet and its VLAN tags (IEEE 802.3, 802.1Q, 802.1ad), and ARP (RFC 826).
//!
//! Tags never hide a packet: up to two are skipped, whatever their id or priority. What they carry
//! is judged as if it came untagged, but for VLANs that the policy names.

use super::be16;
use crate::DropReason;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
const CUSTOMER_TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;

/// Two tags: QinQ. Deeper stacks are dropped.
const MAX_TAGS: usize = 2;

/// A frame without its link header.
pub(super) struct Link<'a> {
    pub(super) ethertype: u16,
    /// The id of the outermost tag that has one, 0 without.
    pub(super) vlan: u16,
    pub(super) bytes: &'a [u8],
}

#[inline]
pub(super) fn read(frame: &[u8]) -> Result<Link<'_>, DropReason> {
    let (header, mut bytes) = frame.split_first_chunk::<14>().ok_or(DropReason::Truncated)?;
    let mut ethertype = be16!(header, 12);
    let mut vlan = 0;
    let mut tags = 0;
    while matches!(ethertype, CUSTOMER_TAG | SERVICE_TAG) {
        if tags == MAX_TAGS {
            return Err(DropReason::VlanDepth);
        }
        let (tag, rest) = bytes.split_first_chunk::<4>().ok_or(DropReason::Truncated)?;
        if vlan == 0 {
            vlan = be16!(tag, 0) & 0x0fff;
        }
        ethertype = be16!(tag, 2);
        bytes = rest;
        tags += 1;
    }
    Ok(Link { ethertype, vlan, bytes })
}

/// Whether this is ARP for IPv4 on Ethernet, and all of it.
pub(super) fn arp(bytes: &[u8]) -> Result<(), DropReason> {
    let (packet, _) = bytes.split_first_chunk::<28>().ok_or(DropReason::Truncated)?;
    let ethernet_ipv4 = [0, 1, 0x08, 0x00, 6, 4];
    if packet.starts_with(&ethernet_ipv4) { Ok(()) } else { Err(DropReason::BadHeader) }
}
