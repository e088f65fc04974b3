//! Fragments follow their first one, on whichever worker.

use filter::{Action::*, DropReason::*, RecordKind};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

fn datagrams() -> [(Vec<u8>, Vec<u8>); 2] {
    let payload = [0x55; 400];
    [
        (
            udp_with("198.51.100.1:999", "10.2.0.1:53", &payload),
            udp_with("203.0.113.1:999", "10.2.0.1:53", &payload),
        ),
        (
            udp_with("[2001:db8:de::1]:999", "[fd00:2::1]:53", &payload),
            udp_with("[2001:db8:c::1]:999", "[fd00:2::1]:53", &payload),
        ),
    ]
}

#[test]
fn all_go_the_way_of_the_first() {
    for (good, bad) in datagrams() {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        let pieces = fragments(&good, 7, &[104, 200]);
        assert_eq!(lab.burst(0, Outside, &pieces), [Forward; 3], "in one burst");
        let later = &fragments(&good, 9, &[104, 200]);
        assert_eq!(lab.send_to(0, Outside, &later[0]), Forward);
        assert_eq!(lab.send_to(1, Outside, &later[2]), Forward, "another worker, out of order");
        assert_eq!(lab.send_to(1, Outside, &later[1]), Forward);
        let pieces = fragments(&bad, 8, &[104, 200]);
        assert_eq!(lab.burst(0, Outside, &pieces), [Drop; 3]);
        let reasons: Vec<_> = lab.records.iter().map(|record| record.reason().unwrap()).collect();
        assert_eq!(reasons, [Denied, FragmentOrphan, FragmentOrphan]);
    }
}

#[test]
fn no_fragment_passes_alone() {
    for (good, bad) in datagrams() {
        let mut lab = Lab::new("policy");
        let pieces = fragments(&good, 7, &[104]);
        assert_eq!(lab.refused(Outside, &pieces[1]), FragmentOrphan);
        assert_eq!(lab.send(Outside, &pieces[0]), Forward);
        assert_eq!(lab.refused(Outside, &fragments(&good, 9, &[104])[1]), FragmentOrphan, "id");
        assert_eq!(lab.refused(Outside, &fragments(&bad, 7, &[104])[1]), FragmentOrphan, "source");
        assert_eq!(lab.refused(Inside, &pieces[1]), FragmentOrphan, "side");
        lab.now_ms += 31_000;
        assert_eq!(lab.refused(Outside, &pieces[1]), FragmentOrphan, "time");
        lab.send(Outside, &pieces[0]);
        lab.reload("closed");
        assert_eq!(lab.refused(Outside, &pieces[1]), FragmentOrphan, "revision");
    }
}

#[test]
fn no_fragment_lies_over_the_first() {
    for (good, _) in datagrams() {
        let mut lab = Lab::new("policy");
        lab.send(Outside, &fragment(&good, 7, 0, true, &[0x11; 64]));
        lab.send(Outside, &fragments(&good, 7, &[104])[0]);
        let pieces = [
            (8, Drop),
            (64, Drop),
            (96, Drop),
            (104, Forward),
            (104, Drop),
            (112, Drop),
            (120, Forward),
            (128, Drop),
            (152, Forward),
            (136, Forward),
            (144, Drop),
        ];
        for (offset, want) in pieces {
            let piece = fragment(&good, 7, offset, false, &[0; 16]);
            assert_eq!(lab.send(Outside, &piece), want, "offset {offset}");
            if want == Drop {
                assert_eq!(lab.records.last().unwrap().reason(), Some(FragmentOverlap));
            }
        }
        // A second, shorter first fragment does not uncover what the longer one holds.
        lab.send(Outside, &fragments(&good, 7, &[40])[0]);
        let piece = fragment(&good, 7, 48, false, &[0; 16]);
        assert_eq!(lab.refused(Outside, &piece), FragmentOverlap);
        // Another datagram may have the id of one that is complete.
        assert_eq!(lab.burst(0, Outside, &fragments(&good, 7, &[104, 200])), [Forward; 3]);
    }
}

#[test]
fn tiny_ragged_and_long_ones() {
    for (source, service) in
        [("198.51.100.1:999", "10.2.0.1:80"), ("[2001:db8:de::1]:999", "[fd00:2::1]:80")]
    {
        let whole = tcp(source, service, "S");
        let header = if source.starts_with('[') { 54 } else { 34 };
        let mut lab = Lab::new("policy");
        let part = |offset, more, len: usize| {
            let bytes: Vec<u8> = whole[header..].iter().copied().cycle().take(len).collect();
            fragment(&whole, 7, offset, more, &bytes)
        };
        assert_eq!(lab.refused(Outside, &part(0, true, 16)), FragmentTiny);
        assert_eq!(lab.refused(Outside, &part(8, false, 16)), FragmentTiny, "offset 1 of TCP");
        assert_eq!(lab.refused(Outside, &part(0, true, 25)), BadHeader, "not a multiple of 8");
        assert_eq!(lab.refused(Outside, &part(0, true, 0)), BadHeader, "empty");
        assert_eq!(lab.refused(Outside, &part(65528, false, 8)), BadHeader, "too long");
        assert_eq!(lab.send(Outside, &part(0, true, 24)), Forward);
        assert_eq!(lab.send(Outside, &part(65520, false, 15)), Forward, "the last possible");
    }
}

#[test]
fn the_header_chain_is_in_the_first_fragment() {
    let whole = tcp("[2001:db8:de::1]:999", "[fd00:2::1]:80", "S");
    // next header, length, then the option: a destination header that ends with the fragment
    let chain = extended(&whole, &[(60, &[0, 1, 4, 0, 0, 0, 0])]);
    let mut lab = Lab::new("policy");
    let first = fragment(&chain, 7, 0, true, &chain[54..62]);
    assert_eq!(lab.refused(Outside, &first), FragmentTiny);
    let first = fragment(&chain, 7, 0, true, &chain[54..86]);
    assert_eq!(lab.send(Outside, &first), Forward);
    let atomic = fragment(&whole, 8, 0, false, &whole[54..]);
    assert_eq!(lab.send(Outside, &atomic), Forward);
    let rest = fragment(&whole, 8, 80, false, &[0; 8]);
    assert_eq!(lab.refused(Outside, &rest), FragmentOrphan, "an atomic fragment is whole");
    let nested = extended(&atomic, &[(44, &[0, 0, 0, 0, 0, 0, 1])]);
    assert_eq!(lab.refused(Outside, &nested), BadHeader);
}

#[test]
fn shadowed_ones_are_all_recorded_and_forwarded() {
    let whole = udp_with("192.0.2.1:999", "10.2.0.1:7001", &[0; 200]);
    let mut lab = Lab::new("policy");
    assert_eq!(lab.burst(0, Outside, &fragments(&whole, 7, &[104])), [Forward; 2]);
    let seen: Vec<_> = lab.records.iter().map(|record| record.kind).collect();
    assert_eq!(seen, [NotAllowed, FragmentOrphan].map(RecordKind::Shadow));
    assert_eq!((lab.counters().shadowed, lab.counters().forwarded), (2, 2));
}
