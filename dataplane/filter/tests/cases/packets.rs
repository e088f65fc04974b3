//! The table: one packet to a fresh filter, its action, its reason and every counter.

use filter::{
    Action, Counters, DomainTally, DropReason, DropReason::*, RecordCounters, RecordKind,
};
use lookup::Side::{self, Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

/// What should come of a packet.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// Forwarded, and its flow remembered.
    Flow,
    /// Forwarded, remembered nowhere.
    Once,
    /// Forwarded, but recorded as this drop.
    Shadow(DropReason),
    Pass,
    Drop(DropReason),
}

fn check(name: &str, side: Side, frame: &[u8], want: Want) {
    let mut lab = Lab::new("policy");
    let action = lab.send(side, frame);
    let mut counters = Counters { received: 1, ..Counters::default() };
    let one = RecordCounters { recorded: 1, ..RecordCounters::default() };
    let (wanted, reason) = match want {
        Want::Flow | Want::Once => (Action::Forward, None),
        Want::Pass => (Action::Pass, None),
        Want::Shadow(reason) => (Action::Forward, Some(RecordKind::Shadow(reason))),
        Want::Drop(reason) => (Action::Drop, Some(RecordKind::Drop(reason))),
    };
    match want {
        Want::Flow => (counters.forwarded, counters.flows) = (1, 1),
        Want::Once => counters.forwarded = 1,
        Want::Pass => counters.passed = 1,
        Want::Shadow(_) => {
            (counters.forwarded, counters.shadowed, counters.shadow_records) = (1, 1, one);
        }
        Want::Drop(reason) => {
            counters.dropped[reason.index()] = 1;
            counters.records = one;
        }
    }
    let recorded: Vec<_> = lab.records.iter().map(|r| r.kind).collect();
    let shown = || format!("{name}: {frame:02x?}");
    assert_eq!(recorded, Vec::from_iter(reason), "{}", shown());
    assert_eq!(action, wanted, "{}", shown());
    assert_eq!(*lab.counters(), counters, "{}", shown());
}

fn run(cases: &[(&str, Side, Vec<u8>, Want)]) {
    for (name, side, frame, want) in cases {
        check(name, *side, frame, *want);
    }
}

#[test]
fn services_of_both_families() {
    for [de, fr, cn, server, failsafe] in [
        ["198.51.100.1:999", "192.0.2.1:999", "203.0.113.1:999", "10.2.0.1", "203.0.113.7:999"],
        [
            "[2001:db8:de::1]:999",
            "[2001:db8:f::1]:999",
            "[2001:db8:c::1]:999",
            "[fd00:2::1]",
            "[2001:db8:c::7]:999",
        ],
    ] {
        let at = |port: u16| format!("{server}:{port}");
        let (http, dns, db, trial) = (&at(80), &at(53), &at(5432), &at(7001));
        run(&[
            ("http from DE", Outside, tcp(de, http, "S"), Want::Flow),
            ("http from CN", Outside, tcp(cn, http, "S"), Want::Drop(Denied)),
            ("http from failsafe", Outside, tcp(failsafe, http, "S"), Want::Flow),
            ("dns from FR", Outside, udp(fr, dns), Want::Flow),
            ("dns port on tcp", Outside, tcp(fr, dns, "S"), Want::Drop(NoService)),
            ("db from DE", Outside, tcp(de, db, "S"), Want::Flow),
            ("db from FR", Outside, tcp(fr, db, "S"), Want::Drop(NotAllowed)),
            ("db from CN, midstream", Outside, tcp(cn, db, "A"), Want::Drop(NotAllowed)),
            ("no service", Outside, tcp(de, &at(81), "S"), Want::Drop(NoService)),
            ("no service, failsafe", Outside, tcp(failsafe, &at(81), "S"), Want::Flow),
            ("reply to FR", Inside, tcp(http, fr, "SA"), Want::Flow),
            ("reply of db to FR", Inside, tcp(db, fr, "SA"), Want::Drop(NotAllowed)),
            ("reply of http to CN", Inside, tcp(http, cn, "SA"), Want::Drop(Denied)),
            ("egress to FR", Inside, tcp(&at(4000), fr, "S"), Want::Flow),
            ("egress to CN", Inside, udp(&at(4000), cn), Want::Drop(Denied)),
            ("egress, strange SYN ACK", Inside, tcp(&at(4000), fr, "SA"), Want::Once),
            ("egress, RST", Inside, tcp(&at(4000), fr, "R"), Want::Once),
            ("service, RST", Outside, tcp(de, http, "R"), Want::Once),
            ("reply to nobody", Outside, tcp(fr, &at(4000), "SA"), Want::Drop(NoService)),
            ("shadow, allowed", Outside, udp(de, trial), Want::Flow),
            ("shadow, not allowed", Outside, udp(fr, trial), Want::Shadow(NotAllowed)),
            ("LAND", Outside, tcp(http, http, "S"), Want::Drop(BadSource)),
        ]);
    }
}

#[test]
fn tags_hide_nothing() {
    let (good, bad) =
        (tcp("198.51.100.1:999", "10.2.0.1:80", "S"), tcp("203.0.113.1:999", "10.2.0.1:80", "S"));
    let (c, s) = (0x8100, 0x88a8);
    run(&[
        ("tag, allowed", Outside, tagged(&good, &[(c, 5)]), Want::Flow),
        ("tag, denied", Outside, tagged(&bad, &[(c, 5)]), Want::Drop(Denied)),
        ("priority tag", Outside, tagged(&bad, &[(c, 0xe000)]), Want::Drop(Denied)),
        ("QinQ, allowed", Outside, tagged(&good, &[(s, 7), (c, 5)]), Want::Flow),
        ("QinQ, denied", Outside, tagged(&bad, &[(s, 7), (c, 5)]), Want::Drop(Denied)),
        ("two 802.1Q", Outside, tagged(&bad, &[(c, 7), (c, 5)]), Want::Drop(Denied)),
        ("three", Outside, tagged(&good, &[(s, 1), (c, 2), (c, 3)]), Want::Drop(VlanDepth)),
        ("tag cut", Outside, tagged(&good, &[(c, 5)])[..16].to_vec(), Want::Drop(Truncated)),
    ]);
    let mut lab = Lab::new("policy");
    assert_eq!(lab.refused(Outside, &tagged(&bad, &[(s, 7), (c, 5)])), Denied);
    assert_eq!(lab.records[0].vlan, 7);
}

#[test]
fn link_traffic() {
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    let mut odd = arp.clone();
    odd[18] = 8;
    let mut lldp = arp.clone();
    lldp[12..14].copy_from_slice(&[0x88, 0xcc]);
    let (ll, all) = ("fe80::1", "ff02::1");
    let solicit = [135, 0, 0, 0, 0, 0, 0, 0];
    let mut coded = solicit;
    coded[1] = 1;
    let report = [143, 0, 0, 0, 0, 0, 0, 0];
    let remote = "2001:db8:de::1";
    run(&[
        ("ARP", Outside, arp.clone(), Want::Pass),
        ("ARP, inside, tagged", Inside, tagged(&arp, &[(0x8100, 3)]), Want::Pass),
        ("ARP cut", Outside, arp[..41].to_vec(), Want::Drop(Truncated)),
        ("ARP for another link", Outside, odd, Want::Drop(BadHeader)),
        ("LLDP", Outside, lldp, Want::Drop(Ethertype)),
        ("neighbour solicitation", Outside, icmp("::", all, 255, &solicit), Want::Pass),
        (
            "routed solicitation",
            Outside,
            icmp(remote, "fd00:2::1", 254, &solicit),
            Want::Drop(OffLink),
        ),
        ("solicitation, code 1", Outside, icmp(ll, all, 255, &coded), Want::Drop(OffLink)),
        ("MLD report", Inside, icmp(ll, "ff02::16", 1, &report), Want::Pass),
        ("MLD from afar", Outside, icmp(remote, "ff02::16", 1, &report), Want::Drop(OffLink)),
        ("MLD to a host", Outside, icmp(ll, "fd00:2::1", 1, &report), Want::Drop(OffLink)),
        ("MLD, hop limit 64", Outside, icmp(ll, "ff02::16", 64, &report), Want::Drop(OffLink)),
        (
            "solicitation in an atomic fragment",
            Outside,
            fragment(&icmp(ll, all, 255, &solicit), 9, 0, false, &solicit),
            Want::Drop(OffLink),
        ),
        (
            "MLD with router alert",
            Inside,
            extended(&icmp(ll, "ff02::16", 1, &report), &[(0, &[0, 5, 2, 0, 0, 1, 0])]),
            Want::Pass,
        ),
    ]);
}

#[test]
fn ipv4_headers() {
    let good = tcp("198.51.100.1:999", "10.2.0.1:80", "S");
    let edit = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        if usize::from(frame[14] & 15) >= 5 {
            fix_checksum(&mut frame);
        }
        frame
    };
    let from = |source: &str| tcp(&format!("{source}:999"), "10.2.0.1:80", "S");
    let padded = [good.as_slice(), &[0; 6]].concat();
    let mut sum = good.clone();
    sum[24] ^= 1;
    run(&[
        ("empty", Outside, vec![], Want::Drop(Truncated)),
        ("13 bytes", Outside, good[..13].to_vec(), Want::Drop(Truncated)),
        ("no header", Outside, good[..14].to_vec(), Want::Drop(Truncated)),
        ("header cut", Outside, good[..33].to_vec(), Want::Drop(Truncated)),
        ("payload cut", Outside, good[..good.len() - 1].to_vec(), Want::Drop(Truncated)),
        ("padding", Outside, padded, Want::Flow),
        ("version 6", Outside, edit(14, 0x65), Want::Drop(BadHeader)),
        ("header of 16 bytes", Outside, edit(14, 0x44), Want::Drop(BadHeader)),
        ("total length 19", Outside, edit(17, 19), Want::Drop(BadHeader)),
        ("total length 20", Outside, edit(17, 20), Want::Drop(Truncated)),
        ("total length 39", Outside, edit(17, 39), Want::Drop(Truncated)),
        ("checksum", Outside, sum, Want::Drop(BadChecksum)),
        ("TCP header of 16 bytes", Outside, edit(46, 0x40), Want::Drop(BadHeader)),
        ("TCP header beyond the end", Outside, edit(46, 0xf0), Want::Drop(Truncated)),
        ("from 0.0.0.0", Outside, from("0.0.0.0"), Want::Drop(BadSource)),
        ("from loopback", Outside, from("127.0.0.1"), Want::Drop(BadSource)),
        ("from a group", Outside, from("224.0.0.1"), Want::Drop(BadSource)),
        ("from broadcast", Outside, from("255.255.255.255"), Want::Drop(BadSource)),
        ("DHCP", Outside, udp("0.0.0.0:68", "255.255.255.255:67"), Want::Drop(BadSource)),
        (
            "LSRR",
            Outside,
            with_options(&good, &[131, 7, 4, 10, 2, 0, 9, 0]),
            Want::Drop(SourceRoute),
        ),
        ("SSRR after NOP", Outside, with_options(&good, &[1, 137, 3, 4]), Want::Drop(SourceRoute)),
        ("router alert", Outside, with_options(&good, &[148, 4, 0, 0]), Want::Flow),
        ("end, then rubbish", Outside, with_options(&good, &[0, 131, 0, 0]), Want::Flow),
        ("option of length 0", Outside, with_options(&good, &[7, 0, 0, 0]), Want::Drop(BadHeader)),
        ("option too long", Outside, with_options(&good, &[7, 9, 4, 0]), Want::Drop(BadHeader)),
        (
            "option without length",
            Outside,
            with_options(&good, &[1, 1, 1, 7]),
            Want::Drop(BadHeader),
        ),
    ]);
}

#[test]
fn ipv6_headers() {
    let good = tcp("[2001:db8:de::1]:999", "[fd00:2::1]:80", "S");
    let (hop, dest, routing, auth) = (0, 60, 43, 51);
    let pad: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
    let ah: &[u8] = &[1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let from = |source: &str| tcp(&format!("[{source}]:999"), "[fd00:2::1]:80", "S");
    let mut version = good.clone();
    version[14] = 0x40;
    let jumbo = extended(&good, &[(hop, &[0, 0xc2, 4, 0, 1, 0, 0])]);
    let mut empty = good.clone();
    (empty[18], empty[19], empty[20]) = (0, 0, hop);
    let deep = |count: usize| extended(&good, &vec![(dest, pad); count]);
    run(&[
        ("header cut", Outside, good[..53].to_vec(), Want::Drop(Truncated)),
        ("payload cut", Outside, good[..good.len() - 1].to_vec(), Want::Drop(Truncated)),
        ("version 4", Outside, version, Want::Drop(BadHeader)),
        ("hop-by-hop", Outside, extended(&good, &[(hop, pad)]), Want::Flow),
        (
            "all of them",
            Outside,
            extended(&good, &[(hop, pad), (dest, pad), (auth, ah)]),
            Want::Flow,
        ),
        (
            "hop-by-hop second",
            Outside,
            extended(&good, &[(dest, pad), (hop, pad)]),
            Want::Drop(BadHeader),
        ),
        ("eight headers", Outside, deep(8), Want::Flow),
        ("nine headers", Outside, deep(9), Want::Drop(TooManyHeaders)),
        (
            "extension beyond the end",
            Outside,
            extended(&good, &[(dest, &[200, 1, 4, 0, 0, 0, 0])]),
            Want::Drop(Truncated),
        ),
        (
            "option too long",
            Outside,
            extended(&good, &[(dest, &[0, 1, 5, 0, 0, 0, 0])]),
            Want::Drop(BadHeader),
        ),
        (
            "routing type 0",
            Outside,
            extended(&good, &[(routing, &[0, 0, 0, 0, 0, 0, 0])]),
            Want::Drop(RoutingHeader),
        ),
        (
            "segments left",
            Outside,
            extended(&good, &[(routing, &[0, 4, 1, 0, 0, 0, 0])]),
            Want::Drop(RoutingHeader),
        ),
        (
            "route travelled",
            Outside,
            extended(&good, &[(routing, &[0, 4, 0, 0, 0, 0, 0])]),
            Want::Flow,
        ),
        (
            "home address",
            Outside,
            extended(&good, &[(dest, &[0, 0xc9, 4, 0, 0, 0, 0])]),
            Want::Drop(SourceRoute),
        ),
        ("jumbo option", Outside, jumbo, Want::Drop(Jumbogram)),
        ("jumbogram", Outside, empty, Want::Drop(Jumbogram)),
        ("from ::", Outside, from("::"), Want::Drop(BadSource)),
        ("from ::1", Outside, from("::1"), Want::Drop(BadSource)),
        ("from a group", Outside, from("ff02::1"), Want::Drop(BadSource)),
        ("from IPv4-mapped", Outside, from("::ffff:198.51.100.1"), Want::Drop(BadSource)),
    ]);
}

#[test]
fn transport_headers() {
    let (de, server) = ("198.51.100.1".parse().unwrap(), "10.2.0.1".parse().unwrap());
    let frame = |proto: u8, bytes: &[u8]| raw(de, server, 64, proto.into(), bytes);
    let dns = [3, 231, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];
    run(&[
        ("UDP", Outside, frame(17, &dns), Want::Flow),
        ("UDP of 7 bytes", Outside, frame(17, &dns[..7]), Want::Drop(Truncated)),
        ("UDP longer than IP", Outside, frame(17, &dns[..11]), Want::Drop(Truncated)),
        (
            "UDP of length 7",
            Outside,
            frame(17, &[3, 231, 0, 53, 0, 7, 0, 0]),
            Want::Drop(BadHeader),
        ),
        ("TCP of 19 bytes", Outside, frame(6, &[0; 19]), Want::Drop(Truncated)),
        ("SCTP of 11 bytes", Outside, frame(132, &[0; 11]), Want::Drop(Truncated)),
        ("SCTP", Outside, frame(132, &[0; 12]), Want::Drop(NoService)),
        ("ICMP of 7 bytes", Outside, frame(1, &[8; 7]), Want::Drop(Truncated)),
        ("IGMP", Outside, frame(2, &[0x16; 8]), Want::Drop(NoService)),
        ("GRE", Outside, frame(47, &[0; 8]), Want::Drop(NoService)),
        ("IPv4 in IPv4", Outside, frame(4, &dns), Want::Drop(NoService)),
    ]);
}

#[test]
fn a_record_says_what_was_dropped() {
    let mut lab = Lab::new("policy");
    let reason = lab.refused(Outside, &tcp("192.0.2.1:999", "10.2.0.1:5432", "S"));
    let record = lab.records[0];
    assert_eq!(reason, NotAllowed);
    assert_eq!(record.src(), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(record.dst(), Some("10.2.0.1".parse().unwrap()));
    assert_eq!(record.remote(), record.src());
    assert_eq!((record.src_port, record.dst_port, record.proto), (999, 5432, 6));
    assert_eq!((record.time_ns, record.revision.0), (lab.now().unix_ns, 1));
    let legend = std::sync::Arc::clone(lab.rules.legend());
    assert_eq!(record.domain.map(|id| legend.domain_name(id)), Some("db"));
    assert_eq!(record.service.map(|id| legend.service_name(id)), Some("postgres"));
    assert_eq!(record.rule.map(|id| legend.rule_text(id)), Some("default"));

    lab.send(Inside, &tcp("[fd00:2::1]:9999", "[2001:db8:c::1]:80", "S"));
    let record = lab.records[1];
    assert_eq!(record.remote(), Some("2001:db8:c::1".parse().unwrap()));
    assert_eq!(record.rule.map(|id| legend.rule_text(id)), Some("egress.deny:cn"));
    assert_eq!(lab.refused(Outside, &[]), Truncated);
    assert_eq!(lab.records[2].src(), None);
}

#[test]
fn domains_count_their_own() {
    let mut lab = Lab::new("policy");
    let (de, fr, db) = ("198.51.100.1:999", "192.0.2.1:999", "10.2.0.1:5432");
    for _ in 0..3 {
        lab.send(Outside, &tcp(de, db, "S"));
    }
    lab.send(Outside, &tcp(fr, db, "S"));
    lab.send(Outside, &udp(fr, "10.2.0.1:7001"));
    let count = |lab: &Lab, name: &str| {
        let mut domain = DomainTally::default();
        assert!(lab.workers[0].tally().add_to(&mut domain, Some(name), 0));
        let packets = domain.packets;
        (packets.allowed, packets.dropped, packets.shadowed)
    };
    assert_eq!(count(&lab, "db"), (3, 1, 0));
    assert_eq!(count(&lab, "lab"), (0, 0, 1));
    assert_eq!(count(&lab, "web"), (0, 0, 0));
}
