//! The flow table against a map, and the hash against chance.

use std::collections::HashMap;

use lookup::Side;
use proptest::prelude::*;

use super::{Entry, Hasher, Key, Lives, Progress, State, Table, Timeouts, Timing};
use crate::Family;
use crate::parse::Head;

fn key(n: u32) -> Key {
    let head = Head {
        src: u128::from(n) + 1,
        dst: 2,
        src_port: 3,
        dst_port: 4,
        vlan: 0,
        proto: 17,
        family: Family::V6,
    };
    Key::new(Side::Outside, &head, 17, (3, 4))
}

fn entry(key: Key, state: State, seen_ms: u32) -> Entry {
    let progress = Progress { state, ..Progress::default() };
    let mut entry = Entry::new(key, progress, Timing::of(key.proto()), false);
    entry.seen_ms = seen_ms;
    entry
}

fn lives() -> Lives {
    Lives::new(&Timeouts::default())
}

#[derive(Clone, Debug)]
enum Act {
    Insert(u32, State),
    Touch(u32),
    Remove(u32),
    Sweep(usize),
    Wait(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let flow = 0..60_u32;
    let state = prop_oneof![Just(State::Opening), Just(State::Open), Just(State::Closing)];
    prop_oneof![
        6 => (flow.clone(), state).prop_map(|(flow, state)| Act::Insert(flow, state)),
        3 => flow.clone().prop_map(Act::Touch),
        2 => flow.prop_map(Act::Remove),
        1 => (0..5_usize).prop_map(Act::Sweep),
        2 => (0..40_000_u32).prop_map(Act::Wait),
    ]
}

/// The table and a map that does the same without bounds.
struct Pair {
    table: Table,
    model: HashMap<u32, (State, u32)>,
    hasher: Hasher,
    now_ms: u32,
}

impl Pair {
    fn find(&mut self, flow: u32) -> Option<usize> {
        self.table.find(self.hasher.hash(&key(flow)), &key(flow))
    }

    fn insert(&mut self, flow: u32, state: State) {
        if self.find(flow).is_some() {
            return;
        }
        let hash = self.hasher.hash(&key(flow));
        let new = entry(key(flow), state, self.now_ms);
        let before = self.table.len();
        let placed = self.table.insert(hash, new);
        if placed {
            self.model.insert(flow, (state, self.now_ms));
        }
        let gone: Vec<u32> =
            self.model.keys().copied().filter(|&flow| self.table_lacks(flow)).collect();
        assert!(gone.len() <= 1, "one insertion takes one place at most");
        for flow in gone {
            let (state, seen_ms) = self.model[&flow];
            let expired = entry(key(flow), state, seen_ms).expired(self.now_ms, &lives());
            assert!(expired || state != State::Open, "an open flow gave way");
            assert_eq!(self.table.len(), before, "gave way though there was room");
            self.model.remove(&flow);
        }
        if !placed {
            let open = self.model.values().filter(|(state, _)| *state == State::Open).count();
            // Eight where both buckets of the key are one.
            assert!(open >= 8, "refused though its places cannot all be open");
        }
    }

    fn table_lacks(&self, flow: u32) -> bool {
        self.table.find(self.hasher.hash(&key(flow)), &key(flow)).is_none()
    }

    fn sweep(&mut self, buckets: usize) {
        self.table.expire(self.now_ms, buckets);
        let now_ms = self.now_ms;
        let gone: Vec<u32> =
            self.model.keys().copied().filter(|&flow| self.table_lacks(flow)).collect();
        for flow in gone {
            let (state, seen_ms) = self.model.remove(&flow).unwrap();
            assert!(entry(key(flow), state, seen_ms).expired(now_ms, &lives()), "swept too early");
        }
        if buckets >= 4 {
            let left = self.model.iter().filter(|(flow, (state, seen_ms))| {
                entry(key(**flow), *state, *seen_ms).expired(now_ms, &lives())
            });
            assert_eq!(left.count(), 0, "a whole round leaves nothing that expired");
        }
    }

    fn agree(&mut self) {
        assert_eq!(self.table.len(), self.model.len());
        for flow in 0..60 {
            let slot = self.find(flow);
            assert_eq!(slot.is_some(), self.model.contains_key(&flow), "flow {flow}");
            if let Some(slot) = slot {
                let entry = self.table.entry(slot);
                assert_eq!((entry.progress().state, entry.seen_ms), self.model[&flow]);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_table_is_a_map_that_forgets_politely(
        acts in prop::collection::vec(act(), 1..200),
        start_ms in prop_oneof![Just(0), Just(u32::MAX - 60_000)],
    ) {
        let mut pair = Pair {
            table: Table::new(32, lives()),
            model: HashMap::new(),
            hasher: Hasher::new([9; 16]),
            now_ms: start_ms,
        };
        for act in acts {
            match act {
                Act::Insert(flow, state) => pair.insert(flow, state),
                Act::Touch(flow) => {
                    if let Some(slot) = pair.find(flow) {
                        pair.table.entry(slot).seen_ms = pair.now_ms;
                        pair.model.get_mut(&flow).unwrap().1 = pair.now_ms;
                    }
                }
                Act::Remove(flow) => {
                    if let Some(slot) = pair.find(flow) {
                        pair.table.remove(slot);
                        pair.model.remove(&flow);
                    }
                }
                Act::Sweep(buckets) => pair.sweep(buckets),
                Act::Wait(ms) => pair.now_ms = pair.now_ms.wrapping_add(ms),
            }
            pair.agree();
        }
    }

    #[test]
    fn both_directions_have_one_key(src: u128, dst: u128, ports: (u16, u16), proto: u8) {
        let head = Head {
            src, dst, src_port: 0, dst_port: 0, vlan: 0, proto, family: Family::V6,
        };
        let back = Head { src: dst, dst: src, ..head };
        let there = Key::new(Side::Outside, &head, proto, ports);
        prop_assert_eq!(there, Key::new(Side::Inside, &back, proto, (ports.1, ports.0)));
        prop_assert_eq!((there.remote(), there.local()), (src, dst));
        prop_assert_eq!(there.local_port(), ports.1);
    }
}

#[test]
fn two_thirds_of_the_room_fill_without_a_refusal_and_the_rest_nearly() {
    let mut table = Table::new(1 << 16, lives());
    let hasher = Hasher::new([3; 16]);
    let mut refused = 0;
    for n in 0..1 << 16 {
        let key = key(n);
        if !table.insert(hasher.hash(&key), entry(key, State::Open, 0)) {
            assert!(n > (1 << 16) * 2 / 3, "flow {n}");
            refused += 1;
        }
    }
    assert_eq!(table.len() + refused, 1 << 16);
    assert!(refused < (1 << 16) / 20, "{refused} refused");
}

#[test]
fn a_secret_changes_every_bucket() {
    let (one, two) = (Hasher::new([1; 16]), Hasher::new([2; 16]));
    let same = (0..10_000).filter(|&n| {
        let key = key(n);
        one.hash(&key) & 0xffff == two.hash(&key) & 0xffff
    });
    assert!(same.count() < 10);
    let tags: std::collections::HashSet<u64> =
        (0..10_000).map(|n| one.hash(&key(n)) >> 48).collect();
    assert!(tags.len() > 9_000, "neighbouring keys share no tags");
}
