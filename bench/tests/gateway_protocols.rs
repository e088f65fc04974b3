//! Protocols and VLANs that a policy names, through a real gateway: tunnels by their outer header,
//! UDP-Lite by port, services that only one VLAN sees.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{
    CLIENT_VETH, Counter, End, Gateway, Haul, Lab, SERVER_VETH, Server, Service, Setup, Tag,
    Tagger, Transfer, send_raw,
};

/// One service for each of these protocols.
const NAMED: [(&str, u8); 4] = [("gre", 47), ("esp", 50), ("ipip", 4), ("6in4", 41)];
/// What no service names: EtherIP, and a number without a name.
const NAMELESS: [u8; 2] = [97, 200];

const HEAD: &str = r#"
[group.home]
countries = ["DE"]

[domain.external]
exposure = "external"
allow    = ["home"]
"#;

fn policy() -> String {
    let service = |(name, _): &(&str, u8)| {
        format!(
            "[[domain.external.service]]\nname = \"{name}\"\n\
             networks = [\"10.1.0.0/24\", \"fd00:1::/64\"]\nproto = \"{name}\"\n"
        )
    };
    let lite = "[[domain.external.service]]\nname = \"lite\"\n\
                networks = [\"10.1.0.0/24\", \"fd00:1::/64\"]\nproto = \"udplite\"\nports = [\"7\"]\n";
    format!("{HEAD}{}{lite}", NAMED.iter().map(service).collect::<String>())
}

#[test]
fn tunnels_are_judged_by_their_outer_header() {
    let Some(lab) = site(1) else { return };
    let gateway = Gateway::start(&lab, &Setup::new(&lab, &policy())).unwrap();
    // Inside is a packet of a denied source to another place: nobody looks at it.
    let inner =
        [&[0x45, 0, 0, 20, 0, 0, 0, 0, 64, 59, 0, 0][..], &[8, 8, 8, 8, 9, 9, 9, 9]].concat();
    let payload = |protocol| match protocol {
        47 => [&[0, 0, 8, 0][..], &inner].concat(),
        50 => [&[0, 0, 1, 0, 0, 0, 0, 1][..], &inner].concat(),
        _ => inner.clone(),
    };
    let protocols = NAMED.map(|(_, number)| number).into_iter().chain(NAMELESS);
    for (number, named) in protocols.zip([true, true, true, true, false, false]) {
        for (from, reached) in [(OFFICE, named), (FOREIGN, false), (UNKNOWN, false)] {
            for family in [0, 1] {
                let (source, server) = (ip(from[family]), ip(SERVER[family]));
                let of = ["ip", "ip6"][family];
                let counter = Counter::start(
                    &lab.servers,
                    &format!("{of} saddr {source} meta l4proto {number}"),
                )
                .unwrap();
                send_raw(&lab.clients, number, source, server, &payload(number)).unwrap();
                thread::sleep(Duration::from_millis(if reached { 60 } else { 30 }));
                let arrived = counter.packets().unwrap();
                assert_eq!(arrived, u64::from(reached), "{number} of {source}: {}", gateway.log());
            }
        }
    }
    let status = gateway.quiet_status().unwrap();
    assert_eq!(status.dropped.get("not_allowed"), Some(&(4 * 2 * 2)), "{:?}", status.dropped);
    assert_eq!(status.dropped.get("no_service"), Some(&(2 * 3 * 2)), "{:?}", status.dropped);
    settle(gateway);
}

#[test]
fn udp_lite_is_judged_by_its_port() {
    let Some(lab) = site(1) else { return };
    let gateway = Gateway::start(&lab, &Setup::new(&lab, &policy())).unwrap();
    for family in [0, 1] {
        let serve = |port| {
            let at = SocketAddr::new(ip(SERVER[family]), port);
            Server::start(&lab.servers, Service::UdpLiteEcho, at).unwrap()
        };
        let servers = [serve(7), serve(8)];
        let haul = |from: &str, server: &Server| {
            let haul = Haul::new(Service::UdpLiteEcho, ip(from), server.address(), 20_000);
            Transfer::start(&lab.clients, haul).unwrap()
        };
        let allowed = haul(OFFICE[family], &servers[0]);
        let denied = [haul(FOREIGN[family], &servers[0]), haul(OFFICE[family], &servers[1])];
        assert_eq!(allowed.wait(Duration::from_secs(10)).unwrap(), End::Complete);
        thread::sleep(Duration::from_millis(300));
        for transfer in denied {
            assert_eq!(transfer.wait(Duration::ZERO).unwrap(), End::Unfinished(0));
        }
        assert!(servers[0].peers().iter().all(|peer| peer.ip() == ip(OFFICE[family])));
        assert!(servers[1].peers().is_empty());
    }
    settle(gateway);
}

fn tagged(lab: &Lab, tags: &[Tag]) -> [Tagger; 2] {
    [(&lab.clients, CLIENT_VETH), (&lab.servers, SERVER_VETH)]
        .map(|(host, veth)| Tagger::new(host, veth, tags).unwrap())
}

/// The public services stand on VLAN 42 alone; the database is seen from all.
#[test]
fn services_of_a_vlan_exist_there_alone() {
    let on_42 = POLICY.replacen("[domain.external]\n", "[domain.external]\nvlans = [42]\n", 1);
    let priority = Tag { priority: 5, ..Tag::vlan(0) };
    let stacks: [(&[Tag], bool); 4] = [
        (&[Tag::vlan(42)], true),
        (&[Tag::vlan(43)], false),
        (&[priority], false),
        (&[Tag::vlan(7), Tag::outer(42)], true),
    ];
    for (tags, seen) in stacks {
        let Some(lab) = site(1) else { return };
        let _servers = servers(&lab);
        let _taggers = tagged(&lab, tags);
        let gateway = Gateway::start(&lab, &Setup::new(&lab, &on_42)).unwrap();
        let cases = [
            (OFFICE[0], Try::Web, seen),
            (OFFICE[1], Try::Echo, seen),
            (OFFICE[1], Try::Postgres, true),
            (FOREIGN[0], Try::Web, false),
            (FOREIGN[1], Try::Postgres, false),
        ];
        assert_eq!(surprises(&lab, &cases), Vec::<String>::new(), "under {tags:?}");
        settle(gateway);
    }
}
