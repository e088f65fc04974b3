//! A drop record: what the logger needs to explain one drop, as plain data; or what an exception let in.
//!
//! A worker pushes it into a ring and forgets it; names, country and operator are added on
//! another core, from the legend of the record's revision. 80 bytes, copied once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lookup::{DomainId, Revision, RuleId, ServiceId, Side};

use crate::DropReason;

/// The version of IP that a record's addresses have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// No IP header was read: the addresses mean nothing.
    None,
    /// IPv4, in the low 32 bits.
    V4,
    /// IPv6.
    V6,
}

/// What a record tells of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// It was dropped.
    Drop(DropReason),
    /// It was forwarded although the rules say drop: its domain is in shadow mode.
    Shadow(DropReason),
    /// An exception allowed it: the first packet of a flow, or one that makes no flow.
    Exception,
}

impl RecordKind {
    /// Why it was dropped, or would have been.
    #[must_use]
    pub fn reason(self) -> Option<DropReason> {
        match self {
            Self::Drop(reason) | Self::Shadow(reason) => Some(reason),
            Self::Exception => None,
        }
    }
}

/// One packet that somebody should hear of: dropped, nearly so, or let in by an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropRecord {
    /// Source address, host byte order; see [`DropRecord::src`].
    pub src_bits: u128,
    /// Destination address, host byte order; see [`DropRecord::dst`].
    pub dst_bits: u128,
    /// When the packet's burst was received, nanoseconds since 1970 UTC.
    pub time_ns: u64,
    /// The ruleset that judged.
    pub revision: Revision,
    /// Packets of this kind that were counted but not recorded since this one.
    pub suppressed: u32,
    /// The service, where the pair has one.
    pub service: Option<ServiceId>,
    /// The service's domain.
    pub domain: Option<DomainId>,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// Source port; 0 where the protocol has none. ICMP: the type.
    pub src_port: u16,
    /// Destination port; 0 where the protocol has none. ICMP: the code.
    pub dst_port: u16,
    /// VLAN id of the outermost tag, 0 without one.
    pub vlan: u16,
    /// IP protocol number as in the header, 0 before one was read.
    pub proto: u8,
    /// How to read the addresses.
    pub family: Family,
    /// The interface that the packet arrived on.
    pub side: Side,
    /// What became of it, and why.
    pub kind: RecordKind,
}

const _: () = assert!(size_of::<DropRecord>() <= 96);

impl DropRecord {
    /// Why the packet was dropped, or would have been.
    #[must_use]
    pub fn reason(&self) -> Option<DropReason> {
        self.kind.reason()
    }

    /// The source address, where an IP header was read.
    #[must_use]
    pub fn src(&self) -> Option<IpAddr> {
        address(self.family, self.src_bits)
    }

    /// The destination address, where an IP header was read.
    #[must_use]
    pub fn dst(&self) -> Option<IpAddr> {
        address(self.family, self.dst_bits)
    }

    /// The address on the outside: the one that the policy judges by.
    #[must_use]
    pub fn remote(&self) -> Option<IpAddr> {
        match self.side {
            Side::Outside => self.src(),
            Side::Inside => self.dst(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "IPv4 stands in the low 32 bits")]
fn address(family: Family, bits: u128) -> Option<IpAddr> {
    match family {
        Family::None => None,
        Family::V4 => Some(IpAddr::V4(Ipv4Addr::from_bits(bits as u32))),
        Family::V6 => Some(IpAddr::V6(Ipv6Addr::from_bits(bits))),
    }
}

/// There is no room for a record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where drop records go: the worker's ring, or a vector in a test.
pub trait Records {
    /// Takes one record.
    ///
    /// # Errors
    /// [`Full`] when there is no room; the record counts as lost.
    fn push(&mut self, record: DropRecord) -> Result<(), Full>;
}

impl Records for Vec<DropRecord> {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        Self::push(self, record);
        Ok(())
    }
}
