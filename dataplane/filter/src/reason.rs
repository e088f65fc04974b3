//! Why a packet was dropped: the policy's reasons and the packet's own.
//!
//! One byte, dense from 0, so that counters are an array and a record carries it as it is.

use lookup::Reason;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason { $($(#[$doc])* $name,)* }

        impl DropReason {
            /// Every reason, in the order of [`DropReason::index`].
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in records and `status`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// Policy: from the outside to an address and port of no service.
    NoService = "no_service",
    /// Policy: a deny names a group that holds the remote address.
    Denied = "denied",
    /// Policy: no allow names a group that holds the remote address.
    NotAllowed = "not_allowed",
    /// The frame ends before a header, or before the length that a header claims.
    Truncated = "truncated",
    /// A header contradicts itself: version, length, options, order.
    BadHeader = "bad_header",
    /// The IPv4 header checksum is wrong; every receiver would drop the packet.
    BadChecksum = "bad_checksum",
    /// A source that no packet can have: multicast, broadcast, unspecified, loopback,
    /// IPv4-mapped, or the destination itself.
    BadSource = "bad_source",
    /// Neither IPv4, IPv6 nor ARP.
    Ethertype = "ethertype",
    /// More than two VLAN tags.
    VlanDepth = "vlan_depth",
    /// IPv4 source route options, or an IPv6 home address: the packet names other ends than
    /// those that would be judged.
    SourceRoute = "source_route",
    /// An IPv6 routing header of type 0, or one that still has segments left.
    RoutingHeader = "routing_header",
    /// More IPv6 extension headers than any honest sender uses.
    TooManyHeaders = "too_many_headers",
    /// An IPv6 jumbogram; no interface here carries one.
    Jumbogram = "jumbogram",
    /// Neighbour discovery or multicast listener discovery that did not start on this link, that
    /// would leave it, or that comes in fragments (RFC 6980).
    OffLink = "off_link",
    /// An ICMP redirect that came in from the outside.
    IcmpRedirect = "icmp_redirect",
    /// An ICMP error that does not go back to the sender of the packet it embeds.
    IcmpMismatch = "icmp_mismatch",
    /// A first fragment without its whole header chain, or a TCP fragment at offset 8
    /// (RFC 1858, RFC 7112).
    FragmentTiny = "fragment_tiny",
    /// A fragment that lies over the first one (RFC 1858, RFC 5722).
    FragmentOverlap = "fragment_overlap",
    /// A fragment whose first one was not seen, was dropped, or was judged by another ruleset.
    FragmentOrphan = "fragment_orphan",
    /// Allowed, but the other interface's TX ring had no room.
    TxFull = "tx_full",
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The place in [`DropReason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl From<Reason> for DropReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NoService => Self::NoService,
            Reason::Denied => Self::Denied,
            Reason::NotAllowed => Self::NotAllowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_dense_and_names_unique() {
        let mut names = std::collections::HashSet::new();
        for (i, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), i);
            assert!(names.insert(reason.as_str()));
        }
    }

    #[test]
    fn policy_reasons_keep_their_names() {
        for reason in [Reason::NoService, Reason::Denied, Reason::NotAllowed] {
            assert_eq!(DropReason::from(reason).as_str(), reason.as_str());
        }
    }
}
