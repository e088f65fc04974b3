//! Many packets that leave at once: under a load of new flows, none of which has a lease, what may pass arrives,
//! and nothing else does.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use palisade_bench::lab::{CLIENT_VETH, Counter, Gateway, Hops, Lab, SERVER_VETH, Setup, Status};
use palisade_bench::load::{Class, Flow, Generator, Kind, Order, Sent, Sink, Sizes};

/// Flows of each kind, in both families.
const FLOWS: usize = 20_000;
/// Frames a second of each queue.
const RATE: u64 = 150_000;
const MAY: Class = Class(1);
const MAY_NOT: Class = Class(2);

/// Flows that may pass and flows that may not, by turns.
fn mixed() -> Vec<Flow> {
    let of = |shares, class| {
        drawn(FLOWS, shares, (7, Kind::Udp), 5).into_iter().map(move |flow| Flow { class, ..flow })
    };
    of("DE:100", MAY).zip(of("US:100", MAY_NOT)).flat_map(|(may, may_not)| [may, may_not]).collect()
}

fn gateway(lab: &Lab, queues: usize) -> Gateway {
    let cores = if queues == 1 { vec![1] } else { vec![0, 1] };
    Gateway::start(lab, &Setup { cores, ..Setup::new(lab, &forgiving()) }).unwrap()
}

/// Each flow once, from each of these cores, whose frames arrive on the queue of the same number.
fn load(lab: &Lab, queues: usize) -> Vec<Sent> {
    let flows = mixed();
    thread::scope(|scope| {
        let loads = (0..queues).map(|core| {
            let mine: Vec<_> =
                flows[core * FLOWS / queues * 2..(core + 1) * FLOWS / queues * 2].to_vec();
            scope.spawn(move || {
                let count = Some(mine.len() as u64);
                let mut generator = Generator::outside(lab, &mine, Sizes::Imix).unwrap();
                let length = Duration::from_secs(5);
                generator.run(Order { length, count, rate_pps: Some(RATE), core }).unwrap()
            })
        });
        let loads: Vec<_> = loads.collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    })
}

fn in_bulk(status: &Status) -> Vec<u64> {
    status.workers.iter().map(|worker| worker.in_bulk).collect()
}

#[test]
fn what_may_pass_arrives_and_nothing_else_does() {
    for queues in [1, 2] {
        let Some(lab) = site(queues as u16) else { return };
        let mut sink = Sink::at_servers(&lab, FLOWS * 2).unwrap();
        let gateway = gateway(&lab, queues);
        let before = Hops::read(&lab).unwrap();
        let sent: u64 = load(&lab, queues).iter().map(|sent| sent.packets).sum();
        let status = gateway.quiet_status().unwrap();
        let hops = Hops::read(&lab).unwrap().since(before);
        assert_eq!((hops.refused, hops.unsent), (0, 0), "the load was too much");
        let lost = status.interfaces[0].kernel_dropped;
        assert_eq!(sent, FLOWS as u64 * 2);
        let came = status.received + lost;
        assert!((sent..=sent + LINK).contains(&came), "{came} of {sent}: {status:#?}");
        // A worker that shares its core with a generator loses much of it.
        assert!(status.received > sent / 8, "{lost} of {sent} lost");
        let [may, may_not] = [MAY, MAY_NOT].map(|class| sink.class(class).unwrap().packets);
        assert_eq!((may, may_not), (status.domains["external"].allowed, 0), "{status:#?}");
        assert_eq!(status.leased, 0);
        let least = FLOWS as u64 / 100;
        assert!(in_bulk(&status).iter().all(|packets| *packets > least), "{:?}", in_bulk(&status));
        settle(gateway);
    }
}

/// Where veths take no redirected frames, each packet leaves through a socket.
#[test]
fn where_the_far_ends_take_none_they_leave_one_by_one() {
    let Some(lab) = site(1) else { return };
    for (host, veth) in [(&lab.clients, CLIENT_VETH), (&lab.servers, SERVER_VETH)] {
        host.run(&format!("ethtool -K {veth} gro off")).unwrap();
    }
    let arrived = Counter::start(&lab.servers, "udp dport 7").unwrap();
    let gateway = gateway(&lab, 1);
    load(&lab, 1);
    let status = gateway.quiet_status().unwrap();
    assert_eq!(in_bulk(&status), [0]);
    assert_eq!(arrived.packets().unwrap(), status.domains["external"].allowed, "{status:#?}");
    settle(gateway);
}
