//! Two workers are as one: every packet may reach either, and every verdict is that of one worker
//! who sees them all.
//!
//! Time passes in steps that no timeout lies near: the moment of fading itself may differ by what a
//! flow waits to renew its pinhole.

use filter::{Action, Action::Drop, Action::Forward, Timeouts};
use lookup::Side::{self, Inside, Outside};
use proptest::prelude::*;

use crate::frames::*;
use crate::lab::Lab;

/// No multiple of [`STEP_MS`] is a timeout, or up to five seconds less.
pub(crate) const TIMES: Timeouts = Timeouts {
    tcp_opening_s: 60,
    tcp_open_s: 7440,
    tcp_closing_s: 120,
    udp_opening_s: 35,
    udp_open_s: 310,
    icmp_s: 60,
    other_opening_s: 35,
    other_open_s: 310,
    fragment_s: 35,
};
pub(crate) const STEP_MS: u64 = 25_000;

/// One packet of a small world: few ends, so that packets meet flows.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Which of the two workers gets it.
    pub(crate) worker: usize,
    pub(crate) inside: bool,
    six: bool,
    remote: usize,
    local: usize,
    port: usize,
    pub(crate) kind: u8,
    vlan: u16,
    /// Steps of time before it.
    pub(crate) steps: u64,
    pub(crate) reload: bool,
}

pub(crate) fn packet() -> impl Strategy<Value = Packet> {
    let steps = prop_oneof![40 => Just(0), 4 => 1..4_u64, 2 => 4..16_u64, 1 => 290..310_u64];
    let vlan = prop_oneof![4 => Just(0), 1 => prop::sample::select(&[10_u16, 20, 99][..])];
    // Mostly one pair, so that its packets are many.
    let ends = (
        prop_oneof![4 => Just(0), 1 => 1..4_usize],
        prop_oneof![1 => Just(0), 3 => Just(1_usize)],
        prop_oneof![3 => Just(3), 1 => 0..4_usize],
    );
    let way = (0..2_usize, any::<bool>(), prop::bool::weighted(0.2));
    (way, ends, 0..18_u8, vlan, steps, prop::bool::weighted(0.03)).prop_map(
        |((worker, inside, six), (remote, local, port), kind, vlan, steps, reload)| Packet {
            worker,
            inside,
            six,
            remote,
            local,
            port,
            kind,
            vlan,
            steps,
            reload,
        },
    )
}

pub(crate) fn build(packet: &Packet) -> (Side, Vec<u8>) {
    let (remotes, locals) = if packet.six {
        (
            ["2001:db8:de::1", "2001:db8:f::1", "2001:db8:c::1", "2001:db8:c::7"],
            ["fd00:2::1", "fd00:3::5"],
        )
    } else {
        (["198.51.100.1", "192.0.2.1", "203.0.113.1", "203.0.113.7"], ["10.2.0.1", "10.3.0.5"])
    };
    let (remote, local) = (remotes[packet.remote], locals[packet.local]);
    let port = [80, 5432, 53, 4000][packet.port];
    let at = |host: &str, port: u16| {
        if packet.six { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    };
    let (far, near) = (at(remote, 999), at(local, port));
    let (side, [from, to], [src, dst]) = if packet.inside {
        (Inside, [&near, &far], [local, remote])
    } else {
        (Outside, [&far, &near], [remote, local])
    };
    let frame = match packet.kind {
        0 | 1 => tcp(from, to, "S"),
        2 => tcp(from, to, "SA"),
        3..=5 => tcp(from, to, "A"),
        6 => tcp(from, to, "FA"),
        7 => tcp(from, to, "R"),
        8 | 9 => udp(from, to),
        10 => echo(src, dst, false, port),
        11 => echo(src, dst, true, port),
        12 => error(src, dst, &tcp(to, from, "A"), 500),
        13 => error(src, dst, &udp(to, from), 500),
        14 => fragments(&udp_with(from, to, &[0; 200]), port, &[104])[0].clone(),
        15 | 16 => fragments(&udp_with(from, to, &[0; 200]), port, &[104])[1].clone(),
        _ => {
            let ports = if packet.inside { (port, 999) } else { (999, port) };
            let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
            bytes.extend([0; 8]);
            raw(src.parse().unwrap(), dst.parse().unwrap(), 64, 132.into(), &bytes)
        }
    };
    let frame = if packet.vlan > 0 { tagged(&frame, &[(0x8100, packet.vlan)]) } else { frame };
    (side, frame)
}

/// Labs that get the same packets, and the policies that follow each other.
fn agree(
    packets: &[Packet],
    labs: &mut [Lab],
    policies: &[&str],
    worker: impl Fn(usize, &Packet) -> usize,
) -> Result<(), TestCaseError> {
    let mut policy = 0;
    let mut ended = false;
    for (at, packet) in packets.iter().enumerate() {
        let (side, frame) = build(packet);
        // Who opens anew what just ended may meet a worker that does not ask yet.
        let anew = ended && packet.inside && matches!(packet.kind, 0 | 1);
        let steps = packet.steps.max(u64::from(anew));
        ended = ended && steps == 0 || packet.inside && matches!(packet.kind, 6 | 7);
        policy = (policy + usize::from(packet.reload)).min(policies.len() - 1);
        let mut actions = Vec::<Action>::new();
        for (i, lab) in labs.iter_mut().enumerate() {
            lab.now_ms += steps * STEP_MS + 1;
            if packet.reload {
                lab.reload(policies[policy]);
            }
            actions.push(lab.send_to(worker(i, packet), side, &frame));
            let now = lab.now();
            let Lab { workers, records, .. } = lab;
            workers[0].housekeep(now, records);
        }
        prop_assert!(
            actions.iter().all(|action| *action == actions[0]),
            "packet {at} {packet:?}: {actions:?} after\n{:#?}",
            &packets[..at]
        );
    }
    Ok(())
}

fn labs(policy: &str, sizes: &[(u8, usize)]) -> Vec<Lab> {
    let lab = |&(workers, flows)| Lab::timed(policy, workers, (flows, 1000), TIMES);
    sizes.iter().map(lab).collect()
}

/// As many cases as `PROPTEST_CASES` says, where it is set.
pub(crate) fn many(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(cases);
    ProptestConfig { cases, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

/// Any packet on any worker; flows change their queue with each of them. Reloads take countries out
/// and turn what the inside opened into services.
#[test]
fn any_worker_says_what_one_would() {
    proptest!(many(1_500), |(packets in prop::collection::vec(packet(), 1..160))| {
        let mut labs = labs("policy", &[(1, 1024), (2, 1024)]);
        let policies = ["policy", "closed", "policy", "closed", "policy", "served"];
        agree(&packets, &mut labs, &policies, |lab, packet| if lab == 0 { 0 } else { packet.worker })?;
    });
}

#[test]
fn any_worker_says_what_one_would_on_every_vlan() {
    proptest!(many(700), |(packets in prop::collection::vec(packet(), 1..160))| {
        let mut labs = labs("vlans", &[(1, 1024), (2, 1024)]);
        let policies = ["vlans", "vlans-more", "vlans", "vlans-more"];
        agree(&packets, &mut labs, &policies, |lab, packet| if lab == 0 { 0 } else { packet.worker })?;
    });
}

/// The two directions on two queues, also where a reload takes a service away.
#[test]
fn two_directions_on_two_workers_are_as_one() {
    proptest!(many(1_000), |(packets in prop::collection::vec(packet(), 1..160))| {
        let mut labs = labs("policy", &[(1, 1024), (2, 1024)]);
        let policies = ["policy", "without-db", "closed", "without-db", "policy", "served"];
        agree(&packets, &mut labs, &policies, |lab, packet| {
            if lab == 0 { 0 } else { usize::from(packet.inside) }
        })?;
    });
}

/// A table of eight flows, always full, against one with room for all: the verdicts are the same.
#[test]
fn a_full_table_changes_no_verdict() {
    let full = std::cell::Cell::new(0);
    proptest!(many(250), |(packets in prop::collection::vec(packet(), 1..160))| {
        let mut labs = labs("policy", &[(1, 1024), (1, 1024), (2, 1024)]);
        for lab in &mut labs[1..] {
            lab.shrink(8, TIMES);
        }
        // Other flows that stay open take all places.
        for lab in &mut labs {
            let now_ms = lab.now_ms;
            for (worker, n) in (0..lab.workers.len()).flat_map(|w| (0..200).map(move |n| (w, n))) {
                let far = format!("198.51.100.{}:{}", 100 + n % 100, 1 + n);
                for (side, from, to, flags) in [
                    (Outside, far.as_str(), "10.2.0.9:80", "S"),
                    (Inside, "10.2.0.9:80", far.as_str(), "SA"),
                    (Outside, far.as_str(), "10.2.0.9:80", "A"),
                ] {
                    lab.send_to(worker, side, &tcp(from, to, flags));
                }
            }
            prop_assert_eq!(lab.now_ms, now_ms);
        }
        let policies = ["policy", "closed", "policy"];
        agree(&packets, &mut labs, &policies, |lab, packet| if lab < 2 { 0 } else { packet.worker })?;
        full.set(full.get() + labs[1].counters().flow_table_full);
    });
    assert!(full.get() > 2_000, "{} packets found the table full", full.get());
}

#[test]
fn a_burst_is_judged_as_its_packets_alone() {
    // What one worker knows as open has ended, as another one saw.
    for [from, to] in
        [["198.51.100.1:80", "10.3.0.5:4000"], ["[2001:db8:de::1]:80", "[fd00:3::5]:4000"]]
    {
        for alone in [false, true] {
            let mut lab = Lab::with("policy", 2, 1024, 1000);
            lab.send_to(0, Inside, &tcp(to, from, "S"));
            lab.send_to(1, Outside, &tcp(from, to, "SA"));
            lab.send_to(0, Inside, &tcp(to, from, "A"));
            let back = tcp(from, to, "A");
            assert_eq!(lab.send_to(1, Outside, &back), Forward);
            assert_eq!(lab.send_to(0, Inside, &tcp(to, from, "FA")), Forward);
            lab.now_ms += 125_000;
            let late = vec![back; 40];
            let actions = if alone {
                late.iter().map(|frame| lab.send_to(1, Outside, frame)).collect()
            } else {
                lab.burst(1, Outside, &late)
            };
            assert_eq!(actions, [Drop; 40], "alone: {alone}");
        }
    }
}
