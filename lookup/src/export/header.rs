//! What the file says of itself: where it is from, how to use it, and what it does not do.

use std::fmt::Write as _;

use super::{Family, Target};
use crate::Geo;
use crate::policy::Policy;

/// Writes the head of the file, down to the names of the interfaces.
pub(super) fn write(text: &mut String, policy: &Policy, geo: &Geo, target: &Target) {
    let family = target.family;
    let _ = writeln!(text, "#!/usr/sbin/nft -f");
    let _ = writeln!(text, "# {}, exported by Palisade for nftables.", policy.source().name);
    let _ = writeln!(text, "#\n# Countries: {}", geo.country_info().source);
    if let Some(asn) = geo.asn_info() {
        let _ = writeln!(text, "# Operators: {}", asn.source);
    }
    let _ = writeln!(text, "# As it was when this was written: write it again for newer data.");
    let _ = writeln!(
        text,
        "#\n# Load:   nft -f FILE              (replaces the table as a whole)\n\
         # Look:   nft list table {0} palisade   (each rule counts)\n\
         # Unload: nft delete table {0} palisade\n#\n\
         # What Palisade does and this ruleset does not:",
        family.as_str()
    );
    for limit in limits(policy, family) {
        let mut lines = wrap(limit).into_iter();
        let _ = writeln!(text, "# - {}", lines.next().unwrap_or_default());
        lines.for_each(|line| {
            let _ = writeln!(text, "#   {line}");
        });
    }
    let _ =
        writeln!(text, "# `palisade explain` says of each packet what Palisade does, and why.\n");
    defines(text, target);
}

/// The interfaces; on a router those of their VLANs too.
fn defines(text: &mut String, target: &Target) {
    for (side, base) in [("outside", &target.outside), ("inside", &target.inside)] {
        let _ = writeln!(text, "define {side} = \"{base}\"");
        if target.family == Family::Inet {
            let _ = writeln!(text, "define {side}_vlans = \"{base}.*\"");
        }
    }
    text.push('\n');
}

const RECORDS: &str = "Records. A rule counts what it decided; who was dropped, from which country \
    and why, is written nowhere.";
const FRESH: &str = "A newer policy reaches connections that are open by the rules of each packet's \
    direction alone: what was tracked stays tracked.";
const SHADOW: &str = "Shadow domains are counted by the rules whose comment ends in `shadow`, \
    and recorded nowhere.";
const LIMITS: &str = "Bounds: connection tracking has a table of its own size and its own timeouts, \
    and once it is full it refuses allowed connections too.";
const FRAGMENTS: &str = "Fragments. A later fragment has no ports, so that a service with ports does \
    not receive fragmented datagrams, and one without is not protected from tiny or overlapping ones.";
const REASSEMBLED: &str = "Fragments. Connection tracking reassembles them before they are judged; \
    tiny and overlapping ones are its matter.";
const ERRORS: &str = "ICMP errors are judged by the connection that the kernel tracked, not by what \
    the policy says of the packet that they embed: one about a connection that it does not know is \
    dropped.";
const NO_ERRORS: &str = "ICMP errors are judged as ICMP is, by their own addresses: without a service \
    for icmp the senders of too large packets are not told.";
const STATELESS: &str = "Replies to connections opened from the inside: nothing is tracked here, so \
    they are dropped. Use --family inet or bridge where the inside opens connections.";
const LINK: &str = "Neighbour discovery from the inside is not held to neighbours that were seen.";
const TAGS: &str = "VLAN tags: one 802.1Q tag is read. Frames with two tags or an 802.1ad tag match \
    no service and are dropped.";
const VLAN_NAMES: &str = "VLANs are interfaces here, eth0.10 for VLAN 10 of eth0: where they have \
    other names, change them below, also in the rules of services.";
const ONE_TABLE: &str = "VLANs share one table of connections: what the inside opened in one VLAN is \
    answered from any.";
const BROKEN: &str = "Packets that contradict themselves (lengths, checksums, the order of headers, \
    a source that is the destination) are left to the kernel.";
const HOST: &str = "All that arrives on the two interfaces is judged, also what is meant for this \
    host itself.";
const OTHERS: &str = "Traffic of other interfaces, and of this host itself, is not judged.";

fn limits(policy: &Policy, family: Family) -> Vec<&'static str> {
    let mut limits = vec![RECORDS];
    if policy.domains.iter().any(|domain| domain.shadow) {
        limits.push(SHADOW);
    }
    limits.extend_from_slice(match family {
        Family::Inet => &[REASSEMBLED, ERRORS, LIMITS, FRESH, VLAN_NAMES, OTHERS],
        Family::Bridge => &[REASSEMBLED, ERRORS, LIMITS, FRESH, LINK, TAGS, OTHERS],
        Family::Netdev => &[FRAGMENTS, NO_ERRORS, STATELESS, LINK, TAGS, HOST],
    });
    if family.tracks() && policy.domains.iter().any(|domain| domain.vlans.is_some()) {
        limits.push(ONE_TABLE);
    }
    limits.push(BROKEN);
    limits
}

/// Breaks a text into lines of at most 90 bytes.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 90 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
