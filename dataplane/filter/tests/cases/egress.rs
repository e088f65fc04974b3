//! Connections opened from the inside, over one worker and over two that see one direction each.

use filter::Action::{Drop, Forward};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const ENDS: [[&str; 3]; 2] = [
    ["10.3.0.5:4000", "198.51.100.1:443", "203.0.113.1:443"],
    ["[fd00:3::5]:4000", "[2001:db8:de::1]:443", "[2001:db8:c::1]:443"],
];

/// One worker for both sides; then the outside's packets on one and the inside's on another.
fn labs() -> [(Lab, usize, usize); 2] {
    [(Lab::new("policy"), 0, 0), (Lab::with("policy", 2, 1024, 1000), 0, 1)]
}

#[test]
fn replies_need_an_opening() {
    for [client, de, cn] in ENDS {
        for (mut lab, outer, inner) in labs() {
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "SA")), Drop);
            assert_eq!(lab.send_to(inner, Inside, &tcp(client, de, "S")), Forward);
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "SA")), Forward);
            assert_eq!(lab.send_to(inner, Inside, &tcp(client, de, "A")), Forward);
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Forward);
            assert_eq!(lab.send_to(inner, Inside, &tcp(client, cn, "S")), Drop);
            assert_eq!(lab.send_to(outer, Outside, &tcp(cn, client, "SA")), Drop);
            assert_eq!(lab.send_to(outer, Outside, &udp(de, client)), Drop, "another protocol");
        }
    }
}

#[test]
fn the_outside_opens_and_prolongs_nothing() {
    for [client, de, _] in ENDS {
        for (mut lab, outer, inner) in labs() {
            for flags in ["S", "SA", "A", "F", "R"] {
                assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, flags)), Drop);
            }
            assert_eq!(lab.send_to(outer, Outside, &udp(de, client)), Drop);
            assert_eq!(lab.send_to(inner, Inside, &udp(client, de)), Forward);
            lab.now_ms += 31_000;
            assert_eq!(lab.send_to(outer, Outside, &udp(de, client)), Drop, "too late");
        }
    }
}

#[test]
fn replies_prolong_a_connection_that_the_inside_opened() {
    for [client, de, _] in ENDS {
        for (mut lab, outer, inner) in labs() {
            lab.send_to(inner, Inside, &udp(client, de));
            for _ in 0..50 {
                lab.now_ms += 20_000;
                assert_eq!(lab.send_to(outer, Outside, &udp(de, client)), Forward);
            }
            lab.now_ms += 301_000;
            assert_eq!(lab.send_to(outer, Outside, &udp(de, client)), Drop);
        }
    }
}

#[test]
fn an_established_connection_outlives_two_hours_of_silence() {
    for [client, de, _] in ENDS {
        for (mut lab, outer, inner) in labs() {
            lab.send_to(inner, Inside, &tcp(client, de, "S"));
            lab.send_to(outer, Outside, &tcp(de, client, "SA"));
            lab.send_to(inner, Inside, &tcp(client, de, "A"));
            lab.now_ms += 5_000;
            lab.send_to(outer, Outside, &tcp(de, client, "A"));
            lab.now_ms += 7_200_000;
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Forward);
        }
    }
}

#[test]
fn a_closed_connection_fades_whatever_the_outside_sends() {
    for [client, de, _] in ENDS {
        for (mut lab, outer, inner) in labs() {
            lab.send_to(inner, Inside, &tcp(client, de, "S"));
            lab.send_to(outer, Outside, &tcp(de, client, "SA"));
            lab.send_to(inner, Inside, &tcp(client, de, "A"));
            lab.now_ms += 5_000;
            lab.send_to(inner, Inside, &tcp(client, de, "R"));
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Forward, "under way");
            for _ in 0..80 {
                lab.now_ms += 5_000;
                lab.send_to(outer, Outside, &tcp(de, client, "A"));
                lab.send_to(outer, Outside, &tcp(de, client, "S"));
            }
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Drop);
            assert_eq!(lab.send_to(inner, Inside, &tcp(client, de, "S")), Forward);
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "SA")), Forward, "anew");
        }
    }
}

#[test]
fn a_restarted_gateway_takes_connections_up_again() {
    for [client, de, _] in ENDS {
        for (mut lab, outer, inner) in labs() {
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Drop);
            assert_eq!(lab.send_to(inner, Inside, &tcp(client, de, "A")), Forward);
            assert_eq!(lab.send_to(outer, Outside, &tcp(de, client, "A")), Forward);
        }
    }
}

#[test]
fn a_full_flow_table_refuses_no_connection() {
    let mut lab = Lab::with("policy", 1, 8, 1000);
    let client = |n: u16| format!("10.3.0.5:{}", 1000 + n);
    // Established ones fill the table; the rest live by judgement and pinholes.
    for n in 0..8 {
        lab.send(Inside, &tcp(&client(n), "198.51.100.1:443", "S"));
        lab.send(Outside, &tcp("198.51.100.1:443", &client(n), "SA"));
        lab.send(Inside, &tcp(&client(n), "198.51.100.1:443", "A"));
    }
    assert_eq!(lab.counters().flows, 8);
    for n in 8..12 {
        assert_eq!(lab.send(Inside, &tcp(&client(n), "198.51.100.1:443", "S")), Forward);
        assert_eq!(lab.send(Outside, &tcp("198.51.100.1:443", &client(n), "SA")), Forward);
    }
    assert_eq!(lab.counters().flows, 8);
    assert_eq!(lab.counters().flow_table_full, 8);
    assert_eq!(lab.send(Outside, &tcp("198.51.100.1:443", &client(99), "SA")), Drop);
}
