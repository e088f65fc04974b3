//! Path MTU discovery through a real gateway: smaller links behind it on either side, both families.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{
    Beyond, Branch, Counter, End, Gateway, Haul, Lab, Namespace, Server, Service, Setup, Transfer,
    checksum, send_raw,
};

/// Of no country and no service: no rule lets the router itself in.
const ROUTER: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// Behind the servers, and served by the policy.
const FAR_SERVER: [&str; 2] = ["10.1.0.50", "fd00:1::50"];
/// Behind the clients: German.
const FAR_CLIENT: [&str; 2] = ["5.9.0.77", "2a01:4f8::77"];
const SMALL: u16 = 1280;
/// More than the small link takes, less than the large ones do.
const LARGE: &str = "1350";

/// One service over TCP and nothing else: ICMP is none.
const WEB_ALONE: &str = r#"
[group.home]
countries = ["DE"]

[domain.external]
exposure = "external"
allow    = ["home"]

[[domain.external.service]]
name     = "web"
networks = ["10.1.0.0/24", "fd00:1::/64"]
proto    = "tcp"
ports    = ["80"]
"#;

fn branch(lab: &Lab, beyond: Beyond) -> Branch {
    let hosts = match beyond {
        Beyond::Clients => FAR_CLIENT,
        Beyond::Servers => FAR_SERVER,
    };
    Branch::new(lab, beyond, SMALL, ROUTER.map(ip), &hosts.map(ip)).unwrap()
}

/// What the routing table says now of the way to an address.
fn learned(from: &Namespace, to: IpAddr) -> String {
    from.run(&format!("ip route get {to}")).unwrap()
}

fn ping(from: &Namespace, source: &str, to: &str, bytes: &str) -> String {
    let words = ["-M", "do", "-c", "1", "-W", "2", "-s", bytes, "-I", source, to];
    let output = from.command("ping").args(words).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_ping_learns_the_mtu_of_a_smaller_link() {
    for beyond in [Beyond::Servers, Beyond::Clients] {
        let Some(lab) = site(1) else { return };
        let _branch = branch(&lab, beyond);
        let gateway = Gateway::start(&lab, &Setup::new(&lab, POLICY)).unwrap();
        for family in [0, 1] {
            let (from, source, to) = match beyond {
                Beyond::Servers => (&lab.clients, OFFICE[family], FAR_SERVER[family]),
                Beyond::Clients => (&lab.servers, SERVER[family], FAR_CLIENT[family]),
            };
            let first = ping(from, source, to, LARGE);
            let said = first.contains("1280") && first.contains(ROUTER[family]);
            assert!(said, "{source} to {to}: {first}{}", gateway.log());
            let route = learned(from, ip(to));
            assert!(route.contains("mtu 1280"), "{source} to {to}: {route}");
            let again = ping(from, source, to, "1200");
            assert!(again.contains(" 1 received"), "{source} to {to}: {again}");
        }
        settle(gateway);
    }
}

/// A transfer both ways at once over the small link, where ICMP is no service.
fn transfer(lab: &Lab, beyond: Beyond, family: usize) {
    let branch = branch(lab, beyond);
    let (clients, from, servers, at) = match beyond {
        Beyond::Servers => (&lab.clients, OFFICE[family], &branch.far, FAR_SERVER[family]),
        Beyond::Clients => (&branch.far, FAR_CLIENT[family], &lab.servers, SERVER[family]),
    };
    let to = SocketAddr::new(ip(at), 80);
    let _server = Server::start(servers, Service::TcpEcho, to).unwrap();
    let large = match beyond {
        Beyond::Servers => &lab.clients,
        Beyond::Clients => &lab.servers,
    };
    let told =
        Counter::start(large, "icmp type destination-unreachable icmp code 4 ip saddr 192.0.2.1")
            .unwrap();
    let told6 = Counter::start(large, "icmpv6 type packet-too-big ip6 saddr 2001:db8::1").unwrap();
    let gateway = Gateway::start(lab, &Setup::new(lab, WEB_ALONE)).unwrap();
    let haul = Haul::new(Service::TcpEcho, ip(from), to, 4 << 20);
    let end = Transfer::start(clients, haul).unwrap().wait(Duration::from_secs(20)).unwrap();
    assert_eq!(end, End::Complete, "{beyond:?} {from} to {to}: {}", gateway.log());
    let told = [told.packets().unwrap(), told6.packets().unwrap()];
    assert!(told[family] > 0, "nobody had to be told: the link is no test, {told:?}");
    let peer = ip(if beyond == Beyond::Servers { at } else { from });
    let route = learned(large, peer);
    assert!(route.contains("mtu 1280"), "{beyond:?}: {route}");
    settle(gateway);
}

#[test]
fn a_transfer_crosses_a_smaller_link_behind_the_gateway() {
    for family in [0, 1] {
        let Some(lab) = site(1) else { return };
        transfer(&lab, Beyond::Servers, family);
    }
}

#[test]
fn a_transfer_crosses_a_smaller_link_before_the_gateway() {
    for family in [0, 1] {
        let Some(lab) = site(2) else { return };
        transfer(&lab, Beyond::Clients, family);
    }
}

/// "Packet too big", about a segment of 8 bytes of TCP between these ends.
fn too_big(from: IpAddr, to: IpAddr, ports: [u16; 2]) -> (u8, Vec<u8>) {
    let mut inner = Vec::new();
    let transport = [&ports[0].to_be_bytes()[..], &ports[1].to_be_bytes(), &[0, 0, 0, 9]].concat();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            inner.extend([0x45, 0, 5, 0xdc, 0, 0, 0x40, 0, 64, 6, 0, 0]);
            inner.extend([from.octets(), to.octets()].concat());
            let sum = checksum(&inner).to_be_bytes();
            inner[10..12].copy_from_slice(&sum);
            let mut error = [&[3, 4, 0, 0, 0, 0, 5, 0][..], &inner, &transport].concat();
            let sum = checksum(&error).to_be_bytes();
            error[2..4].copy_from_slice(&sum);
            (1, error)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            inner.extend([0x60, 0, 0, 0, 5, 0xb4, 6, 64]);
            inner.extend([from.octets(), to.octets()].concat());
            (58, [&[2, 0, 0, 0, 0, 0, 5, 0][..], &inner, &transport].concat())
        }
        _ => unreachable!("one family"),
    }
}

#[test]
fn an_error_about_no_allowed_flow_does_not_pass() {
    let Some(lab) = site(1) else { return };
    ROUTER.iter().for_each(|address| lab.add_client(ip(address)).unwrap());
    let gateway = Gateway::start(&lab, &Setup::new(&lab, WEB_ALONE)).unwrap();
    let errors = [
        Counter::start(&lab.servers, "ip saddr 192.0.2.1 meta l4proto icmp").unwrap(),
        Counter::start(&lab.servers, "ip6 saddr 2001:db8::1 icmpv6 type packet-too-big").unwrap(),
    ];
    // The embedded packet's ports, and whether its pair is allowed: from a server's to a client's.
    let cases = [
        (FOREIGN, [80, 40_000], 0),
        (UNKNOWN, [80, 40_000], 0),
        (OFFICE, [81, 40_000], 0),
        (OFFICE, [40_000, 80], 0),
        (OFFICE, [80, 40_000], 1),
    ];
    for family in [0, 1] {
        for (peer, ports, passes) in cases {
            let (router, server) = (ip(ROUTER[family]), ip(SERVER[family]));
            let (protocol, error) = too_big(server, ip(peer[family]), ports);
            let before = errors[family].packets().unwrap();
            send_raw(&lab.clients, protocol, router, server, &error).unwrap();
            thread::sleep(Duration::from_millis(150));
            let passed = errors[family].packets().unwrap() - before;
            assert_eq!(passed, passes, "about {} {ports:?}: {}", peer[family], gateway.log());
        }
    }
    settle(gateway);
}
