//! Ids as newtypes, so that a service is never taken for a domain.

use std::fmt;

/// What an address is, as far as any policy cares: country, memberships and the services whose
/// networks hold it. The next hop of the prefix tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ClassId(pub u32);

/// A service of the policy, in the order of the compiled ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

/// A port domain of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(pub u16);

/// The VLAN that a packet is judged in: what [`Ruleset::vlan`](crate::Ruleset::vlan) makes of the id
/// in its tag. All ids that no domain names are one, so that what is kept by `Vlan` is kept apart
/// only where the policy tells VLANs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Vlan(pub u16);

impl Vlan {
    /// A frame without a tag, or with a mere priority tag.
    pub const NONE: Self = Self(0);
}

/// A rule of the ruleset: failsafe, a domain's allow or deny of a group, a default, egress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u16);

/// Counts the rulesets that a gateway has published, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u32);

/// An autonomous system number (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asn(pub u32);

/// A country as two upper-case ASCII letters (ISO 3166-1 alpha-2, and the user-assigned codes that
/// databases use, such as XK).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Two ASCII letters of either case; `None` for anything else.
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The two letters, as bytes.
    pub(crate) fn letters(self) -> [u8; 2] {
        self.0
    }

    /// How many there can be.
    pub(crate) const COUNT: usize = 26 * 26;

    /// Its place among all that there can be.
    pub(crate) fn index(self) -> usize {
        let [a, b] = self.0.map(|letter| usize::from(letter - b'A'));
        a * 26 + b
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
