//! The question that a packet puts to a ruleset, and the answer.

use crate::{ClassId, DomainId, RuleId, ServiceId, Vlan};

/// The interface that a packet arrived on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// From the internet.
    Outside,
    /// From the protected network.
    Inside,
}

/// An IP protocol number (IANA); ICMPv6 is asked for as [`Proto::ICMP`], so that one service serves
/// both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Proto(pub u8);

impl Proto {
    /// ICMP, and ICMPv6 once folded by [`Proto::folded`].
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// DCCP (RFC 4340).
    pub const DCCP: Self = Self(33);
    /// ICMPv6 as it stands in a header.
    pub const ICMPV6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite (RFC 3828).
    pub const UDP_LITE: Self = Self(136);

    /// Its packets begin with two ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::DCCP | Self::SCTP | Self::UDP_LITE)
    }

    /// The protocol as policies know it: ICMPv6 becomes ICMP.
    #[must_use]
    pub fn folded(self) -> Self {
        if self == Self::ICMPV6 { Self::ICMP } else { self }
    }
}

/// What is asked: may `remote` and the service at `local` exchange packets?
///
/// The verdict belongs to the pair, whichever way the packet goes: a packet that arrives outside has
/// its source as `remote`, one that arrives inside has its destination there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Where the packet arrived.
    pub side: Side,
    /// Class of the address on the outside.
    pub remote: ClassId,
    /// Class of the address on the inside.
    pub local: ClassId,
    /// Protocol, folded.
    pub proto: Proto,
    /// Port on the inside, host byte order; 0 where the protocol has none.
    pub local_port: u16,
    /// The VLAN that it arrived in, by [`Ruleset::vlan`](crate::Ruleset::vlan).
    pub vlan: Vlan,
}

/// Forward or drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The packet goes to the other interface.
    Allow,
    /// The packet ends here, for this reason.
    Drop(Reason),
}

/// Why a policy drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// From the outside to an address and port of no service that its VLAN reaches.
    NoService,
    /// A deny names a group that holds the remote address.
    Denied,
    /// No allow names a group that holds the remote address.
    NotAllowed,
}

impl Reason {
    /// The name in records, `explain` and `status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoService => "no_service",
            Self::Denied => "denied",
            Self::NotAllowed => "not_allowed",
        }
    }
}

/// A verdict with what led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What the policy says. In a shadow domain a drop is counted and recorded, then forwarded.
    pub verdict: Verdict,
    /// The domain is in shadow mode.
    pub shadow: bool,
    /// The pair is judged by the egress policy: an allowed one from the inside opens a pinhole for
    /// its replies.
    pub egress: bool,
    /// The service, where the pair has one.
    pub service: Option<ServiceId>,
    /// The service's domain.
    pub domain: Option<DomainId>,
    /// The rule that decided; `None` when there was no service to have rules.
    pub rule: Option<RuleId>,
}
