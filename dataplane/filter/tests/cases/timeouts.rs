//! Connections of the inside live as long as the configuration says, by protocol and state.

use filter::{Action::*, Timeouts};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const TIMES: Timeouts = Timeouts {
    tcp_opening_s: 20,
    tcp_open_s: 900,
    tcp_closing_s: 40,
    udp_opening_s: 80,
    udp_open_s: 160,
    icmp_s: 320,
    other_opening_s: 50,
    other_open_s: 100,
    fragment_s: 10,
};

const ENDS: [[&str; 2]; 2] = [["10.3.0.5", "198.51.100.1"], ["fd00:3::5", "2001:db8:de::1"]];

fn at(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn sctp(from: &str, to: &str, ports: (u16, u16)) -> Vec<u8> {
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    bytes.extend([0; 8]);
    raw(from.parse().unwrap(), to.parse().unwrap(), 64, 132.into(), &bytes)
}

/// A name, what is sent at the same moment (true: by the inside), and how long the last answer may
/// take.
type Case = (&'static str, Vec<(bool, Vec<u8>)>, u64);

fn cases(client: &str, de: &str) -> Vec<Case> {
    let (near, far) = (at(client, 4000), at(de, 443));
    let out = |flags| (true, tcp(&near, &far, flags));
    let back = |flags| (false, tcp(&far, &near, flags));
    let (ask, answer) = ((true, udp(&near, &far)), (false, udp(&far, &near)));
    let (ping, pong) = (echo(client, de, false, 9), echo(de, client, true, 9));
    let (there, here) = (sctp(client, de, (7, 8)), sctp(de, client, (8, 7)));
    vec![
        ("TCP, opening", vec![out("S"), back("A")], 20),
        ("TCP, answered", vec![out("S"), back("SA"), back("A")], 20),
        ("TCP, open", vec![out("S"), back("SA"), out("A"), back("A")], 900),
        ("TCP, open at once", vec![out("A"), back("A"), back("A")], 900),
        (
            "TCP, closed by the inside",
            vec![out("S"), back("SA"), out("A"), out("F"), back("A")],
            40,
        ),
        ("TCP, reset by the inside", vec![out("S"), back("SA"), out("A"), out("R"), back("A")], 40),
        (
            "TCP, closed by the outside",
            vec![out("S"), back("SA"), out("A"), back("F"), back("A")],
            900,
        ),
        ("TCP, refused", vec![out("S"), back("R"), back("A")], 20),
        (
            "TCP, closed and opened anew",
            vec![
                out("S"),
                back("SA"),
                out("A"),
                out("R"),
                out("S"),
                back("SA"),
                out("A"),
                back("A"),
            ],
            900,
        ),
        ("UDP, opening", vec![ask.clone(), answer.clone()], 80),
        ("UDP, open", vec![ask, answer.clone(), answer], 160),
        ("echo", vec![(true, ping), (false, pong)], 320),
        ("SCTP, opening", vec![(true, there.clone()), (false, here.clone())], 50),
        ("SCTP, open", vec![(true, there), (false, here.clone()), (false, here)], 100),
    ]
}

/// All but the last packet are sent, time passes, and then the last one comes, on any worker.
#[test]
fn every_state_lasts_as_configured_on_any_worker() {
    for [client, de] in ENDS {
        let reset = (true, tcp(&at(client, 4000), &at(de, 443), "R"));
        for (name, packets, seconds) in cases(client, de) {
            for ways in 0..1_u32 << packets.len() {
                let (last, before) = packets.split_last().unwrap();
                for (wait_ms, want) in
                    [(seconds * 1000 - 2_600, Forward), (seconds * 1000 + 100, Drop)]
                {
                    let mut lab = Lab::timed("policy", 2, (1024, 1000), TIMES);
                    let mut way = ways;
                    let mut send = |lab: &mut Lab, (inside, frame): &(bool, Vec<u8>)| {
                        let worker = (way & 1) as usize;
                        way >>= 1;
                        lab.send_to(worker, if *inside { Inside } else { Outside }, frame)
                    };
                    for packet in before {
                        assert_eq!(send(&mut lab, packet), Forward, "{name}, {ways:b}");
                        // All workers have asked, before the connection is opened anew.
                        lab.now_ms += if *packet == reset { 2_500 } else { 1 };
                    }
                    lab.now_ms += wait_ms;
                    // A refused or answered connection is open again by the segment that asks.
                    assert_eq!(send(&mut lab, last), want, "{name}, {ways:b}, {wait_ms} ms");
                }
            }
        }
    }
}

/// A connection opened anew has to be answered anew, whoever remembers the old one.
#[test]
fn what_is_opened_anew_has_to_be_answered_anew() {
    for [client, de] in ENDS {
        let (near, far) = (at(client, 4000), at(de, 443));
        let out = |flags| (Inside, tcp(&near, &far, flags));
        let back = |flags| (Outside, tcp(&far, &near, flags));
        let packets =
            [out("S"), back("SA"), out("A"), back("A"), out("A"), out("R"), out("S"), back("SA")];
        for ways in 0..1_u32 << packets.len() {
            // The end of the old connection may still count: 40 s.
            for (wait_ms, want) in [(37_400, Forward), (40_100, Drop)] {
                let mut lab = Lab::timed("policy", 2, (1024, 1000), TIMES);
                for (i, (side, frame)) in packets.iter().enumerate() {
                    let worker = (ways >> i & 1) as usize;
                    assert_eq!(lab.send_to(worker, *side, frame), Forward, "{i}, {ways:b}");
                    lab.now_ms += 1;
                }
                lab.now_ms += wait_ms;
                for worker in [0, 1] {
                    let (side, frame) = back("SA");
                    assert_eq!(lab.send_to(worker, side, &frame), want, "{ways:b}, {wait_ms} ms");
                }
            }
        }
    }
}

/// What the outside sends is refused by the inside's end, again and again: that keeps no connection.
#[test]
fn refusals_of_the_inside_prolong_no_end() {
    for [client, de] in ENDS {
        let (near, far) = (at(client, 4000), at(de, 443));
        for outer in [0, 1] {
            let mut lab = Lab::timed("policy", 2, (1024, 1000), TIMES);
            for flags in ["S", "A", "R"] {
                assert_eq!(lab.send_to(0, Inside, &tcp(&near, &far, flags)), Forward);
                if flags != "R" {
                    assert_eq!(lab.send_to(outer, Outside, &tcp(&far, &near, "A")), Forward);
                }
            }
            let passed = (0..20).take_while(|_| {
                lab.now_ms += 5_000;
                lab.send_to(0, Inside, &tcp(&near, &far, "R"));
                lab.send_to(outer, Outside, &tcp(&far, &near, "A")) == Forward
            });
            assert!((7..=8).contains(&passed.count()), "{client}, {outer}");
        }
    }
}

#[test]
fn fragments_have_their_own() {
    let whole = udp_with("198.51.100.1:999", "10.2.0.1:53", &[0; 200]);
    let pieces = fragments(&whole, 7, &[104]);
    for (wait_ms, want) in [(9_900, Forward), (10_100, Drop)] {
        let mut lab = Lab::timed("policy", 2, (1024, 1000), TIMES);
        lab.send_to(0, Outside, &pieces[0]);
        lab.now_ms += wait_ms;
        assert_eq!(lab.send_to(1, Outside, &pieces[1]), want, "{wait_ms} ms");
    }
}

#[test]
fn housekeeping_goes_by_the_configuration() {
    let mut lab = Lab::timed("policy", 1, (64, 1000), TIMES);
    let de = "198.51.100.1";
    lab.send(Outside, &tcp(&at(de, 999), "10.2.0.1:80", "S"));
    lab.send(Outside, &udp(&at(de, 999), "10.2.0.1:53"));
    lab.send(Outside, &echo(de, "10.2.0.1", false, 5));
    for (wait_ms, flows) in [(20_000, 3), (1, 2), (59_999, 2), (1, 1), (239_999, 1), (1, 0)] {
        lab.now_ms += wait_ms;
        let now = lab.now();
        lab.workers[0].housekeep(now, &mut lab.records);
        assert_eq!(lab.counters().flows, flows);
    }
}
