//! Frames of every form through a real gateway: tagged, fragmented, as large as fits, larger.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{
    CLIENT_VETH, Counter, End, Gateway, Haul, INSIDE, Lab, OUTSIDE, SERVER_VETH, Service, Setup,
    Tag, Tagger, Transfer,
};

/// Sources, what they try, and whether it may be; neighbours must be found under the tags too.
#[rustfmt::skip]
const CASES: [(&str, Try, bool); 12] = [
    (OFFICE[0],  Try::Web,      true),
    (OFFICE[1],  Try::Web,      true),
    (OFFICE[0],  Try::Echo,     true),
    (OFFICE[1],  Try::Echo,     true),
    (OFFICE[0],  Try::Ping,     true),
    (OFFICE[1],  Try::Postgres, true),
    (OFFICE[0],  Try::Unlisted, false),
    (ABUSER,     Try::Web,      false),
    (FOREIGN[0], Try::Web,      false),
    (FOREIGN[1], Try::Echo,     false),
    (UNKNOWN[0], Try::Ping,     false),
    (UNKNOWN[1], Try::Web,      false),
];

/// Both hosts with the same tags.
fn tagged(lab: &Lab, tags: &[Tag]) -> [Tagger; 2] {
    [(&lab.clients, CLIENT_VETH), (&lab.servers, SERVER_VETH)]
        .map(|(host, veth)| Tagger::new(host, veth, tags).unwrap())
}

/// Tags, the inner one first.
fn stacks() -> [Vec<Tag>; 3] {
    let priority = Tag { priority: 5, ..Tag::vlan(0) };
    let inner = Tag { priority: 3, ..Tag::vlan(42) };
    [vec![Tag::vlan(42)], vec![priority], vec![inner, Tag::outer(7)]]
}

fn judged_under(tags: &[Tag], mode: &'static str) {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let _taggers = tagged(&lab, tags);
    let setup = Setup { mode, ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let wrong = surprises(&lab, &CASES);
    assert_eq!(wrong, Vec::<String>::new(), "under {tags:?}: {}", gateway.log());
    settle(gateway);
}

#[test]
fn tagged_frames_are_judged_as_untagged_ones() {
    stacks().iter().for_each(|tags| judged_under(tags, "auto"));
}

#[test]
fn tagged_frames_are_judged_as_untagged_ones_behind_the_driver() {
    judged_under(&[Tag::vlan(42), Tag::vlan(7)], "skb");
}

#[test]
fn a_third_tag_hides_nothing() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let _taggers = tagged(&lab, &[Tag::vlan(42), Tag::vlan(8), Tag::outer(7)]);
    for at in SERVER {
        let known = "lladdr 02:00:00:00:00:50 nud permanent";
        lab.clients.run(&format!("ip neigh replace {at} {known} dev {CLIENT_VETH}")).unwrap();
    }
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    let wrong = surprises(&lab, &[(OFFICE[0], Try::Web, false), (OFFICE[1], Try::Echo, false)]);
    assert_eq!(wrong, Vec::<String>::new(), "{}", gateway.log());
    let status = gateway.quiet_status().unwrap();
    assert!(status.dropped.get("vlan_depth") >= Some(&2), "{status:#?}");
    assert_eq!(status.forwarded + status.passed, 0, "{status:#?}");
    settle(gateway);
}

/// What the gateway cannot help: a veth hands a tag on beside the frame, where no XDP program sees it,
/// as long as the sender's end offloads tags. The gateway's own `rx-vlan-hw-parse` changes nothing.
#[test]
fn a_veth_whose_peer_offloads_tags_hides_them() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    // The servers are on no VLAN: they answer only what comes without a tag.
    let _tagger = Tagger::new(&lab.clients, CLIENT_VETH, &[Tag::vlan(42)]).unwrap();
    let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
    for (offload, lost) in [("off", false), ("on", true)] {
        lab.clients.run(&format!("ethtool -K {CLIENT_VETH} tx-vlan-hw-insert {offload}")).unwrap();
        let wrong = surprises(&lab, &[(OFFICE[0], Try::Web, lost), (OFFICE[1], Try::Echo, lost)]);
        assert_eq!(wrong, Vec::<String>::new(), "offload {offload}: {}", gateway.log());
    }
    settle(gateway);
}

/// Large pings and datagrams of 8 kB from a country that may; nothing of one that may not.
fn fragments(lab: &Lab) {
    let _servers = servers(lab);
    let gateway = Gateway::start(lab, &Setup::new(lab, POLICY)).unwrap();
    let denied = [
        Counter::start(&lab.servers, &format!("ip saddr {}", FOREIGN[0])).unwrap(),
        Counter::start(
            &lab.servers,
            &format!("ip6 saddr {} icmpv6 type != {{ 135, 136 }}", FOREIGN[1]),
        )
        .unwrap(),
        Counter::start(&lab.servers, &format!("ip6 saddr {} meta l4proto udp", FOREIGN[1]))
            .unwrap(),
    ];
    for family in [0, 1] {
        let (from, to) = (OFFICE[family], SERVER[family]);
        let line = format!("ping -q -c 3 -i 0.2 -W 2 -s 4000 -I {from} {to}");
        lab.clients.run(&line).unwrap_or_else(|error| panic!("{error}: {}", gateway.log()));
        let haul = |from: &str| Haul {
            datagram_bytes: 8000,
            ..Haul::new(Service::UdpEcho, ip(from), SocketAddr::new(ip(to), 7), 400_000)
        };
        let allowed = Transfer::start(&lab.clients, haul(from)).unwrap();
        let stranger = Transfer::start(&lab.clients, haul(FOREIGN[family])).unwrap();
        let line = format!("ping -q -c 2 -i 0.2 -W 1 -s 4000 -I {} {to}", FOREIGN[family]);
        lab.clients.run(&line).unwrap_err();
        assert_eq!(allowed.wait(Duration::from_secs(10)).unwrap(), End::Complete, "{from}");
        assert_eq!(stranger.wait(Duration::ZERO).unwrap(), End::Unfinished(0), "family {family}");
    }
    assert_eq!(denied.map(|counter| counter.packets().unwrap()), [0; 3]);
    let status = gateway.status().unwrap();
    assert!(status.dropped.contains_key("fragment_orphan"), "{:?}", status.dropped);
    settle(gateway);
}

#[test]
fn fragments_of_the_allowed_pass_and_no_others() {
    let Some(lab) = site(1) else { return };
    fragments(&lab);
}

#[test]
fn fragments_of_the_allowed_pass_over_two_queues() {
    let Some(lab) = site(2) else { return };
    lab.steer_clients(1).unwrap();
    lab.steer_servers(0).unwrap();
    fragments(&lab);
}

/// Gives the four ends of the wires an MTU; the hosts first, which may then send as much.
fn mtu(lab: &Lab, bytes: u32) {
    for (namespace, name) in [
        (&lab.clients, CLIENT_VETH),
        (&lab.servers, SERVER_VETH),
        (&lab.gateway, OUTSIDE),
        (&lab.gateway, INSIDE),
    ] {
        namespace.run(&format!("ip link set {name} mtu {bytes}")).unwrap();
    }
}

/// Pings with packets of exactly so many bytes, in one piece.
fn ping_whole(lab: &Lab, family: usize, bytes: u32) -> bool {
    let payload = bytes - [28, 48][family];
    let (from, to) = (OFFICE[family], SERVER[family]);
    let line = format!("ping -q -M do -c 2 -i 0.2 -W 1 -s {payload} -I {from} {to}");
    lab.clients.run(&line).is_ok()
}

#[test]
fn an_mtu_that_no_frame_holds_is_refused_with_the_numbers() {
    for interface in [OUTSIDE, INSIDE] {
        let Some(lab) = site(1) else { return };
        lab.gateway.run(&format!("ip link set {interface} mtu 9000")).unwrap();
        let (exit, said) = Gateway::refused(&lab, &Setup::new(&lab, POLICY)).unwrap();
        assert_eq!(exit.code(), Some(1), "{said}");
        for word in [interface, "9000", "3818"] {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    }
}

/// In the driver a veth holds less than a page allows; behind it the whole frame is ours.
#[test]
fn frames_of_the_largest_mtu_pass() {
    for (mode, bytes) in [("auto", 3500), ("skb", 3818)] {
        let Some(lab) = site(1) else { return };
        let _servers = servers(&lab);
        mtu(&lab, bytes);
        let setup = Setup { mode, ..Setup::new(&lab, POLICY) };
        let gateway = Gateway::start(&lab, &setup).unwrap();
        for family in [0, 1] {
            assert!(ping_whole(&lab, family, bytes), "{mode}, {family}: {}", gateway.log());
        }
        settle(gateway);
    }
}

#[test]
fn what_outgrows_a_frame_while_the_gateway_runs_is_dropped_and_counted() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let setup = Setup { mode: "skb", ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    assert!(ping_whole(&lab, 0, 1500));
    mtu(&lab, 9000);
    let before = gateway.quiet_status().unwrap().interfaces[0].kernel_dropped;
    assert!(!ping_whole(&lab, 0, 8000), "a frame of 2,048 bytes held 8,000");
    let after = gateway.quiet_status().unwrap();
    assert!(after.interfaces[0].kernel_dropped >= before + 2, "{after:#?}");
    assert!(ping_whole(&lab, 0, 1500), "what fits goes on");
    settle(gateway);
}
