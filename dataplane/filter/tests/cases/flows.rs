//! Flows as plain facts.

use std::collections::BTreeSet;

use filter::{Flow, FlowState, Pair};
use lookup::Side::{Inside, Outside};
use lookup::{Proto, Vlan};

use crate::frames::*;
use crate::lab::Lab;

fn all(lab: &Lab, worker: usize) -> Vec<Flow> {
    let (mut flows, mut cursor) = (Vec::new(), Some(0));
    while let Some(from) = cursor {
        let before = flows.len();
        cursor = lab.workers[worker].flows(from, lab.now(), |flow| flows.push(flow));
        assert!(flows.len() - before <= 512, "a call is bounded");
    }
    flows
}

fn pair(remote: &str, local: &str, proto: Proto) -> Pair {
    let end = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
    let (remote, local) = (end(remote), end(local));
    Pair {
        remote: remote.ip(),
        local: local.ip(),
        remote_port: remote.port(),
        local_port: local.port(),
        proto,
        vlan: Vlan::NONE,
    }
}

#[test]
fn a_flow_tells_its_ends_its_state_and_its_judge() {
    let mut lab = Lab::new("policy");
    let (de, db) = ("198.51.100.1:999", "10.2.0.1:5432");
    lab.send(Outside, &tcp(de, db, "S"));
    let wanted = pair(de, db, Proto::TCP);
    let [flow] = all(&lab, 0)[..] else { panic!() };
    assert_eq!((flow.pair, flow.state, flow.packets), (wanted, FlowState::Opening, 1));
    assert_eq!((flow.opened, flow.judged_s, flow.revision.0), (Outside, 1_700_000_000, 1));
    lab.send(Inside, &tcp(db, de, "SA"));
    lab.send(Outside, &tcp(de, db, "A"));
    lab.now_ms += 1234;
    let flow = lab.workers[0].flow(&wanted, lab.now()).unwrap();
    let domain = flow.domain.map(|id| lab.rules.legend().domain_name(id));
    assert_eq!((flow.state, flow.packets, domain), (FlowState::Open, 3, Some("db")));
    assert_eq!(flow.silent_ms, 1234);
    lab.reload("without-db");
    lab.send(Outside, &tcp(de, db, "A"));
    let flow = lab.workers[0].flow(&wanted, lab.now()).unwrap();
    assert_eq!((flow.state.as_str(), flow.revision.0), ("former", 1));
    lab.now_ms += 8_000_000;
    assert_eq!(lab.workers[0].flow(&wanted, lab.now()), None, "silent for too long");
    assert!(all(&lab, 0).is_empty());
}

#[test]
fn connections_of_the_inside_pings_and_ipv6_are_found() {
    let mut lab = Lab::new("policy");
    lab.send(Inside, &tcp("10.3.0.5:4000", "192.0.2.9:443", "S"));
    lab.send(Outside, &udp("[2001:db8:de::1]:999", "[fd00:2::1]:53"));
    lab.send(Inside, &echo("10.3.0.5", "192.0.2.9", false, 77));
    let find = |pair: Pair| lab.workers[0].flow(&pair, lab.now());
    let flow = find(pair("192.0.2.9:443", "10.3.0.5:4000", Proto::TCP)).unwrap();
    assert_eq!((flow.opened, flow.domain), (Inside, None));
    let flow = find(pair("[2001:db8:de::1]:999", "[fd00:2::1]:53", Proto::UDP)).unwrap();
    assert_eq!(flow.opened, Outside);
    for flow in all(&lab, 0) {
        assert_eq!(find(flow.pair), Some(flow), "each can be asked for as it is shown");
    }
    assert_eq!(find(pair("192.0.2.9:443", "10.3.0.5:4001", Proto::TCP)), None);
    assert_eq!(lab.workers[0].flows(usize::MAX, lab.now(), |_| panic!()), None);
}

#[test]
fn all_flows_are_shown_once() {
    let mut lab = Lab::with("policy", 1, 1 << 14, 1000);
    let many: Vec<_> =
        (1..=9000).map(|port| udp(&format!("198.51.100.1:{port}"), "10.2.0.1:53")).collect();
    lab.burst(0, Outside, &many);
    let seen: Vec<u16> = all(&lab, 0).iter().map(|flow| flow.pair.remote_port).collect();
    let distinct: BTreeSet<u16> = seen.iter().copied().collect();
    assert_eq!((seen.len() as u64, distinct.len()), (lab.counters().flows, seen.len()));
    assert_eq!(seen.len(), 9000);
}
