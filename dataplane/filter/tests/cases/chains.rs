//! Options and extension headers in every legal order and number, and what may not be among them.

use filter::{Action::*, DropReason, DropReason::*};
use lookup::Side::Outside;
use proptest::prelude::*;

use crate::frames::*;
use crate::lab::Lab;

/// What a fresh filter says of a packet: the reason of its drop, if it drops it.
fn verdict(lab: &mut Lab, frame: &[u8]) -> Option<DropReason> {
    let action = lab.send(Outside, frame);
    let reason = lab.records.pop().and_then(|record| record.reason());
    assert_eq!(action == Drop, reason.is_some());
    reason
}

/// IPv4 options with the data that they come with: record route, timestamp, router alert, security,
/// stream, quick start, traceroute, an experiment (IANA, IP option numbers).
fn option() -> impl Strategy<Value = Vec<u8>> {
    const KINDS: [u8; 9] = [7, 68, 148, 130, 136, 25, 82, 30, 222];
    prop_oneof![
        2 => Just(vec![1]),
        5 => (prop::sample::select(&KINDS[..]), prop::collection::vec(any::<u8>(), 0..9)).prop_map(
            |(kind, data)| {
                let len = u8::try_from(data.len() + 2).unwrap();
                [vec![kind, len], data].concat()
            }
        ),
    ]
}

/// Options in a row, as many as 40 bytes hold, filled up to a multiple of 4.
fn row(options: &[Vec<u8>], fill: u8) -> Vec<u8> {
    let mut row = Vec::new();
    for option in options {
        if row.len() + option.len() <= 40 {
            row.extend(option);
        }
    }
    row.resize(row.len().next_multiple_of(4), fill);
    row
}

#[test]
fn ipv4_options_change_no_verdict_and_source_routes_are_found_anywhere() {
    let mut lab = Lab::new("policy");
    let good = tcp("198.51.100.1:999", "10.2.0.1:80", "S");
    let bad = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    let lab = std::cell::RefCell::new(&mut lab);
    let options = || prop::collection::vec(option(), 0..12);
    let route = prop_oneof![
        Just(vec![131, 7, 4, 10, 2, 0, 9]),
        Just(vec![137, 3, 4]),
        Just(vec![131, 11, 12, 1, 1, 1, 1, 2, 2, 2, 2])
    ];
    let config = ProptestConfig::with_cases(2_000);
    proptest!(config, |(before in options(), after in options(), route in route, fill in 0..2_u8)| {
        let lab = &mut **lab.borrow_mut();
        let legal = row(&before, fill);
        prop_assert_eq!(verdict(lab, &with_options(&good, &legal)), None, "{:?}", legal);
        prop_assert_eq!(verdict(lab, &with_options(&bad, &legal)), Some(Denied));
        let room = before.iter().map(Vec::len).sum::<usize>() + route.len() <= 40;
        if room {
            let routed = row(&[before, vec![route], after].concat(), fill);
            prop_assert_eq!(
                verdict(lab, &with_options(&good, &routed)), Some(SourceRoute), "{:?}", routed
            );
        }
    });
}

const HOP_BY_HOP: u8 = 0;
const AUTHENTICATION: u8 = 51;

/// Headers that may stand anywhere behind hop-by-hop, without their next-header byte: destination
/// options, a routing header that was travelled, authentication, and a fragment header of a whole
/// packet, which may occur once.
const HEADERS: [(u8, &[u8]); 4] = [
    (60, &[0, 1, 4, 0, 0, 0, 0]),
    (43, &[0, 4, 0, 0, 0, 0, 0]),
    (AUTHENTICATION, &[1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
    (44, &[0, 0, 0, 0, 0, 0, 9]),
];

/// Every row of up to `most` headers, hop-by-hop first or absent: 2 * (4^0 + .. + 4^most) of them.
fn rows(most: u32) -> impl Iterator<Item = Vec<(u8, &'static [u8])>> {
    let of_length = |len: u32| (0..4_usize.pow(len)).map(move |row| (len, row));
    (0..=most).flat_map(of_length).flat_map(|(len, row)| {
        let headers: Vec<_> = (0..len).map(|at| HEADERS[row >> (2 * at) & 3]).collect();
        let mut hop = vec![(HOP_BY_HOP, HEADERS[0].1)];
        hop.extend(&headers);
        [headers, hop]
    })
}

#[test]
fn ipv6_headers_in_every_order_and_number() {
    let mut lab = Lab::new("policy");
    let good = tcp("[2001:db8:de::1]:999", "[fd00:2::1]:80", "S");
    let bad = tcp("[2001:db8:c::1]:999", "[fd00:2::1]:80", "S");
    let mut tried = 0;
    for headers in rows(6) {
        let pieces = headers.iter().filter(|(kind, _)| *kind == 44).count();
        let (of_good, of_bad) =
            if pieces > 1 { (Some(BadHeader), Some(BadHeader)) } else { (None, Some(Denied)) };
        assert_eq!(verdict(&mut lab, &extended(&good, &headers)), of_good, "{headers:?}");
        assert_eq!(verdict(&mut lab, &extended(&bad, &headers)), of_bad, "{headers:?}");
        // A type 0 routing header, one with a way to go, a jumbo option, at each place.
        for at in 0..=headers.len() {
            let first = headers.first().is_some_and(|(kind, _)| *kind == HOP_BY_HOP);
            if pieces > 1 || at == 0 && first || headers.len() > 5 {
                continue;
            }
            let with = |kind: u8, bytes: &'static [u8]| {
                let mut headers = headers.clone();
                headers.insert(at, (kind, bytes));
                extended(&good, &headers)
            };
            for (frame, want) in [
                (with(43, &[0, 0, 0, 0, 0, 0, 0]), RoutingHeader),
                (with(43, &[0, 4, 1, 0, 0, 0, 0]), RoutingHeader),
                (with(60, &[0, 0xc2, 4, 0, 1, 0, 0]), Jumbogram),
                (with(60, &[0, 0xc9, 4, 0, 0, 0, 0]), SourceRoute),
            ] {
                assert_eq!(verdict(&mut lab, &frame), Some(want), "{headers:?} {at}");
            }
        }
        tried += 1;
    }
    assert_eq!(tried, 2 * 5461);
    // The bound: eight and no more, whichever they are.
    for (kind, bytes) in &HEADERS[..3] {
        let row = |count| extended(&good, &vec![(*kind, *bytes); count]);
        assert_eq!(verdict(&mut lab, &row(8)), None);
        assert_eq!(verdict(&mut lab, &row(9)), Some(TooManyHeaders));
        assert_eq!(verdict(&mut lab, &row(100)), Some(TooManyHeaders));
    }
}

/// Puts authentication headers of `words` words of check value behind an IPv4 header.
fn authenticated(frame: &[u8], count: usize, words: u8) -> Vec<u8> {
    let mut out = frame[..34].to_vec();
    let proto = out[23];
    for at in 0..count {
        let next = if at + 1 < count { AUTHENTICATION } else { proto };
        out.extend([next, words + 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        out.extend(vec![0xab; usize::from(words) * 4]);
    }
    out.extend(&frame[34..]);
    out[23] = AUTHENTICATION;
    let total = u16::try_from(out.len() - 14).unwrap();
    out[16..18].copy_from_slice(&total.to_be_bytes());
    fix_checksum(&mut out);
    out
}

#[test]
fn authentication_hides_no_port_in_either_family() {
    let mut lab = Lab::new("policy");
    let good = tcp("198.51.100.1:999", "10.2.0.1:80", "S");
    let bad = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    let stray = tcp("198.51.100.1:999", "10.2.0.1:81", "S");
    for words in [0, 3, 4, 8] {
        for count in 1..=7 {
            let case = (words, count);
            assert_eq!(verdict(&mut lab, &authenticated(&good, count, words)), None, "{case:?}");
            let reason = verdict(&mut lab, &authenticated(&bad, count, words));
            assert_eq!(reason, Some(Denied), "{case:?}");
            let reason = verdict(&mut lab, &authenticated(&stray, count, words));
            assert_eq!(reason, Some(NoService), "{case:?}");
        }
    }
    assert_eq!(lab.counters().flows, 1, "with and without, it is one flow");
    assert_eq!(verdict(&mut lab, &authenticated(&good, 9, 0)), Some(TooManyHeaders));
    let mut short = authenticated(&good, 1, 0);
    short[35] = 0;
    assert_eq!(verdict(&mut lab, &short), Some(BadHeader), "a header of 8 bytes");
    short[35] = 200;
    assert_eq!(verdict(&mut lab, &short), Some(Truncated));
    // The same of fragments: the ports are in the first one, or it goes nowhere.
    let whole = authenticated(&udp_with("198.51.100.1:999", "10.2.0.1:53", &[0; 200]), 1, 3);
    assert_eq!(lab.burst(0, Outside, &fragments(&whole, 7, &[104])), [Forward; 2]);
    let tiny = fragments(&whole, 8, &[16])[0].clone();
    assert_eq!(verdict(&mut lab, &tiny), Some(FragmentTiny));
    let zero = {
        let mut frame =
            extended(&tcp("[2001:db8:de::1]:999", "[fd00:2::1]:80", "S"), &[(51, &[0; 7])]);
        frame[54] = 6;
        frame
    };
    assert_eq!(verdict(&mut lab, &zero), Some(BadHeader), "a header of 8 bytes in IPv6");
}
