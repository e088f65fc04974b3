//! The body of the table: sets of groups, a chain for each interface, domain and direction.

use std::fmt::Write as _;

use super::names::comment;
use super::services::{End, matches};
use super::{Family, Held, Target, anyone, named};
use crate::policy::{Exception, GroupId, Lists, Policy};

/// A ruleset while it is written.
pub(super) struct Writer<'a> {
    pub(super) policy: &'a Policy,
    pub(super) target: &'a Target,
    pub(super) failsafe: Held,
    /// By group: what it holds, and its name in sets.
    pub(super) held: Vec<Held>,
    pub(super) groups: Vec<String>,
    /// By domain: its name in chains.
    pub(super) domains: Vec<String>,
    pub(super) text: String,
}

/// The set of an exception, by its place in the policy.
fn exception_set(index: usize) -> String {
    format!("exception.{index}")
}

/// Where a packet came from; the other end is the remote one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Outside,
    Inside,
}

impl From {
    /// The remote address of its packets: country, operator and network are asked of this one.
    fn remote(self) -> &'static str {
        match self {
            Self::Outside => "saddr",
            Self::Inside => "daddr",
        }
    }
}

impl Writer<'_> {
    pub(super) fn sets(&mut self) {
        if !self.policy.failsafe.is_empty() {
            let failsafe = self.failsafe.clone();
            self.set("failsafe", "never cut off", &failsafe);
        }
        for id in named(self.policy) {
            let index = usize::from(id.0);
            let name = format!("group.{}", self.groups[index]);
            let held = self.held[index].clone();
            self.set(&name, &format!("group {}", self.policy.groups[index].name), &held);
        }
        let policy = self.policy;
        for (index, exception) in policy.exceptions.iter().enumerate() {
            let held = Held::networks(&exception.networks);
            self.set(&exception_set(index), &format!("exception {}", exception.name), &held);
        }
    }

    /// The set of each family in which it holds an address.
    fn set(&mut self, name: &str, about: &str, held: &Held) {
        let v4: Vec<String> = held.v4.elements().collect();
        let v6: Vec<String> = held.v6.elements().collect();
        for (family, kind, elements) in [("v4", "ipv4_addr", v4), ("v6", "ipv6_addr", v6)] {
            if elements.is_empty() {
                continue;
            }
            self.line(1, &format!("set {name}.{family} {{"));
            self.line(2, &comment(about));
            self.line(2, &format!("type {kind}"));
            self.line(2, "flags interval");
            self.line(2, "elements = {");
            for line in elements.chunks(4) {
                self.line(3, &format!("{},", line.join(", ")));
            }
            self.line(2, "}");
            self.line(1, "}\n");
        }
    }

    pub(super) fn chains(&mut self) {
        for index in 0..self.policy.domains.len() {
            self.domain(index, From::Outside);
            self.domain(index, From::Inside);
        }
        self.egress();
        self.link();
        self.unfit();
        if self.target.family.tracks() {
            self.errors();
        }
        self.from(From::Outside);
        self.from(From::Inside);
        self.hooks();
    }

    /// What a domain says of a remote address: of those who come to its services, and of those whom
    /// they answer.
    fn domain(&mut self, index: usize, from: From) {
        let policy = self.policy;
        let (domain, name) = (&policy.domains[index], self.domains[index].clone());
        let (chain, about) = match from {
            From::Outside => (format!("to.{name}"), "who may reach its services"),
            From::Inside => (format!("replies.{name}"), "whom its services may answer"),
        };
        let exposure = domain.exposure.as_str();
        self.open(&chain, &format!("domain {}, {exposure}: {about}", domain.name));
        let exceptions = policy.exceptions.iter().enumerate();
        let here = exceptions.filter(|(_, one)| usize::from(one.domain.0) == index);
        self.lists(&domain.lists, "", domain.shadow, (from, here));
        self.close();
    }

    /// Deny, allow, exceptions up to their end, default; the first that holds the remote address
    /// decides.
    fn lists<'e>(
        &mut self,
        lists: &Lists,
        prefix: &str,
        shadow: bool,
        (from, exceptions): (From, impl IntoIterator<Item = (usize, &'e Exception)>),
    ) {
        // In a shadow domain what would be dropped is counted, and goes on.
        let (drop, mark) = if shadow { ("accept", ", shadow") } else { ("drop", "") };
        for id in &lists.deny {
            self.group(*id, from, drop, &format!("{prefix}deny:"), mark);
        }
        for id in &lists.allow {
            self.group(*id, from, "accept", &format!("{prefix}allow:"), "");
        }
        for (index, exception) in exceptions {
            let held = Held::networks(&exception.networks);
            let comment = comment(&format!("exception:{}", exception.name));
            // Seconds since 1970, which name one moment whatever the zone of who loads it.
            let then = format!("meta time < {} counter accept {comment}", exception.until.0);
            let none = (held.v4.is_empty(), held.v6.is_empty());
            self.in_set(&exception_set(index), none, from, &then);
        }
        self.line(2, &format!("counter {drop} {}", comment(&format!("{prefix}default{mark}"))));
    }

    fn group(&mut self, id: GroupId, from: From, verdict: &str, rule: &str, mark: &str) {
        let index = usize::from(id.0);
        let comment = comment(&format!("{rule}{}{mark}", self.policy.groups[index].name));
        if anyone(self.policy, id) {
            self.line(2, &format!("counter {verdict} {comment}"));
            return;
        }
        let held = &self.held[index];
        let (none, name) =
            ((held.v4.is_empty(), held.v6.is_empty()), format!("group.{}", self.groups[index]));
        if none == (true, true) {
            self.line(2, &format!("# {rule}{} holds no address", self.policy.groups[index].name));
        }
        self.in_set(&name, none, from, &format!("counter {verdict} {comment}"));
    }

    /// A rule for each family in which a set holds an address.
    fn in_set(&mut self, set: &str, none: (bool, bool), from: From, then: &str) {
        let remote = from.remote();
        if !none.0 {
            self.line(2, &format!("ip {remote} @{set}.v4 {then}"));
        }
        if !none.1 {
            self.line(2, &format!("ip6 {remote} @{set}.v6 {then}"));
        }
    }

    fn egress(&mut self) {
        let policy = self.policy;
        self.open("egress.open", "connections opened from the inside: to whom");
        self.lists(&policy.egress, "egress.", false, (From::Inside, None));
        self.close();
        if self.target.family.tracks() {
            self.open("egress.replies", "their replies: from whom, still");
            self.lists(&policy.egress, "egress.", false, (From::Outside, None));
            self.close();
        }
    }

    /// What a link needs to live; on a router it is not forwarded.
    fn link(&mut self) {
        self.open("link", "ARP, neighbour and listener discovery: of this link or not at all");
        if self.target.family != Family::Inet {
            self.line(2, "meta protocol arp counter accept");
            self.line(
                2,
                "meta protocol ip6 icmpv6 type 133-137 icmpv6 code 0 ip6 hoplimit 255 \
                 counter accept",
            );
            self.line(
                2,
                "meta protocol ip6 icmpv6 type { 130-132, 143 } ip6 hoplimit 1 \
                 ip6 saddr { ::, fe80::/10 } ip6 daddr ff00::/8 counter accept",
            );
        }
        let off = comment("off_link");
        self.line(
            2,
            &format!("meta protocol ip6 icmpv6 type {{ 130-137, 143 }} counter drop {off}"),
        );
        self.close();
    }

    /// What no policy can allow.
    fn unfit(&mut self) {
        self.open("unfit", "sources that no packet has, and packets that choose their own way");
        let rules = [
            ("ip saddr { 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4, 255.255.255.255 }", "bad_source"),
            ("ip6 saddr { ::/127, ::ffff:0:0/96, ff00::/8 }", "bad_source"),
            ("meta protocol ip ip option lsrr exists", "source_route"),
            ("meta protocol ip ip option ssrr exists", "source_route"),
            ("meta protocol ip6 rt type 0", "routing_header"),
            ("meta protocol ip6 rt seg-left != 0", "routing_header"),
        ];
        for (matches, reason) in rules {
            self.line(2, &format!("{matches} counter drop {}", comment(reason)));
        }
        self.close();
    }

    /// ICMP errors pass with the connection that they are about, as the kernel tracks it.
    fn errors(&mut self) {
        self.open("errors", "ICMP errors: about a known connection or not at all");
        for family in [
            "meta protocol ip icmp type \
             { destination-unreachable, source-quench, time-exceeded, parameter-problem }",
            "meta protocol ip6 icmpv6 type \
             { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
        ] {
            self.line(2, &format!("{family} ct state related counter accept"));
            self.line(2, &format!("{family} counter drop {}", comment("icmp_mismatch")));
        }
        self.close();
    }

    /// What becomes of a packet that arrives on an interface.
    fn from(&mut self, from: From) {
        let (name, end, to) = match from {
            From::Outside => ("outside", End::Destination, "to"),
            From::Inside => ("inside", End::Source, "replies"),
        };
        self.open(&format!("from.{name}"), &format!("packets that arrive {name}"));
        self.line(2, "jump link");
        self.line(2, "jump unfit");
        if from == From::Outside {
            let redirect = comment("icmp_redirect");
            self.line(2, &format!("meta protocol ip icmp type redirect counter drop {redirect}"));
        }
        if self.target.family.tracks() {
            self.line(2, "jump errors");
        }
        let none = (self.failsafe.v4.is_empty(), self.failsafe.v6.is_empty());
        self.in_set("failsafe", none, from, &format!("counter accept {}", comment("failsafe")));
        self.line(2, "# Services, the most specific network first.");
        for found in matches(self.policy, self.target, end) {
            let domain = usize::from(found.service.domain.0);
            let full = format!("{}/{}", self.policy.domains[domain].name, found.service.name);
            let goto = format!("counter goto {to}.{} {}", self.domains[domain], comment(&full));
            self.line(2, format!("{} {goto}", found.text).trim_start());
        }
        match from {
            From::Inside => self.line(2, "goto egress.open"),
            From::Outside => {
                if self.target.family.tracks() {
                    self.line(2, "ct state established ct direction reply goto egress.replies");
                }
                self.line(2, &format!("counter drop {}", comment("no_service")));
            }
        }
        self.close();
    }

    /// Where the kernel comes in.
    fn hooks(&mut self) {
        if self.target.family == Family::Netdev {
            for side in ["outside", "inside"] {
                self.line(1, &format!("chain {side} {{"));
                let hook = "type filter hook ingress";
                self.line(2, &format!("{hook} device ${side} priority filter; policy drop;"));
                self.line(2, &format!("goto from.{side}"));
                self.close();
            }
            return;
        }
        self.line(1, "chain forward {");
        self.line(2, "type filter hook forward priority filter; policy accept;");
        for side in ["outside", "inside"] {
            self.line(2, &format!("iifname ${side} goto from.{side}"));
            if self.target.family == Family::Inet {
                self.line(2, &format!("iifname ${side}_vlans goto from.{side}"));
            }
        }
        self.close();
    }

    fn open(&mut self, chain: &str, about: &str) {
        self.line(1, &format!("chain {chain} {{"));
        self.line(2, &comment(about));
    }

    fn close(&mut self) {
        self.line(1, "}\n");
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:1$}{text}", "", depth * 4);
    }
}
