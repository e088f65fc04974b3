//! VLANs that the policy names are worlds of their own; all others are as no VLAN at all.

use filter::{Action::*, DropReason::*};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// Client, server, DE, FR of each family.
const HOSTS: [[&str; 4]; 2] = [
    ["10.3.0.5:4000", "10.2.0.1:80", "198.51.100.1:999", "192.0.2.1:999"],
    ["[fd00:3::5]:4000", "[fd00:2::1]:80", "[2001:db8:de::1]:999", "[2001:db8:f::1]:999"],
];

fn on(vlan: u16, frame: &[u8]) -> Vec<u8> {
    tagged(frame, &[(CUSTOMER, vlan)])
}

/// Tags that say what one tag with the id would, or none with 0.
fn ways(vlan: u16, frame: &[u8]) -> Vec<Vec<u8>> {
    let mut ways = vec![
        on(vlan, frame),
        tagged(frame, &[(SERVICE, vlan)]),
        on(vlan | 0xe000, frame),
        tagged(frame, &[(CUSTOMER, 0xa000), (CUSTOMER, vlan)]),
        tagged(frame, &[(SERVICE, 0), (CUSTOMER, vlan)]),
    ];
    if vlan == 0 {
        ways.push(frame.to_vec());
    } else {
        ways.push(tagged(frame, &[(SERVICE, vlan), (CUSTOMER, 20)]));
        ways.push(tagged(frame, &[(SERVICE, vlan), (CUSTOMER, 10)]));
    }
    ways
}

#[test]
fn one_pair_has_a_verdict_in_each_vlan() {
    for [_, server, de, fr] in HOSTS {
        let (from_de, from_fr) = (tcp(de, server, "S"), tcp(fr, server, "S"));
        // In every order, so that no VLAN's flow answers for another one.
        for first in 0..6 {
            let mut lab = Lab::new("vlans");
            let mut frames = Vec::new();
            let mut wants = Vec::new();
            for at in 0..6 {
                let (vlan, of_de, of_fr) = [
                    (10, Forward, Drop),
                    (20, Drop, Forward),
                    (21, Drop, Forward),
                    (30, Drop, Drop),
                    (0, Drop, Drop),
                    (4094, Drop, Drop),
                ][(first + at) % 6];
                for (frame, want) in [(&from_de, of_de), (&from_fr, of_fr)] {
                    for way in ways(vlan, frame) {
                        assert_eq!(lab.send(Outside, &way), want, "{vlan}: {way:02x?}");
                        frames.push(way);
                        wants.push(want);
                    }
                }
            }
            assert_eq!(lab.counters().flows, 3, "20 and 21 are two");
            assert_eq!(Lab::new("vlans").burst(0, Outside, &frames), wants, "in bursts");
        }
        let mut lab = Lab::new("vlans");
        assert_eq!(lab.refused(Outside, &on(20, &from_de)), NotAllowed);
        assert_eq!(lab.refused(Outside, &on(30, &from_de)), NoService);
        assert_eq!(lab.refused(Outside, &from_de), NoService);
        assert_eq!(lab.records.iter().map(|r| r.vlan).collect::<Vec<_>>(), [20, 30, 0]);
    }
}

#[test]
fn a_domain_without_vlans_is_seen_from_all() {
    for [_, server, de, _] in HOSTS {
        let query = udp(de, &server.replace(":80", ":53"));
        let mut lab = Lab::new("vlans");
        for vlan in [0, 10, 20, 21, 22, 4094] {
            for way in ways(vlan, &query) {
                assert_eq!(lab.send(Outside, &way), Forward, "{way:02x?}");
            }
        }
        assert_eq!(lab.counters().flows, 4, "10, 20, 21 and the rest");
    }
}

#[test]
fn a_pinhole_opens_in_its_vlan_alone() {
    for [client, _, de, _] in HOSTS {
        let (out, back) = (udp(client, de), udp(de, client));
        let unreachable = error(
            de.rsplit_once(':').unwrap().0.trim_matches(['[', ']']),
            client.rsplit_once(':').unwrap().0.trim_matches(['[', ']']),
            &out,
            500,
        );
        // Which VLANs are one: the ids that nobody names, and none.
        let same =
            |a: u16, b: u16| a == b || ![10, 20, 21].contains(&a) && ![10, 20, 21].contains(&b);
        for opened in [0, 10, 20, 21, 30, 99] {
            for (outer, inner) in [(0, 0), (0, 1)] {
                for asked in [0, 10, 20, 21, 30, 99] {
                    let mut lab = Lab::with("vlans", 2, 1024, 1000);
                    assert_eq!(lab.send_to(inner, Inside, &on(opened, &out)), Forward);
                    let want = if same(opened, asked) { Forward } else { Drop };
                    for frame in [&back, &unreachable] {
                        for way in ways(asked, frame) {
                            let action = lab.send_to(outer, Outside, &way);
                            assert_eq!(action, want, "{opened} {asked}: {way:02x?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_fragment_follows_in_its_vlan_alone() {
    for [_, server, de, _] in HOSTS {
        let whole = udp_with(de, &server.replace(":80", ":53"), &[0; 200]);
        let pieces = fragments(&whole, 7, &[104]);
        for (first, later, want) in [
            (10, 10, Forward),
            (10, 20, Drop),
            (10, 0, Drop),
            (20, 21, Drop),
            (0, 10, Drop),
            (0, 30, Forward),
            (30, 31, Forward),
        ] {
            let mut lab = Lab::with("vlans", 2, 1024, 1000);
            assert_eq!(lab.send_to(0, Outside, &on(first, &pieces[0])), Forward);
            assert_eq!(lab.send_to(1, Outside, &on(later, &pieces[1])), want, "{first} {later}");
        }
    }
}

/// Who names 0 means frames without a VLAN: those of unnamed ones are another world then.
#[test]
fn a_domain_may_ask_for_frames_without_a_vlan() {
    for [client, server, de, fr] in HOSTS {
        let mut lab = Lab::new("vlans-untagged");
        for way in ways(0, &tcp(fr, server, "S")) {
            assert_eq!(lab.send(Outside, &way), Forward);
        }
        assert_eq!(lab.refused(Outside, &tcp(de, server, "S")), NotAllowed);
        for way in ways(99, &tcp(fr, server, "S")) {
            assert_eq!(lab.refused(Outside, &way), NoService);
        }
        assert_eq!(lab.send(Inside, &udp(client, de)), Forward);
        assert_eq!(lab.send(Outside, &on(99, &udp(de, client))), Drop);
        assert_eq!(lab.send(Outside, &on(0, &udp(de, client))), Forward);
    }
}

#[test]
fn a_reload_that_names_a_vlan_divides_it_from_the_next_packet_on() {
    for [client, server, de, fr] in HOSTS {
        for (outer, inner) in [(0, 0), (0, 1)] {
            let mut lab = Lab::with("vlans", 2, 1024, 1000);
            let dns = server.replace(":80", ":53");
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, server, "S"))), Drop);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &udp(de, &dns))), Forward);
            assert_eq!(lab.send_to(inner, Inside, &on(30, &tcp(client, de, "S"))), Forward);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, client, "SA"))), Forward);
            lab.reload("vlans-more");
            assert_eq!(lab.send_to(outer, Outside, &on(30, &udp(de, &dns))), Forward);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, server, "S"))), Forward);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(fr, server, "S"))), Drop);
            // What the inside opened when the VLAN had no name goes on when the inside speaks.
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, client, "A"))), Drop);
            assert_eq!(lab.send_to(inner, Inside, &on(30, &tcp(client, de, "A"))), Forward);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, client, "A"))), Forward);
            assert_eq!(lab.send_to(outer, Outside, &on(31, &tcp(de, client, "A"))), Forward);
            lab.reload("vlans");
            assert_eq!(lab.send_to(outer, Outside, &on(30, &tcp(de, server, "A"))), Drop);
            assert_eq!(lab.send_to(outer, Outside, &on(30, &udp(de, &dns))), Forward);
        }
    }
}
