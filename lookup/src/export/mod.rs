//! The policy as an nftables ruleset.
//!
//! For a user who leaves, for one who filters a second time behind the gateway, and as the
//! independent judge of the compiled ruleset: the text is written from the policy's meaning (groups
//! as sets of intervals, services in the order of their networks), never from the compiled tables.
//!
//! ```text
//!  forward --> from.outside --> link, unfit --> failsafe --> services --> to.DOMAIN      --> verdict
//!         |                                            `--> replies  --> egress.replies --> verdict
//!         `--> from.inside  --> link, unfit --> failsafe --> services --> replies.DOMAIN --> verdict
//!                                                      `--> the rest --> egress.open    --> verdict
//! ```
//!
//! Costs: one pass over the geo data for each group that names countries or operators.
//! Source: nft(8) 1.0.6, the version of Debian 12.

mod chains;
mod header;
mod held;
mod names;
mod services;
mod spans;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Geo;
use crate::policy::{GroupId, Lists, Policy};
use chains::Writer;
use held::Held;

/// The kind of table: where in the kernel the ruleset stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A router: packets that are forwarded between the two interfaces, with connection tracking.
    Inet,
    /// A bridge: frames that are forwarded between its two ports, with connection tracking.
    Bridge,
    /// Any host: all that arrives on the two interfaces, before anything else, without state.
    Netdev,
}

impl Family {
    /// The name that nft knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }

    /// Connections are tracked where it stands.
    fn tracks(self) -> bool {
        self != Self::Netdev
    }
}

/// What the export is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The kind of table.
    pub family: Family,
    /// The interface to the internet.
    pub outside: String,
    /// The interface to the protected network.
    pub inside: String,
}

/// Writes a policy as an nftables ruleset, over the geo data that it was loaded with.
#[must_use]
pub fn nft(policy: &Policy, geo: &Geo, target: &Target) -> String {
    let held = held::groups(policy, &geo.keys());
    let failsafe = Held::networks(&policy.failsafe);
    let groups = names::identifiers(policy.groups.iter().map(|group| group.name.as_str()));
    let domains = names::identifiers(policy.domains.iter().map(|domain| domain.name.as_str()));
    let mut writer =
        Writer { policy, target, failsafe, held, groups, domains, text: String::new() };
    header::write(&mut writer.text, policy, geo, target);
    let family = target.family.as_str();
    // Named twice, so that it can be deleted whether it was there or not: one transaction.
    let _ = writeln!(writer.text, "table {family} palisade\ndelete table {family} palisade\n");
    let _ = writeln!(writer.text, "table {family} palisade {{");
    writer.sets();
    writer.chains();
    writer.text.push_str("}\n");
    writer.text
}

/// The groups that some list names, `anyone` apart: everybody needs no set.
fn named(policy: &Policy) -> BTreeSet<GroupId> {
    let all = policy.domains.iter().map(|domain| &domain.lists).chain([&policy.egress]);
    let ids = all.flat_map(|Lists { allow, deny }| allow.iter().chain(deny).copied());
    ids.filter(|id| !anyone(policy, *id)).collect()
}

fn anyone(policy: &Policy, id: GroupId) -> bool {
    matches!(policy.groups[usize::from(id.0)].body, crate::policy::Body::Anyone)
}
