//! What happens when there is no room: floods of fragments, full tables of pinholes.

use filter::{Action, Actions, BURST};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

/// First fragments that the policy allows, from 250 sources, each of another datagram, in turn with
/// later fragments that have no first one.
struct Flood {
    first: Vec<u8>,
    orphan: Vec<u8>,
    sent: u32,
}

impl Flood {
    fn new() -> Self {
        let whole = udp_with("198.51.100.1:999", "10.2.0.1:53", &[0; 32]);
        let pieces = fragments(&whole, 0, &[16]);
        Self { first: pieces[0].clone(), orphan: pieces[1].clone(), sent: 0 }
    }

    fn next(&mut self) -> Vec<u8> {
        let n = self.sent;
        self.sent += 1;
        let mut frame = if n.is_multiple_of(2) { self.first.clone() } else { self.orphan.clone() };
        // The source's last byte, and the id.
        frame[29] = (n % 250) as u8 + 2;
        frame[18..20].copy_from_slice(&(n as u16).to_be_bytes());
        frame[34..36].copy_from_slice(&((n >> 16) as u16).to_be_bytes());
        fix_checksum(&mut frame);
        frame
    }

    /// Sends it for a while, 2,000 packets a millisecond.
    fn run(&mut self, lab: &mut Lab, ms: usize) {
        let mut actions = Actions::new();
        for _ in 0..ms {
            for _ in 0..2_000_usize.div_ceil(BURST) {
                let burst: Vec<Vec<u8>> = (0..BURST).map(|_| self.next()).collect();
                let burst: Vec<&[u8]> = burst.iter().map(Vec::as_slice).collect();
                let (now, Lab { rules, records, workers, .. }) = (lab.now(), &mut *lab);
                workers[0].process(rules, now, Outside, &burst, &mut actions, records);
            }
            lab.now_ms += 1;
        }
    }
}

/// Two million fragments a second, half of them first ones that are allowed. A datagram whose second
/// fragment comes 100 ms after its first one still gets through.
#[test]
fn a_flood_of_fragments_starves_nobody() {
    for (apart_ms, least, most) in [(0, 40, 40), (100, 38, 40), (400, 0, 20)] {
        let mut lab = Lab::with("policy", 1, 1 << 20, 100);
        let mut flood = Flood::new();
        flood.run(&mut lab, 300);
        let datagrams: Vec<_> = (0..40)
            .map(|n| {
                let source = format!("192.0.2.{}:999", n + 1);
                fragments(&udp_with(&source, "10.2.0.2:53", &[0; 200]), n, &[104])
            })
            .collect();
        for datagram in &datagrams {
            assert_eq!(lab.send(Outside, &datagram[0]), Action::Forward);
        }
        flood.run(&mut lab, apart_ms);
        let through = datagrams
            .iter()
            .filter(|datagram| lab.send(Outside, &datagram[1]) == Action::Forward)
            .count();
        assert!((least..=most).contains(&through), "{through} of 40 with {apart_ms} ms between");
        let counters = lab.counters();
        assert!(counters.balanced());
        let orphans = counters.dropped[filter::DropReason::FragmentOrphan.index()];
        assert!(orphans >= 300_000, "every other one of the flood: {orphans}");
    }
}

/// A later fragment leaves nothing behind, so no flood of them pushes anything out.
#[test]
fn orphans_take_no_place() {
    let mut lab = Lab::with("policy", 1, 1024, 100);
    let good = fragments(&udp_with("192.0.2.1:999", "10.2.0.2:53", &[0; 200]), 1, &[104]);
    lab.send(Outside, &good[0]);
    let mut flood = Flood::new();
    for _ in 0..200_000 {
        flood.next();
        let orphan = flood.orphan.clone();
        let mut orphan = orphan;
        orphan[18..20].copy_from_slice(&(flood.sent as u16).to_be_bytes());
        orphan[29] = (flood.sent >> 16) as u8 + 2;
        fix_checksum(&mut orphan);
        assert_eq!(lab.send(Outside, &orphan), Action::Drop);
    }
    assert_eq!(lab.send(Outside, &good[1]), Action::Forward);
}

/// More connections of the inside than pinholes: each reply still finds its way where one worker
/// sees both directions, and the places that are missing are counted.
#[test]
fn pinholes_that_give_way_end_no_connection() {
    let mut lab = Lab::with("policy", 1, 64, 1000);
    lab.shrink(4096, filter::Timeouts::default());
    let client = |n: u32| format!("10.3.0.{}:{}", n % 200 + 1, 1000 + n / 200);
    let de = "198.51.100.1:443";
    for n in 0..1000 {
        lab.send(Inside, &tcp(&client(n), de, "S"));
        assert_eq!(lab.send(Outside, &tcp(de, &client(n), "SA")), Action::Forward, "{n}");
        lab.send(Inside, &tcp(&client(n), de, "A"));
    }
    for round in 1..20 {
        lab.now_ms += 30_000;
        for n in 0..1000 {
            let action = lab.send(Outside, &tcp(de, &client(n), "A"));
            assert_eq!(action, Action::Forward, "{n}, round {round}");
        }
    }
    assert!(lab.counters().pinholes_full > 0);
    assert_eq!(lab.counters().flows, 1000);
    assert_eq!(lab.send(Outside, &tcp(de, &client(5000), "A")), Action::Drop);
}

/// Open flows of a service stay open through a reload, and no flood that follows takes their places.
#[test]
fn what_stays_allowed_keeps_its_state_through_a_reload() {
    let mut lab = Lab::with("policy", 1, 8, 1000);
    let source = |n: u32| format!("198.51.100.{}:{}", n % 250 + 1, 1000 + n / 250);
    let server = "10.2.0.1:80";
    for n in 0..8 {
        lab.send(Outside, &tcp(&source(n), server, "S"));
        lab.send(Inside, &tcp(server, &source(n), "SA"));
        lab.send(Outside, &tcp(&source(n), server, "A"));
    }
    lab.reload("closed");
    for n in 0..8 {
        assert_eq!(lab.send(Outside, &tcp(&source(n), server, "A")), Action::Forward);
    }
    lab.now_ms += 7_000_000;
    for n in 8..1008 {
        assert_eq!(lab.send(Outside, &tcp(&source(n), server, "S")), Action::Forward);
        assert_eq!(lab.send(Inside, &tcp(server, &source(n), "SA")), Action::Forward);
    }
    assert_eq!((lab.counters().flows, lab.counters().flow_table_full), (8, 2000));
}

/// What the new policy drops gives its place to what it allows.
#[test]
fn what_is_no_longer_allowed_gives_way() {
    let mut lab = Lab::with("policy", 1, 8, 1000);
    let source = |n: u32| format!("198.51.100.{}:{}", n % 250 + 1, 1000 + n / 250);
    let db = "10.2.0.1:5432";
    for n in 0..8 {
        lab.send(Outside, &tcp(&source(n), db, "S"));
        lab.send(Inside, &tcp(db, &source(n), "SA"));
        lab.send(Outside, &tcp(&source(n), db, "A"));
    }
    lab.reload("closed");
    for n in 0..8 {
        assert_eq!(lab.send(Outside, &tcp(&source(n), db, "A")), Action::Drop);
    }
    for n in 0..8 {
        lab.send(Outside, &tcp(&source(n), "10.2.0.1:80", "S"));
    }
    assert_eq!(lab.counters().flow_table_full, 0);
}

/// A flood of openers makes nobody forget whose connection is no longer allowed.
#[test]
fn the_memory_of_a_former_service_outlasts_a_flood() {
    let mut lab = Lab::with("policy", 1, 8, 1000);
    let (de, db) = ("198.51.100.1:999", "10.2.0.1:5432");
    for (side, from, to, flags) in
        [(Outside, de, db, "S"), (Inside, db, de, "SA"), (Outside, de, db, "A")]
    {
        lab.send(side, &tcp(from, to, flags));
    }
    lab.reload("without-db");
    assert_eq!(lab.send(Outside, &tcp(de, db, "A")), Action::Drop);
    for n in 0..1000 {
        lab.now_ms += 1;
        lab.send(Outside, &tcp(&format!("198.51.100.2:{}", 1000 + n), "10.2.0.1:80", "S"));
    }
    assert_eq!((lab.counters().flows, lab.counters().flow_table_full), (8, 0));
    assert_eq!(lab.send(Inside, &tcp(db, de, "A")), Action::Forward);
    assert_eq!(lab.send(Outside, &tcp(de, db, "A")), Action::Drop);
}
