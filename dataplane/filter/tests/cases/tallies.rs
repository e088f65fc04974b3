//! What is counted by domain, region and source, and that it stays right through reloads.

use filter::{DomainTally, RegionCounters, Source, Tally};
use lookup::Region;
use lookup::Side::{Inside, Outside};
use std::net::IpAddr;

use crate::frames::*;
use crate::lab::Lab;

const NOW_S: u32 = 1_700_000_000;

fn read(tally: &Tally, domain: Option<&str>) -> DomainTally {
    let mut all = DomainTally::default();
    assert!(tally.add_to(&mut all, domain, NOW_S), "{domain:?} is known");
    all
}

fn regions(tally: &DomainTally) -> Vec<(String, u64, u64)> {
    let row = |(region, counters): (&Region, &RegionCounters)| {
        (region.to_string(), counters.flows_allowed, counters.dropped)
    };
    tally.regions.iter().map(row).collect()
}

fn source(tally: &DomainTally, address: &str) -> Source {
    let address: IpAddr = address.parse().unwrap();
    tally.sources.get(&address).copied().unwrap_or_else(|| panic!("{:?}", tally.sources))
}

fn row(name: &str, flows_allowed: u64, dropped: u64) -> (String, u64, u64) {
    (name.to_owned(), flows_allowed, dropped)
}

#[test]
fn flows_and_drops_count_by_country() {
    let mut lab = Lab::new("policy");
    for port in 1000..1003 {
        // Two packets of a flow are one flow.
        lab.send(Outside, &tcp(&format!("198.51.100.1:{port}"), "10.2.0.1:5432", "S"));
        lab.send(Outside, &tcp(&format!("198.51.100.1:{port}"), "10.2.0.1:5432", "A"));
        lab.send(Outside, &tcp(&format!("192.0.2.1:{port}"), "10.2.0.1:5432", "S"));
    }
    lab.send(Outside, &tcp("203.0.114.9:999", "10.2.0.1:5432", "S"));
    lab.send(Outside, &tcp("10.9.9.9:999", "10.2.0.1:5432", "S"));
    lab.send(Outside, &tcp("192.0.2.1:999", "10.2.0.1:5433", "S"));
    lab.send(Inside, &tcp("10.2.0.1:999", "198.51.100.9:443", "S"));
    lab.send(Outside, &[]);
    let tally = lab.workers[0].tally();
    let db = read(tally, Some("db"));
    assert_eq!(
        regions(&db),
        [row("DE", 3, 0), row("FR", 0, 3), row("unknown", 0, 1), row("private", 0, 1)]
    );
    assert_eq!((db.packets.allowed, db.packets.dropped), (6, 5));
    let nowhere = read(tally, None);
    assert_eq!(regions(&nowhere), [row("DE", 1, 0), row("FR", 0, 1)]);
    assert_eq!(nowhere.packets.dropped, 2, "what cannot be read has no country, but is counted");
}

#[test]
fn counters_go_on_through_reloads_that_renumber_domains() {
    let mut lab = Lab::new("policy");
    let number = |lab: &Lab| {
        lab.rules.legend().domains().iter().position(|domain| domain.name == "web").unwrap()
    };
    let packet = tcp("203.0.113.1:999", "10.2.0.1:80", "S");
    let before = number(&lab);
    lab.send(Outside, &packet);
    for policy in ["renumbered", "policy", "renumbered"] {
        lab.reload(policy);
        lab.send(Outside, &packet);
        assert_ne!(policy == "policy", number(&lab) != before, "{policy}");
    }
    let web = read(lab.workers[0].tally(), Some("web"));
    assert_eq!((web.packets.dropped, source(&web, "203.0.113.1").dropped), (4, 4));
    assert_eq!(regions(&web), [row("CN", 0, 4)]);
    assert_eq!(read(lab.workers[0].tally(), Some("db")).packets.dropped, 0);
}

#[test]
fn a_sweep_shows_its_ports_and_its_destinations_although_nothing_is_recorded() {
    let mut lab = Lab::with("policy", 1, 4096, 0);
    for port in 1000..2000 {
        lab.send(Outside, &tcp("192.0.2.77:4000", &format!("10.2.0.9:{port}"), "S"));
        lab.send(Outside, &udp("192.0.2.78:4000", &format!("10.2.{}.1:9", port % 50)));
    }
    let nowhere = read(lab.workers[0].tally(), None);
    let sweep = source(&nowhere, "192.0.2.77");
    assert_eq!(
        (sweep.dropped, sweep.before, sweep.last_port, sweep.last_proto),
        (1000, 0, 1999, 6)
    );
    assert_eq!((sweep.first_s, sweep.last_s), (NOW_S, NOW_S));
    let near = |estimate: u64, count: u64| estimate.abs_diff(count) * 100 <= count * 55;
    assert!(near(sweep.ports.estimate(), 1000), "{}", sweep.ports.estimate());
    assert_eq!(sweep.destinations.estimate(), 1);
    let wide = source(&nowhere, "192.0.2.78");
    assert!(near(wide.destinations.estimate(), 50), "{}", wide.destinations.estimate());
    assert_eq!((wide.ports.estimate(), nowhere.networks.estimate()), (1, 1));
}

/// Whatever else comes, who sends more than the stated share is there, and no number is too high.
#[test]
fn a_busy_source_is_found_in_a_flood_of_random_ones() {
    let mut lab = Lab::with("policy", 1, 4096, 0);
    let (mut busy, mut seed) = (0_u64, 1_u32);
    for n in 0..60_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [a, b, ..] = seed.to_be_bytes();
        let from = if n % 50 == 0 {
            busy += 1;
            "192.0.2.200:1".to_owned()
        } else {
            format!("192.{}.{a}.{b}:1", 20 + n % 90)
        };
        lab.send(Outside, &tcp(&from, "10.2.0.1:5432", "S"));
    }
    let db = read(lab.workers[0].tally(), Some("db"));
    let found = source(&db, "192.0.2.200");
    assert!(found.dropped <= busy && busy <= found.dropped + found.before, "{found:?} {busy}");
    assert!(found.dropped > busy / 2, "{found:?}");
    assert_eq!(db.packets.dropped, 60_000);
    let counted: u64 = db.sources.values().map(|source| source.dropped).sum();
    assert!(counted <= 60_000);
    assert!(db.networks.estimate() > 15_000, "{}", db.networks.estimate());
    let networks = lab.workers[0].tally().service_networks("db", "postgres", NOW_S);
    assert_eq!(networks, db.networks);
}

#[test]
fn ipv6_sources_count_by_their_64() {
    let mut lab = Lab::new("policy");
    for host in 11..=19 {
        lab.send(Outside, &tcp(&format!("[2001:db8:c::{host}]:1"), "[fd00:2::1]:5432", "S"));
    }
    let db = read(lab.workers[0].tally(), Some("db"));
    assert_eq!(source(&db, "2001:db8:c::").dropped, 9);
    assert_eq!(db.sources.len(), 1);
}

#[test]
fn workers_add_up() {
    let mut lab = Lab::with("policy", 2, 4096, 1000);
    for port in 1..=40 {
        let packet = tcp("192.0.2.1:5", &format!("10.2.0.1:{}", 6000 + port), "S");
        lab.send_to(usize::from(port % 4 == 0), Outside, &packet);
    }
    let mut all = DomainTally::default();
    for worker in &lab.workers {
        assert!(worker.tally().add_to(&mut all, None, NOW_S));
    }
    assert_eq!((all.packets.dropped, source(&all, "192.0.2.1").dropped), (40, 40));
    assert_eq!(regions(&all), [row("FR", 0, 40)]);
    assert!(!lab.workers[0].tally().add_to(&mut all, Some("nobody"), NOW_S));
}
