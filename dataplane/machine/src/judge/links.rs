//! The two interfaces: there, up, alike, and used by nothing else.

use super::Case;
use crate::{
    facts::Link,
    finding::{Finding, Grade, Way, hand},
    frame,
    setting::{Change, Setting},
};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (link, name) in case.facts.links.iter().zip(&case.plan.interfaces) {
        let Some(link) = link else {
            findings.push(missing(name));
            continue;
        };
        findings.push(ethernet(link));
        findings.push(up(link));
        findings.extend(wire(link));
        findings.push(program(case, link));
        findings.push(others(link));
        findings.extend(talk(link));
        findings.push(promiscuous(link));
        findings.push(size(link));
    }
    if let [Some(outside), Some(inside)] = &case.facts.links {
        findings.push(apart(outside, inside));
        findings.push(alike(outside, inside));
    }
    findings
}

fn missing(name: &str) -> Finding {
    let why = "a gateway lies between two interfaces of this network namespace";
    Finding::new("interface", name, "missing", "there", why).unless(
        false,
        Grade::Fatal,
        [hand("ip -brief link   # the names of those that are there")],
    )
}

fn ethernet(link: &Link) -> Finding {
    let is = if link.driver.is_empty() { "there" } else { &link.driver };
    let is = if link.ethernet { is } else { "no Ethernet" };
    let why = "packets are parsed from their Ethernet header on";
    let way = hand("[interface] in gateway.toml: name an Ethernet interface");
    Finding::new("interface", &link.name, is, "Ethernet", why).unless(
        link.ethernet,
        Grade::Fatal,
        [way],
    )
}

fn up(link: &Link) -> Finding {
    let is = if link.up { "up" } else { "down" };
    let why = "a socket can't be bound to an interface that is down";
    let setting = Setting::State { link: link.name.clone() };
    let way = Change { setting, to: "up".to_owned() }.into();
    Finding::new("up", &link.name, is, "up", why).unless(link.up, Grade::Fatal, [way])
}

/// The cable and what it agreed on.
fn wire(link: &Link) -> Option<Finding> {
    let carrier = link.carrier?;
    let half = link.duplex.as_deref() == Some("half");
    let is = match (carrier, half) {
        (false, _) => "no carrier",
        (true, true) => "half duplex",
        (true, false) => "connected",
    };
    let why = "nothing passes without a carrier, and half duplex loses packets to collisions";
    let way = hand(format!("ethtool {}   # look at the cable and the other end", link.name));
    let finding = Finding::new("cable", &link.name, is, "connected, full duplex", why);
    Some(finding.unless(carrier && !half, Grade::Warning, [way]))
}

/// The XDP program that is there now.
fn program(case: &Case<'_>, link: &Link) -> Finding {
    let none = "none, or a running gateway's";
    let Some(program) = &link.program else {
        let why = "an interface runs one XDP program at a time";
        return Finding::new("xdp-program", &link.name, "none", none, why);
    };
    if !program.ours {
        let is = format!("{} (id {})", program.name, program.id);
        let why = "an interface runs one XDP program at a time, and Palisade takes none off that it \
                   did not put on";
        let way = format!(
            "stop what attached it, or: ip link set dev {} {} off",
            link.name, program.word
        );
        let finding = Finding::new("xdp-program", &link.name, is, none, why);
        return finding.unless(false, Grade::Fatal, [hand(way)]);
    }
    let fail = if case.plan.fail_open { "bridges" } else { "drops" };
    let is = if case.facts.running {
        "the gateway's".to_owned()
    } else {
        "a killed gateway's".to_owned()
    };
    let why = format!(
        "a gateway that was killed leaves its program, which {fail} everything as [fail] says"
    );
    let way = "palisade run --config gateway.toml   # takes over without a gap";
    Finding::new("xdp-program", &link.name, is, none, why).unless(
        case.facts.running,
        Grade::Warning,
        [hand(way)],
    )
}

/// Nothing of the host's network is on it.
fn others(link: &Link) -> Finding {
    let addresses: Vec<_> = link.addresses.iter().filter(|at| !at.starts_with("fe80:")).collect();
    let name = &link.name;
    let (is, way) = match (&link.master, addresses.as_slice()) {
        (Some(master), _) => {
            (format!("part of {master}"), format!("ip link set dev {name} nomaster"))
        }
        (None, []) => ("nothing else".to_owned(), String::new()),
        (None, [first, ..]) => {
            let more = if addresses.len() > 1 { ", .." } else { "" };
            (format!("has {first}{more}"), format!("ip address flush dev {name}"))
        }
    };
    let why = "whatever comes in goes to the gateway alone, so an address here answers nobody; and \
               what a bridge or the host sends out here, nobody judged";
    Finding::new("used-by", name, is, "nothing else", why).unless(
        link.master.is_none() && addresses.is_empty(),
        Grade::Warning,
        [hand(way)],
    )
}

/// The kernel says nothing by itself.
fn talk(link: &Link) -> Option<Finding> {
    let quiet = link.quiet?;
    let is = if quiet { "off" } else { "on" };
    let why = "with IPv6 on, the kernel asks for routers and reports groups on both sides, under an \
               address that no policy knows";
    let path = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", link.name);
    let way = Change { setting: Setting::File { path }, to: "1".to_owned() }.into();
    let finding = Finding::new("own-ipv6", &link.name, is, "off", why);
    Some(finding.unless(quiet, Grade::Advice, [way]))
}

fn promiscuous(link: &Link) -> Finding {
    let is = match (link.virtual_function, link.promiscuous) {
        (true, _) => "a virtual function",
        (false, true) => "on",
        (false, false) => "off; palisade run turns it on",
    };
    let why = "the frames are addressed to others; a virtual function gets those only if the host \
               trusts it";
    let way = hand("on the host: ip link set dev PF vf NUMBER trust on spoofchk off");
    Finding::new("promiscuous", &link.name, is, "allowed", why).unless(
        !link.virtual_function,
        Grade::Warning,
        [way],
    )
}

/// A packet of this MTU fits a frame.
fn size(link: &Link) -> Finding {
    let limit = frame::largest_mtu();
    let why = "a frame of packet memory is a page at most";
    let is = format!("{} bytes", link.mtu_bytes);
    let way = hand(format!("ip link set dev {} mtu {limit}", link.name));
    Finding::new("mtu", &link.name, is, format!("at most {limit} bytes"), why).unless(
        link.mtu_bytes <= limit,
        Grade::Fatal,
        [way],
    )
}

/// Two interfaces, and not two names of one wire.
fn apart(outside: &Link, inside: &Link) -> Finding {
    let same = outside.index == inside.index;
    let joined = outside.lower == Some(inside.index) || inside.lower == Some(outside.index);
    let is = match (same, joined) {
        (true, _) => "one interface",
        (false, true) => "one lies on the other, or is its other end",
        (false, false) => "two",
    };
    let why = "what is forwarded from one to the other must not come back";
    let of = format!("{}, {}", outside.name, inside.name);
    let way = hand("[interface] in gateway.toml: name two ports that lead to different networks");
    Finding::new("interfaces", of, is, "two", why).unless(!same && !joined, Grade::Fatal, [way])
}

/// What one side takes in, the other can send.
fn alike(outside: &Link, inside: &Link) -> Finding {
    let (out, into) = (outside.mtu_bytes, inside.mtu_bytes);
    let is = if out == into { format!("{out} bytes") } else { format!("{out} and {into} bytes") };
    let why = "a bridge tells no sender that its packets are too long: the side with the smaller MTU \
               drops them";
    let ways: [Way; 1] = [hand(if out > into {
        format!("ip link set dev {} mtu {into}", outside.name)
    } else {
        format!("ip link set dev {} mtu {out}", inside.name)
    })];
    let of = format!("{}, {}", outside.name, inside.name);
    Finding::new("mtu", of, is, "the same on both", why).unless(out == into, Grade::Warning, ways)
}
