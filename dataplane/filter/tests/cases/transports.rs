//! Protocols without ports, by their number; with ports, by port; errors about each of them.

use filter::{Action::*, DropReason::*};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

/// DE, FR, CN, server, client.
const HOSTS: [[&str; 5]; 2] = [
    ["198.51.100.1", "192.0.2.1", "203.0.113.1", "10.2.0.1", "10.3.0.5"],
    ["2001:db8:de::1", "2001:db8:f::1", "2001:db8:c::1", "fd00:2::1", "fd00:3::5"],
];

/// GRE, IPv4 and IPv6 in IP, ESP.
const TUNNELS: [u8; 4] = [47, 4, 41, 50];
/// SCTP, UDP-Lite, DCCP: by port, as TCP and UDP are.
const PORTED: [u8; 3] = [132, 136, 33];

fn packet(from: &str, to: &str, number: u8, ports: (u16, u16)) -> Vec<u8> {
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    match number {
        // A segment and a datagram are read to the end of their header.
        6 => bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]),
        17 => bytes.extend([0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        _ => bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    }
    raw(from.parse().unwrap(), to.parse().unwrap(), 64, number.into(), &bytes)
}

#[test]
fn tunnels_are_judged_by_their_outer_header() {
    for [de, fr, cn, server, client] in HOSTS {
        for number in TUNNELS {
            // Ports stand for whatever the tunnel carries: they may change from packet to packet.
            let mut lab = Lab::new("tunnels");
            for inner in [(1, 2), (80, 5432), (0xffff, 0)] {
                let there = packet(de, server, number, inner);
                let back = packet(server, de, number, inner);
                assert_eq!(lab.send(Outside, &there), Forward, "{number}");
                assert_eq!(lab.send(Inside, &back), Forward, "{number}");
                assert_eq!(lab.refused(Outside, &packet(fr, server, number, inner)), NotAllowed);
                assert_eq!(lab.refused(Outside, &packet(cn, server, number, inner)), NotAllowed);
                assert_eq!(lab.refused(Outside, &packet(de, client, number, inner)), NoService);
            }
            assert_eq!(lab.counters().flows, 1, "one pair, one flow");
            assert_eq!(lab.send(Inside, &packet(client, fr, number, (1, 2))), Forward);
            assert_eq!(lab.send(Outside, &packet(fr, client, number, (7, 7))), Forward);
            assert_eq!(lab.refused(Inside, &packet(client, cn, number, (1, 2))), Denied);
        }
        let mut lab = Lab::new("tunnels");
        for other in [2, 46, 51, 89, 115, 255] {
            let reason = lab.refused(Outside, &packet(de, server, other, (0, 0)));
            assert_eq!(reason, if other == 51 { BadHeader } else { NoService }, "{other}");
        }
        // VXLAN is UDP to its port; what it carries is not read.
        let at = |host: &str, port| {
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        let carried = tcp("203.0.113.1:1", "10.2.0.1:5432", "S");
        let vxlan = udp_with(&at(de, 999), &at(server, 4789), &carried);
        assert_eq!(lab.send(Outside, &vxlan), Forward);
        let vxlan = udp_with(&at(fr, 999), &at(server, 4789), &carried);
        assert_eq!(lab.refused(Outside, &vxlan), NotAllowed);
        let astray = udp_with(&at(de, 999), &at(server, 4790), &carried);
        assert_eq!(lab.refused(Outside, &astray), NoService);
    }
}

#[test]
fn sctp_udp_lite_and_dccp_by_port() {
    for [de, fr, _, server, client] in HOSTS {
        for number in PORTED {
            let mut lab = Lab::new("tunnels");
            for (port, served) in
                [(79, false), (80, true), (81, false), (4999, false), (5000, true), (5010, true)]
            {
                let frame = packet(de, server, number, (999, port));
                if served {
                    assert_eq!(lab.send(Outside, &frame), Forward, "{number} {port}");
                    let back = packet(server, de, number, (port, 999));
                    assert_eq!(lab.send(Inside, &back), Forward);
                    let frame = packet(fr, server, number, (999, port));
                    assert_eq!(lab.refused(Outside, &frame), NotAllowed);
                } else {
                    assert_eq!(lab.refused(Outside, &frame), NoService, "{number} {port}");
                }
            }
            let out = packet(client, fr, number, (4000, 7));
            let back = packet(fr, client, number, (7, 4000));
            assert_eq!(lab.refused(Outside, &back), NoService);
            assert_eq!(lab.send(Inside, &out), Forward);
            assert_eq!(lab.send(Outside, &back), Forward);
            assert_eq!(lab.refused(Outside, &packet(fr, client, number, (8, 4000))), NoService);
        }
    }
}

/// Errors: unreachable, too big, time exceeded, parameter problem, and in IPv4 source quench.
fn errors(six: bool) -> &'static [(u8, u8)] {
    if six {
        &[(1, 4), (2, 0), (3, 0), (4, 1)]
    } else {
        &[(3, 3), (3, 4), (11, 0), (12, 0), (4, 0)]
    }
}

#[test]
fn errors_with_eight_bytes_of_every_transport_follow_their_pair() {
    for [de, fr, cn, server, client] in HOSTS {
        let six = de.contains(':');
        let header = if six { 40 } else { 20 };
        let numbers = TUNNELS.iter().chain(&PORTED).chain(&[6, 17]);
        for (&number, &(kind, code)) in
            numbers.flat_map(|number| errors(six).iter().map(move |error| (number, error)))
        {
            let mut lab = Lab::new("tunnels");
            let case = format!("protocol {number}, error {kind}/{code}, IPv6 {six}");
            let about = |from: &str, to: &str, packet: &[u8], bytes: usize| {
                let mut message = vec![kind, code, 0, 0, 0, 0, 5, 0];
                message.extend(&packet[14..14 + header + bytes]);
                icmp(from, to, 64, &message)
            };
            // A router in CN, whom the policy allows nothing, about what a service sent.
            let port = if number == 17 { 4789 } else { 80 };
            let served = |to: &str| packet(server, to, number, (port, 999));
            if number != 6 {
                assert_eq!(
                    lab.send(Outside, &about(cn, server, &served(de), 8)),
                    Forward,
                    "{case}"
                );
                let refused = lab.refused(Outside, &about(cn, server, &served(fr), 8));
                assert_eq!(refused, NotAllowed, "{case}");
            }
            let cut = about(cn, server, &served(de), 7);
            assert_eq!(lab.refused(Outside, &cut), IcmpMismatch, "{case}");
            // About what the inside sent, once it has.
            let sent = packet(client, fr, number, (4000, 7));
            let error = about(cn, client, &sent, 8);
            assert_eq!(lab.refused(Outside, &error), NoService, "{case}");
            assert_eq!(lab.send(Inside, &sent), Forward, "{case}");
            assert_eq!(lab.send(Outside, &error), Forward, "{case}");
            let other = packet(client, fr, number, (4001, 7));
            let action = lab.send(Outside, &about(cn, client, &other, 8));
            let by_port = PORTED.contains(&number) || [6, 17].contains(&number);
            assert_eq!(action, if by_port { Drop } else { Forward }, "{case}");
            // From the inside, about what came to a service.
            let came = packet(de, server, number, (999, port));
            assert_eq!(lab.send(Inside, &about(server, de, &came, 8)), Forward, "{case}");
        }
    }
}

/// An IPv4 header that an error embeds may have options, an IPv6 one extensions, either a tag.
#[test]
fn errors_about_packets_with_options_and_tags() {
    for [de, _, cn, server, _] in HOSTS {
        let six = de.contains(':');
        let mut lab = Lab::new("tunnels");
        let sent = packet(server, de, 132, (80, 999));
        let longer = if six {
            extended(
                &sent,
                &[(60, &[0, 1, 4, 0, 0, 0, 0]), (51, &[1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])],
            )
        } else {
            with_options(&sent, &[148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0])
        };
        let header = if six { 40 + 8 + 12 } else { 32 };
        for (bytes, passes) in [(header + 8, true), (header + 7, false)] {
            let frame = error(cn, server, &longer, bytes);
            let want = if passes { Forward } else { Drop };
            assert_eq!(lab.send(Outside, &frame), want);
            assert_eq!(lab.send(Outside, &tagged(&frame, &[(0x88a8, 7), (0x8100, 5)])), want);
        }
    }
}
