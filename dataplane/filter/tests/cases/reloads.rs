//! A new ruleset judges the next packet of every flow.

use filter::{Action::*, DropReason};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const DE: &str = "198.51.100.1:999";
const DB: &str = "10.2.0.1:5432";
const CLIENT: &str = "10.3.0.5:4000";
const FR: &str = "192.0.2.1:443";

#[test]
fn the_next_packet_meets_the_new_verdict() {
    let mut lab = Lab::new("policy");
    assert_eq!(lab.send(Outside, &tcp(DE, DB, "S")), Forward);
    assert_eq!(lab.send(Inside, &tcp(DB, DE, "SA")), Forward);
    lab.reload("closed");
    assert_eq!(lab.refused(Outside, &tcp(DE, DB, "A")), DropReason::NotAllowed);
    assert_eq!(lab.refused(Inside, &tcp(DB, DE, "A")), DropReason::NotAllowed);
    assert_eq!(lab.records[0].revision.0, 2);
    lab.reload("policy");
    assert_eq!(lab.send(Outside, &tcp(DE, DB, "A")), Forward);
    assert_eq!(lab.send(Inside, &tcp(DB, DE, "A")), Forward);
}

#[test]
fn egress_is_judged_again_in_both_directions() {
    for (outer, inner) in [(0, 0), (0, 1)] {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        lab.send_to(inner, Inside, &tcp(CLIENT, FR, "S"));
        assert_eq!(lab.send_to(outer, Outside, &tcp(FR, CLIENT, "SA")), Forward);
        lab.reload("closed");
        assert_eq!(lab.send_to(outer, Outside, &tcp(FR, CLIENT, "A")), Drop);
        assert_eq!(
            lab.records[0].reason(),
            Some(DropReason::Denied),
            "the egress rule, not no_service"
        );
        assert_eq!(lab.send_to(inner, Inside, &tcp(CLIENT, FR, "A")), Drop);
        lab.reload("policy");
        assert_eq!(lab.send_to(inner, Inside, &tcp(CLIENT, FR, "A")), Forward);
        assert_eq!(lab.send_to(outer, Outside, &tcp(FR, CLIENT, "A")), Forward);
    }
}

#[test]
fn egress_that_stays_allowed_stays_open() {
    for (outer, inner) in [(0, 0), (0, 1)] {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        let de = "198.51.100.1:443";
        lab.send_to(inner, Inside, &tcp(CLIENT, de, "S"));
        lab.send_to(outer, Outside, &tcp(de, CLIENT, "SA"));
        lab.reload("closed");
        assert_eq!(lab.send_to(outer, Outside, &tcp(de, CLIENT, "A")), Forward);
        assert_eq!(lab.send_to(inner, Inside, &tcp(CLIENT, de, "A")), Forward);
    }
}

/// State, pinhole and timers live on: an open connection has its two hours from its last packet, a
/// closed one its two minutes, on whichever worker.
#[test]
fn a_reload_neither_prolongs_nor_shortens_what_stays_allowed() {
    let de = "198.51.100.1:443";
    for (closes, wait_ms, want) in [
        (false, 7_435_000, Forward),
        (false, 7_441_000, Drop),
        (true, 115_000, Forward),
        (true, 121_000, Drop),
    ] {
        for (outer, inner) in [(0, 0), (0, 1), (1, 0)] {
            let mut lab = Lab::with("policy", 2, 1024, 1000);
            lab.send_to(inner, Inside, &tcp(CLIENT, de, "S"));
            lab.send_to(outer, Outside, &tcp(de, CLIENT, "SA"));
            lab.send_to(inner, Inside, &tcp(CLIENT, de, "A"));
            if closes {
                lab.send_to(inner, Inside, &tcp(CLIENT, de, "R"));
            }
            lab.now_ms += 1;
            lab.reload("closed");
            lab.send_to(outer, Outside, &tcp(de, CLIENT, "A"));
            lab.now_ms += wait_ms;
            lab.reload("policy");
            let action = lab.send_to(outer, Outside, &tcp(de, CLIENT, "A"));
            assert_eq!(action, want, "closed {closes}, {wait_ms} ms, workers {outer} {inner}");
        }
    }
}

/// A country that is taken out stops in the middle of a burst's worth of packets, both ways.
#[test]
fn a_running_transfer_stops_with_the_first_burst_of_a_new_ruleset() {
    let de = "192.0.2.1:443";
    let mut lab = Lab::with("policy", 2, 1024, 1_000_000);
    let data = vec![tcp(de, CLIENT, "A"); 64];
    let acks = vec![tcp(CLIENT, de, "A"); 64];
    lab.send_to(0, Inside, &tcp(CLIENT, de, "S"));
    for worker in 0..2 {
        assert_eq!(lab.burst(worker, Outside, &data), [Forward; 64]);
        assert_eq!(lab.burst(worker, Inside, &acks), [Forward; 64]);
    }
    lab.reload("closed");
    for worker in 0..2 {
        assert_eq!(lab.burst(worker, Outside, &data), [Drop; 64]);
        assert_eq!(lab.burst(worker, Inside, &acks), [Drop; 64]);
    }
}

/// What was a connection of the inside becomes a service's: only the service's verdict counts.
#[test]
fn old_proof_of_egress_opens_no_service() {
    for (outer, inner) in [(0, 0), (0, 1)] {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        let de = "198.51.100.1:443";
        lab.send_to(inner, Inside, &tcp(CLIENT, de, "S"));
        assert_eq!(lab.send_to(outer, Outside, &tcp(de, CLIENT, "SA")), Forward);
        lab.reload("served");
        assert_eq!(lab.send_to(outer, Outside, &tcp(de, CLIENT, "A")), Drop);
        assert_eq!(lab.records[0].reason(), Some(DropReason::NotAllowed));
        assert_eq!(lab.send_to(inner, Inside, &tcp(CLIENT, de, "A")), Drop);
    }
}

/// What was a service's becomes nobody's: its connections do not live on as the inside's own.
#[test]
fn a_former_service_is_no_egress() {
    for (outer, inner) in [(0, 0), (0, 1)] {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        lab.send_to(outer, Outside, &tcp(DE, DB, "S"));
        lab.send_to(inner, Inside, &tcp(DB, DE, "SA"));
        lab.reload("without-db");
        for _ in 0..3 {
            assert_eq!(lab.send_to(outer, Outside, &tcp(DE, DB, "A")), Drop);
            // By the policy the inside may send to DE; it just gets no answer.
            assert_eq!(lab.send_to(inner, Inside, &tcp(DB, DE, "A")), Forward);
            assert_eq!(lab.send_to(outer, Outside, &tcp(DE, DB, "A")), Drop);
        }
        // A connection that the inside opens anew is its own.
        assert_eq!(lab.send_to(inner, Inside, &tcp(DB, DE, "S")), Forward);
        assert_eq!(lab.send_to(outer, Outside, &tcp(DE, DB, "SA")), Forward);
    }
}

/// Who is refused cannot make the gateway forget: a server probes a silent peer after two hours, and
/// that does not make the connection one of the inside.
#[test]
fn a_former_service_is_remembered_as_long_as_it_would_be_open() {
    for (wait_ms, want) in [(121_000, Drop), (7_300_000, Drop), (7_441_000, Forward)] {
        let mut lab = Lab::new("policy");
        for (side, from, to, flags) in
            [(Outside, DE, DB, "S"), (Inside, DB, DE, "SA"), (Outside, DE, DB, "A")]
        {
            assert_eq!(lab.send(side, &tcp(from, to, flags)), Forward);
        }
        lab.reload("without-db");
        assert_eq!(lab.send(Outside, &tcp(DE, DB, "A")), Drop);
        lab.now_ms += wait_ms;
        let now = lab.now();
        (0..20).for_each(|_| lab.workers[0].housekeep(now, &mut lab.records));
        assert_eq!(lab.send(Inside, &tcp(DB, DE, "A")), Forward);
        assert_eq!(lab.send(Outside, &tcp(DE, DB, "A")), want, "{wait_ms} ms");
        // Allowed again, it is a flow like any other.
        lab.reload("policy");
        assert_eq!(lab.send(Outside, &tcp(DE, DB, "S")), Forward);
        lab.now_ms += 61_000;
        let now = lab.now();
        (0..20).for_each(|_| lab.workers[0].housekeep(now, &mut lab.records));
        assert_eq!(lab.counters().flows, 0);
    }
}

#[test]
fn failsafe_is_no_proof_either() {
    let mut lab = Lab::new("policy");
    let failsafe = "203.0.113.7:999";
    lab.send(Outside, &udp(failsafe, CLIENT));
    assert_eq!(lab.counters().flows, 1);
    lab.reload("strict");
    assert_eq!(lab.send(Outside, &udp(failsafe, CLIENT)), Drop);
}
