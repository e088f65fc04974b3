//! Attempts to get past the policy, from either side.

use filter::{Action::*, DropReason::*, DropRecord};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const DE: &str = "2001:db8:de::1";
const CN: &str = "2001:db8:c::1";
const CLIENT: &str = "fd00:3::5";

/// Neighbour discovery with room for a message.
fn discovery(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend(b"a secret that egress would not let out..");
    message
}

#[test]
fn discovery_smuggles_nothing_out() {
    for kind in 133..=137 {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        for to in [CN, DE, "ff0e::1", "ff05::2"] {
            let forged = icmp(CLIENT, to, 255, &discovery(kind));
            assert_eq!(lab.refused(Inside, &forged), OffLink, "{kind} to {to}");
        }
        // What no router forwards stays what it was.
        for (from, to) in [(CLIENT, "ff02::1:ff00:1"), (CLIENT, "fe80::1"), ("fe80::5", DE)] {
            assert_eq!(lab.send(Inside, &icmp(from, to, 255, &discovery(kind))), Pass, "{kind}");
        }
        // From afar nobody becomes a neighbour, nor by anything but discovery.
        lab.send_to(1, Outside, &icmp(CN, CLIENT, 254, &discovery(kind)));
        lab.send_to(1, Outside, &icmp(CN, CLIENT, 255, &discovery(128)));
        let forged = icmp(CLIENT, CN, 255, &discovery(kind));
        assert_eq!(lab.refused(Inside, &forged), OffLink);
    }
}

#[test]
fn neighbours_of_any_prefix_find_each_other() {
    let mut lab = Lab::with("policy", 2, 1024, 1000);
    let solicit = icmp(CN, "ff02::1:ff00:5", 255, &discovery(135));
    let advertise = icmp(CLIENT, CN, 255, &discovery(136));
    assert_eq!(lab.send_to(0, Outside, &solicit), Pass);
    assert_eq!(lab.send_to(1, Inside, &advertise), Pass, "another worker");
    let ask = icmp(CLIENT, "ff02::1:ff00:1", 255, &discovery(135));
    assert_eq!(lab.send_to(1, Inside, &ask), Pass);
    assert_eq!(lab.send_to(0, Outside, &icmp(DE, CLIENT, 255, &discovery(136))), Pass);
    lab.reload("closed");
    lab.now_ms += 3_600_000;
    let probe = icmp(CLIENT, DE, 255, &discovery(135));
    assert_eq!(lab.send_to(1, Inside, &probe), Pass, "an hour later");
    lab.now_ms += 24 * 3_600_000;
    assert_eq!(lab.send_to(1, Inside, &probe), Drop, "long gone");
}

/// In IPv6 the receiver knows a datagram by its ends and id alone: a fragment that names another
/// protocol than the first one did is of the same datagram all the same.
#[test]
fn another_protocol_is_no_other_datagram() {
    let chained = {
        let whole = udp_with(&format!("[{DE}]:999"), "[fd00:2::1]:53", &[0; 200]);
        extended(&whole, &[(60, &[0, 1, 4, 0, 0, 0, 0])])
    };
    let plain = udp_with(&format!("[{DE}]:999"), "[fd00:2::1]:53", &[0; 200]);
    let mut lab = Lab::new("policy");
    // Ports at bytes 8 to 11, behind a header that the second datagram does not have.
    assert_eq!(lab.send(Outside, &fragment(&chained, 7, 0, true, &chained[54..158])), Forward);
    assert_eq!(lab.send(Outside, &fragment(&plain, 7, 0, true, &plain[54..62])), Forward);
    let ports = fragment(&plain, 7, 8, true, &[3, 231, 0x15, 0x38, 0, 200, 0, 0]);
    assert_eq!(lab.refused(Outside, &ports), FragmentOverlap);
    let rest = fragment(&plain, 7, 104, false, &[0; 16]);
    assert_eq!(lab.send(Outside, &rest), Forward, "its name for the protocol counts nothing");
}

#[test]
fn an_answered_syn_flood_leaves_room() {
    let mut lab = Lab::with("policy", 1, 64, 1000);
    for n in 0..1_000 {
        let source = format!("198.51.100.{}:{}", n % 250 + 1, 1024 + n / 250);
        assert_eq!(lab.send(Outside, &tcp(&source, "10.2.0.1:80", "S")), Forward);
        assert_eq!(lab.send(Inside, &tcp("10.2.0.1:80", &source, "SA")), Forward);
    }
    assert_eq!(lab.counters().flow_table_full, 0, "half-open ones give way to each other");
    lab.now_ms += 61_000;
    for _ in 0..16 {
        let now = lab.now();
        lab.workers[0].housekeep(now, &mut lab.records);
    }
    assert_eq!(lab.counters().flows, 0);
}

/// ICMP's number in a packet of the other family is a protocol like any other.
#[test]
fn the_other_icmp_opens_no_way_for_this_one() {
    for (client, de, number, kind) in [("10.3.0.5", "198.51.100.1", 58, 9), (CLIENT, DE, 1, 139)] {
        let (from, to) = (client.parse().unwrap(), de.parse().unwrap());
        let mut lab = Lab::new("policy");
        assert_eq!(lab.send(Inside, &raw(from, to, 64, number.into(), &[0; 8])), Forward);
        let notice = icmp(de, client, 64, &[kind, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(lab.refused(Outside, &notice), NoService);
    }
}

#[test]
fn an_error_opens_nothing_for_what_it_embeds() {
    for [de, client] in [["198.51.100.1", "10.3.0.5"], [DE, CLIENT]] {
        let at = |host: &str, port| {
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        let (far, near) = (at(de, 443), at(client, 4000));
        let mut lab = Lab::new("policy");
        // Both claim that the inside spoke first; one comes from a friend inside.
        lab.send(Outside, &error(de, client, &tcp(&near, &far, "S"), 500));
        assert_eq!(lab.send(Inside, &error(client, de, &tcp(&far, &near, "S"), 500)), Forward);
        for flags in ["S", "SA", "A", "R"] {
            assert_eq!(lab.refused(Outside, &tcp(&far, &near, flags)), NoService);
        }
        assert_eq!(lab.counters().flows, 0);
    }
}

#[test]
fn no_link_header_hides_a_packet() {
    let good = tcp("198.51.100.1:999", "10.2.0.1:80", "S");
    let mut lab = Lab::new("policy");
    for kind in [0x9100, 0x9200, 0x88e5, 0x8847, 0x8864, 0x86dd] {
        let frame = tagged(&good, &[(kind, 5)]);
        let reason = if kind == 0x86dd { BadHeader } else { Ethertype };
        assert_eq!(lab.refused(Outside, &frame), reason, "{kind:04x}");
    }
    // IEEE 802.3 with LLC and SNAP: a length where the type should be, the type behind.
    let mut snap = good[..12].to_vec();
    snap.extend([0, 55, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    snap.extend(&good[14..]);
    assert_eq!(lab.refused(Outside, &snap), Ethertype);
    assert_eq!(lab.refused(Outside, &tagged(&snap, &[(0x8100, 5)])), Ethertype);
}

#[test]
fn odd_ends_and_ports_reach_no_service() {
    let mut lab = Lab::new("policy");
    let de = "198.51.100.1".parse().unwrap();
    let server = "10.2.0.1".parse().unwrap();
    // Port 80 of protocols that no service names.
    for number in [33, 132, 136] {
        let frame = raw(de, server, 64, number.into(), &[3, 231, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(lab.refused(Outside, &frame), NoService, "protocol {number}");
    }
    let far = format!("[{DE}]:999");
    for local in ["10.2.0.0:0", "10.1.255.255:80", "10.2.1.0:80"] {
        assert_eq!(lab.refused(Outside, &tcp("198.51.100.1:999", local, "S")), NoService);
    }
    for local in ["[::ffff:10.2.0.1]:80", "[::10.2.0.1]:80", "[fd00:2:0:1::]:80", "[ff02::1]:53"] {
        assert_eq!(lab.refused(Outside, &tcp(&far, local, "S")), NoService, "{local}");
    }
    assert_eq!(lab.send(Outside, &tcp(&far, "[fd00:2::ffff:ffff:ffff:ffff]:80", "S")), Forward);
}

/// Addresses and ports beside the ends of what the policy names, judged in one burst and alone.
#[test]
fn a_step_beside_an_end_is_outside() {
    let to = |host: &str, port: u16| tcp("192.0.2.1:9", &format!("{host}:{port}"), "S");
    let from = |source: &str| tcp(&format!("{source}:9"), "10.2.0.128:22", "S");
    let to_six = |host: &str, port| tcp("[2001:db8:f::1]:9", &format!("[{host}]:{port}"), "S");
    let from_six = |source: &str| tcp(&format!("[{source}]:9"), "[fd00:2::1]:80", "S");
    let six = "fd00:2::8000:0:0:0";
    let mut cases = Vec::new();
    for host in ["10.2.0.128", six] {
        let to = |port| if host == six { to_six(host, port) } else { to(host, port) };
        cases.extend([0, 23, 255, 512, 65534].map(|port| (to(port), None)));
        cases.extend([1, 22, 256, 511, 65535].map(|port| (to(port), Some(NotAllowed))));
    }
    for host in ["10.2.0.127", "10.2.0.129", "10.2.0.0", "10.2.0.255"] {
        cases.push((to(host, 22), None));
    }
    for host in ["fd00:2::7fff:ffff:ffff:ffff", "fd00:2::8000:0:0:1", "fd00:2::"] {
        cases.push((to_six(host, 22), None));
    }
    for host in ["10.1.255.255", "10.2.1.0"] {
        cases.push((to(host, 22), Some(NoService)));
    }
    for host in ["fd00:1:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:2:0:1::"] {
        cases.push((to_six(host, 22), Some(NoService)));
    }
    cases.extend([
        (from("198.51.99.255"), Some(NotAllowed)),
        (from("198.51.100.0"), None),
        (from("198.51.100.255"), None),
        (from("198.51.101.0"), Some(NotAllowed)),
        (tcp("192.0.2.127:9", "10.2.0.1:80", "S"), Some(Denied)),
        (tcp("192.0.2.126:9", "10.2.0.1:80", "S"), None),
        (tcp("192.0.2.128:9", "10.2.0.1:80", "S"), None),
        (tcp("192.0.2.127:9", "10.2.0.128:22", "S"), Some(NotAllowed)),
        (from_six("2001:db8:f::7fff:ffff:ffff:ffff"), Some(Denied)),
        (from_six("2001:db8:f::7fff:ffff:ffff:fffe"), None),
        (from_six("2001:db8:f::8000:0:0:0"), None),
        (from_six("2001:db8:e:ffff:ffff:ffff:ffff:ffff"), Some(NotAllowed)),
        (from_six("2001:db8:10::"), Some(NotAllowed)),
    ]);
    let frames: Vec<_> = cases.iter().map(|(frame, _)| frame.clone()).collect();
    let actions = Lab::new("edges").burst(0, Outside, &frames);
    for ((frame, want), action) in cases.iter().zip(actions) {
        let mut lab = Lab::new("edges");
        assert_eq!(lab.send(Outside, frame), action, "alone: {frame:02x?}");
        let reason = lab.records.last().and_then(DropRecord::reason);
        assert_eq!(reason, *want, "{frame:02x?}");
    }
}
