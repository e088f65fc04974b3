//! What a lease lets through in the driver is what the worker would forward, and is counted as that.

use filter::{Action::*, Counters, Lane, Timeouts};
use lookup::Side::{Inside, Outside};
use proptest::prelude::*;

use crate::driver::Driver;
use crate::frames::*;
use crate::lab::Lab;
use crate::leasing::{LONGEST, Leasing, ORIGIN_NS, WORTH};
use crate::workers::{self, Packet, STEP_MS, TIMES, build, many};

/// A client from DE, a client from CN, a web server, a client inside, of each family.
const ENDS: [[&str; 4]; 2] = [
    ["198.51.100.1:999", "203.0.113.1:999", "10.2.0.1:80", "10.3.0.5:4000"],
    ["[2001:db8:de::1]:999", "[2001:db8:c::1]:999", "[fd00:2::1]:80", "[fd00:3::5]:4000"],
];

fn dns(server: &str) -> String {
    server.replace(":80", ":53")
}

#[test]
fn a_flow_gets_a_lease_for_each_direction_once_it_is_worth_one() {
    for [de, _, server, _] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        for flags in ["S", "A"] {
            lab.send(Outside, &tcp(de, server, flags));
        }
        lab.send(Inside, &tcp(server, de, "A"));
        let (there, back) = (tcp(de, server, "A"), tcp(server, de, "A"));
        let before = (0..20).take_while(|_| {
            let passes = lab.passes(Outside, &there);
            lab.send(Outside, &there);
            !passes
        });
        assert!((WORTH - 4..=WORTH).contains(&before.count()));
        assert!(!lab.passes(Inside, &back), "it has shown no packet that way");
        assert!(lab.leased(Inside, &back));
        // What is not plain goes to the worker.
        for flags in ["S", "SA", "FA", "R"] {
            assert!(!lab.passes(Outside, &tcp(de, server, flags)), "{flags}");
        }
        for cut in fragments(&there, 7, &[24]) {
            assert!(!lab.passes(Outside, &cut));
        }
    }
}

#[test]
fn what_the_policy_drops_or_only_watches_gets_none() {
    for [de, cn, server, client] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let shadow = server.replace(":80", ":7001");
        for (side, frame) in [
            (Outside, udp(cn, &dns(server))),
            (Outside, udp(cn, &shadow)),
            (Outside, udp(de, client)),
            (Inside, udp(client, cn)),
            (Outside, echo("198.51.100.1", "10.2.0.1", false, 3)),
        ] {
            assert!(!lab.leased(side, &frame));
        }
        let running = |driver: &Driver| driver.running(lab.now_ns());
        assert_eq!(lab.drivers[0].each_ref().map(running), [0, 0]);
    }
}

#[test]
fn a_reload_ends_all_leases_at_once() {
    for [de, _, server, client] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let (ask, out) = (udp(de, &dns(server)), udp(client, de));
        assert!(lab.leased(Outside, &ask) && lab.leased(Inside, &out));
        lab.reload("policy");
        assert!(!lab.passes(Outside, &ask) && !lab.passes(Inside, &out));
        assert_eq!(lab.send(Outside, &ask), Forward);
        assert!(!lab.passes(Outside, &ask), "judged anew");
        assert!(lab.leased(Outside, &ask));
        // What the next policy drops is never leased again.
        let db = tcp(de, &server.replace(":80", ":5432"), "A");
        assert!(lab.leased(Outside, &db));
        lab.reload("closed");
        for _ in 0..2 * WORTH {
            assert_eq!(lab.send(Outside, &db), Drop);
        }
    }
}

#[test]
fn a_lane_that_is_closed_lets_nothing_through_and_gets_nothing() {
    let [de, _, server, _] = ENDS[0];
    let ask = udp(de, &dns(server));
    let mut lab = Leasing::new("policy", 64);
    lab.driver(0, Outside).open(0);
    assert!(!lab.leased(Outside, &ask));
    lab.driver(0, Outside).open(LONGEST);
    assert!(!lab.passes(Outside, &ask), "nothing was written");
    assert!(lab.leased(Outside, &ask));
    lab.driver(0, Outside).open(0);
    assert!(!lab.passes(Outside, &ask));
    lab.driver(0, Outside).open(LONGEST);
    assert!(lab.passes(Outside, &ask));
    // Lanes that the worker lets go, and those it takes over.
    let drivers = lab.drivers[0].clone();
    let now = lab.lab.now();
    lab.lab.workers[0].end_leases(now);
    assert!(!lab.passes(Outside, &ask));
    assert_eq!(lab.flows(), [2 * WORTH as u32 + 2], "flows have counted what went by them");
    let lanes = drivers.map(|driver| Some(Box::new(driver) as Box<dyn Lane>));
    lab.lab.workers[0].lease_over(lanes, (&lab.lab.rules, now), ORIGIN_NS);
    assert!(lab.leased(Outside, &udp("198.51.100.2:999", &dns(server))));
    assert!(!lab.passes(Outside, &ask), "leases of the time before mean nothing");
    assert_eq!(lab.send(Outside, &ask), Forward);
    assert!(lab.passes(Outside, &ask));
}

#[test]
fn a_lease_that_nobody_tends_is_over_in_seconds() {
    let [de, _, server, _] = ENDS[0];
    let ask = udp(de, &dns(server));
    for (opening_s, least_ms, most_ms) in [(30, 3_740, 3_760), (4, 490, 510), (1, 120, 130)] {
        let times = Timeouts { udp_opening_s: opening_s, ..Timeouts::default() };
        let mut lab = Leasing::over(Lab::timed("policy", 1, (1024, 1000), times), 64);
        assert!(lab.leased(Outside, &ask));
        let begin_ms = lab.lab.now_ms;
        while lab.passes(Outside, &ask) {
            lab.lab.now_ms += 1;
        }
        let lasted_ms = lab.lab.now_ms - begin_ms;
        assert!((least_ms..=most_ms).contains(&lasted_ms), "{lasted_ms} ms");
    }
}

#[test]
fn a_flow_in_use_never_comes_back_to_the_worker_and_a_silent_one_fades() {
    for [de, _, server, client] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let (ask, out, back) = (udp(de, &dns(server)), udp(client, de), udp(de, client));
        assert!(lab.leased(Outside, &ask) && lab.leased(Inside, &out));
        assert!(lab.leased(Outside, &back));
        for _ in 0..2_000 {
            lab.pass_ms(500);
            for (side, frame) in [(Outside, &ask), (Inside, &out), (Outside, &back)] {
                assert!(lab.passes(side, frame));
            }
        }
        // The last packets were those of now: the timeouts count from here.
        lab.pass_ms(28_000);
        assert_eq!(lab.flows().len(), 2);
        lab.pass_ms(2_100);
        assert_eq!(lab.flows().len(), 1, "the flow that was never answered is forgotten");
        assert!(!lab.passes(Outside, &ask));
        lab.pass_ms(265_000);
        assert_eq!(lab.send(Outside, &back), Forward);
        lab.pass_ms(301_000);
        assert_eq!((lab.flows().len(), lab.send(Outside, &back)), (0, Drop));
    }
}

#[test]
fn a_connection_that_ends_takes_its_leases_along() {
    for [de, _, _, client] in ENDS {
        let mut lab = Leasing::over(Lab::with("policy", 2, 1024, 1000), 64);
        // The inside's packets on one worker, the outside's on the other.
        let (out, back) = (tcp(client, de, "A"), tcp(de, client, "A"));
        lab.send_to(0, Inside, &tcp(client, de, "S"));
        lab.send_to(1, Outside, &tcp(de, client, "SA"));
        for _ in 0..2 * WORTH {
            lab.send_to(0, Inside, &out);
            lab.send_to(1, Outside, &back);
        }
        let passes = |lab: &Leasing| lab.driver(1, Outside).passes(&back, lab.now_ns());
        assert!(passes(&lab));
        assert_eq!(lab.send_to(0, Inside, &tcp(client, de, "FA")), Forward);
        // 120 s after its end nothing comes in, however much the outside sends.
        for _ in 0..125 {
            lab.pass_ms(1_000);
            lab.send_to(1, Outside, &back);
        }
        assert!(!passes(&lab));
        assert_eq!(lab.send_to(1, Outside, &back), Drop);
    }
}

#[test]
fn what_the_outside_still_sends_keeps_no_connection_that_ends() {
    for [de, _, _, client] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let back = tcp(de, client, "A");
        lab.send(Inside, &tcp(client, de, "S"));
        lab.send(Outside, &tcp(de, client, "SA"));
        assert!(lab.leased(Outside, &back));
        lab.send(Inside, &tcp(client, de, "FA"));
        lab.lab.now_ms += 600;
        assert!(lab.passes(Outside, &back), "its lease is not tended yet");
        lab.pass_ms(119_300);
        assert_eq!(lab.flows().len(), 1);
        lab.pass_ms(200);
        assert_eq!(lab.flows().len(), 0, "120 s after its end");
    }
}

#[test]
fn a_frame_that_is_too_long_goes_by_the_worker() {
    let [de, _, server, _] = ENDS[0];
    let ask = udp(de, &dns(server));
    let mut lab = Leasing::new("policy", 64);
    lab.driver(0, Outside).open(ask.len() as u32 - 1);
    assert!(!lab.leased(Outside, &ask));
    lab.driver(0, Outside).open(ask.len() as u32);
    assert!(lab.passes(Outside, &ask));
}

#[test]
fn a_flow_that_ends_in_its_burst_gets_none() {
    for [de, _, server, _] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let there = tcp(de, server, "A");
        lab.send(Outside, &tcp(de, server, "S"));
        lab.send(Inside, &tcp(server, de, "SA"));
        for last in ["FA", "S"] {
            let mut burst = vec![there.clone(); 2 * WORTH];
            burst.push(tcp(de, server, last));
            lab.lab.burst(0, Outside, &burst);
            let now = lab.lab.now();
            lab.lab.workers[0].lease(&lab.lab.rules, now, Outside);
            assert!(!lab.passes(Outside, &there), "{last}");
        }
    }
}

#[test]
fn every_packet_is_counted_where_it_belongs() {
    let [de, _, server, client] = ENDS[0];
    let mut lab = Leasing::new("policy", 64);
    let (ask, out) = (udp(de, &dns(server)), udp(client, de));
    for _ in 0..1000 {
        lab.send(Outside, &ask);
        lab.send(Inside, &out);
    }
    lab.send(Outside, &udp(ENDS[0][1], client));
    lab.tend();
    let Counters { received, forwarded, leased, .. } = *lab.counters();
    assert_eq!((received, forwarded), (2001, 2000));
    assert_eq!(leased, 2000 - 2 * WORTH as u64);
    assert_eq!([Some("web"), None].map(|domain| lab.allowed(domain)), [1000, 1000]);
    // A flow's own packets are told when it is tended.
    lab.pass_ms(1000);
    assert_eq!(lab.flows(), [1000, 1000]);
    // What went through under a policy is its domains', whatever comes next.
    for _ in 0..10 {
        assert!(lab.passes(Outside, &ask));
    }
    lab.reload("renumbered");
    lab.send(Outside, &ask);
    assert_eq!(lab.allowed(Some("web")), 1011);
    lab.pass_ms(1000);
    assert_eq!(lab.flows().iter().sum::<u32>(), 2011, "also those of before the reload");
}

#[test]
fn a_lease_of_another_ruleset_is_never_extended() {
    for [de, _, server, _] in ENDS {
        let mut lab = Leasing::new("policy", 64);
        let (ask, answer) = (udp(de, &dns(server)), udp(&dns(server), de));
        assert!(lab.leased(Outside, &ask) && lab.leased(Inside, &answer));
        assert!(lab.passes(Inside, &answer));
        // The same service is another domain's now; one direction alone is judged anew.
        lab.reload("moved");
        lab.tend();
        let before = lab.allowed(Some("web"));
        assert_eq!(lab.send(Outside, &ask), Forward);
        lab.pass_ms(1100);
        assert!(!lab.passes(Inside, &answer), "used before the reload, not judged since");
        for _ in 0..2 * WORTH {
            lab.send(Inside, &answer);
        }
        assert!(lab.passes(Inside, &answer));
        lab.tend();
        assert_eq!(lab.allowed(Some("web")), before);
        assert_eq!(lab.allowed(Some("names")), 2 + 2 * WORTH as u64);
    }
}

#[test]
fn a_worker_that_comes_late_renews_no_pinhole() {
    for [de, _, _, client] in ENDS {
        let mut lab = Leasing::over(Lab::with("policy", 2, 1024, 1000), 64);
        let (out, back) = (udp(client, de), udp(de, client));
        assert!(lab.leased(Inside, &out));
        // Nobody tends the lease, which was used just now, for most of the 30 s that an answer has.
        lab.lab.now_ms += 25_000;
        lab.pass_ms(4_000);
        assert_eq!(lab.send_to(1, Outside, &back), Forward);
        let mut lab = Leasing::over(Lab::with("policy", 2, 1024, 1000), 64);
        assert!(lab.leased(Inside, &out));
        lab.lab.now_ms += 25_000;
        lab.pass_ms(6_000);
        assert_eq!(lab.send_to(1, Outside, &back), Drop, "31 s after the last packet");
    }
}

#[test]
fn a_term_is_over_for_ever() {
    let [de, _, server, _] = ENDS[0];
    let ask = udp(de, &dns(server));
    let mut lab = Leasing::new("policy", 64);
    assert!(lab.leased(Outside, &ask));
    // The program's ticks go round in 52 days; only the last 4 s before the term are its own.
    for days in 1..52 {
        let later_ns = lab.now_ns() + days * 24 * 3600 * 1_000_000_000;
        assert!(!lab.driver(0, Outside).passes(&ask, later_ns), "after {days} days");
    }
    lab.lab.now_ms += 27 * 24 * 3600 * 1000;
    assert!(!lab.passes(Outside, &ask));
    assert!(lab.leased(Outside, &ask), "it takes the place of the one that lapsed");
}

#[test]
fn a_flow_that_gives_its_place_to_another_has_counted_its_packets() {
    let [_, _, server, _] = ENDS[0];
    let ask = |n: usize| udp(&format!("198.51.100.{n}:{}", 1000 + n), &dns(server));
    let mut lab = Leasing::new("policy", 8);
    let mut sent = 0;
    for round in 0..20 {
        for n in 0..10 {
            for _ in 0..2 * WORTH {
                assert_eq!(lab.send(Outside, &ask(10 * round + n)), Forward);
                sent += 1;
            }
        }
        // Nobody tends those that lapse meanwhile.
        lab.lab.now_ms += 1_000;
    }
    lab.pass_ms(1_000);
    assert!(lab.counters().leased > 100, "{} of {sent}", lab.counters().leased);
    assert_eq!(lab.flows().iter().map(|packets| u64::from(*packets)).sum::<u64>(), sent);
}

#[test]
fn flows_that_crowd_a_place_go_by_the_worker() {
    let [_, _, server, _] = ENDS[0];
    let mut lab = Leasing::new("policy", 8);
    let asks: Vec<_> =
        (0..100).map(|n| udp(&format!("198.51.100.{n}:{}", 1000 + n), &dns(server))).collect();
    for _ in 0..2 * WORTH {
        for ask in &asks {
            assert_eq!(lab.send(Outside, ask), Forward);
        }
        lab.pass_ms(100);
    }
    let passing: Vec<bool> = asks.iter().map(|ask| lab.passes(Outside, ask)).collect();
    assert_eq!(passing.iter().filter(|passes| **passes).count(), 8, "as many as there are places");
    // They keep their places as long as they are in use, and then others get them.
    for _ in 0..20 {
        for (ask, passes) in asks.iter().zip(&passing) {
            assert_eq!(lab.passes(Outside, ask), *passes);
        }
        lab.pass_ms(1000);
    }
    lab.pass_ms(5_000);
    let after = asks.iter().rev().filter(|ask| lab.leased(Outside, ask)).count();
    assert_eq!(after, 8);
}

/// A packet, how often it comes, and the longest frame that the other interface takes by then.
fn packets() -> impl Strategy<Value = Vec<(Packet, usize, u32)>> {
    let often = prop_oneof![1 => Just(1_usize), 2 => Just(2 * WORTH)];
    let takes = prop_oneof![8 => Just(LONGEST), 1 => Just(60), 1 => Just(0)];
    prop::collection::vec((workers::packet(), often, takes), 1..100)
}

/// Random packets on two workers with leases, against one worker without: the same verdict for each.
fn agree(
    packets: &[(Packet, usize, u32)],
    (plain, leasing): (&mut Lab, &mut Leasing),
    policies: &[&str],
) -> Result<(), TestCaseError> {
    let (mut policy, mut ended) = (0, false);
    for (at, (packet, often, takes)) in packets.iter().enumerate() {
        let (side, frame) = build(packet);
        // Who opens anew what just ended may meet a worker that does not ask yet.
        let anew = ended && packet.inside && matches!(packet.kind, 0 | 1);
        let steps = packet.steps.max(u64::from(anew));
        ended = ended && steps == 0 || packet.inside && matches!(packet.kind, 6 | 7);
        if packet.reload {
            policy = (policy + 1).min(policies.len() - 1);
            plain.reload(policies[policy]);
            leasing.reload(policies[policy]);
        }
        leasing.drivers.iter().flatten().for_each(|driver| driver.open(*takes));
        plain.now_ms += steps * STEP_MS;
        leasing.pass_ms(steps * STEP_MS);
        for turn in 0..*often {
            plain.now_ms += 1;
            leasing.pass_ms(1);
            let want = plain.send(side, &frame);
            let got = leasing.send_to(packet.worker, side, &frame);
            let now = plain.now();
            plain.workers[0].housekeep(now, &mut plain.records);
            prop_assert_eq!(
                want,
                got,
                "packet {} {:?} turn {} after\n{:#?}",
                at,
                packet,
                turn,
                &packets[..at]
            );
        }
    }
    Ok(())
}

#[test]
fn leases_change_no_verdict() {
    for (start, policies) in [
        ("policy", &["policy", "closed", "policy", "without-db", "policy", "served"][..]),
        ("vlans", &["vlans", "vlans-more", "vlans", "vlans-untagged"]),
    ] {
        let leased = std::cell::Cell::new(0);
        proptest!(many(200), |(packets in packets())| {
            let lab = |workers| Lab::timed(start, workers, (1024, 1000), TIMES);
            let (mut plain, mut leasing) = (lab(1), Leasing::over(lab(2), 16));
            agree(&packets, (&mut plain, &mut leasing), policies)?;
            leasing.tend();
            let sum = |lab: &Lab| {
                let counts = lab.workers.iter().map(|worker| {
                    let Counters { received, forwarded, .. } = *worker.counters();
                    [received, forwarded]
                });
                counts.fold([0; 2], |[a, b], [c, d]| [a + c, b + d])
            };
            prop_assert_eq!(sum(&plain), sum(&leasing.lab));
            let through = leasing.lab.workers.iter().map(|worker| worker.counters().leased);
            leased.set(leased.get() + through.sum::<u64>());
        });
        assert!(leased.get() > 1_000, "{} packets by leases", leased.get());
    }
}
