//! Ranges and the class tables against a slow list of prefixes, at random and at every boundary.

use lookup::{Address, ClassId, ClassTable, Dir24_8, Prefix, Ranges, Six};
use proptest::collection::vec;
use proptest::prelude::*;

type Routes<A> = Vec<(Prefix<A>, ClassId)>;

/// The golden model: the longest prefix that holds the address, the later of two equal ones.
fn slow<A: Address>(routes: &Routes<A>, address: A) -> ClassId {
    let holding = routes.iter().filter(|(prefix, _)| prefix.holds(address));
    holding.max_by_key(|(prefix, _)| prefix.bits()).map_or(ClassId(0), |&(_, class)| class)
}

/// First and last address of every prefix, and their neighbours.
fn boundaries<A: Address>(routes: &Routes<A>) -> Vec<A> {
    let mut keys = vec![A::MIN, A::MAX];
    for (prefix, _) in routes {
        let (first, last) = (prefix.first(), prefix.last());
        keys.extend(
            [Some(first), Some(last), first.predecessor(), last.successor()].into_iter().flatten(),
        );
    }
    keys
}

/// Prefixes that nest and crowd: addresses are a few anchors with some low bits changed.
fn routes_v4() -> impl Strategy<Value = Routes<u32>> {
    let near = (vec(any::<u32>(), 1..4), vec((any::<u32>(), 0u32..32, 0u8..=32, 0u32..5), 0..60));
    near.prop_map(|(anchors, changes)| {
        let route = |(noise, shift, bits, class): (u32, u32, u8, u32)| {
            let address = anchors[noise as usize % anchors.len()] ^ noise >> shift;
            (Prefix::new(address, bits), ClassId(class))
        };
        changes.into_iter().map(route).collect()
    })
}

fn routes_v6() -> impl Strategy<Value = Routes<u128>> {
    let near =
        (vec(any::<u128>(), 1..4), vec((any::<u128>(), 0u32..128, 0u8..=128, 0u32..5), 0..90));
    near.prop_map(|(anchors, changes)| {
        let route = |(noise, shift, bits, class): (u128, u32, u8, u32)| {
            let address = anchors[(noise % anchors.len() as u128) as usize] ^ noise >> shift;
            (Prefix::new(address, bits), ClassId(class))
        };
        changes.into_iter().map(route).collect()
    })
}

/// A cover is sorted, begins at 0, and merges neighbours.
fn sound<A: Address>(ranges: &Ranges<A, ClassId>) {
    let mut next = Some(A::MIN);
    let mut before = None;
    for (first, last, class) in ranges.iter() {
        assert_eq!(Some(first), next);
        assert!(first <= last);
        assert_ne!(before, Some(*class), "equal neighbours at {first:?}");
        (next, before) = (last.successor(), Some(*class));
    }
    assert_eq!(next, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn v4_agrees_with_the_list(routes in routes_v4(), random in vec(any::<u32>(), 200)) {
        let ranges = Ranges::build(ClassId(0), routes.clone());
        sound(&ranges);
        let table = Dir24_8::compile(&ranges).unwrap();
        let keys = [boundaries(&routes), random].concat();
        let mut batch = vec![ClassId(99); keys.len()];
        table.find_batch(&keys, &mut batch);
        for (&key, batch) in keys.iter().zip(batch) {
            let class = slow(&routes, key);
            prop_assert_eq!(*ranges.find(key), class);
            prop_assert_eq!(table.find(key), class);
            prop_assert_eq!(batch, class);
            let (first, last) = ranges.range_of(key);
            prop_assert!(first <= key && key <= last);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn v6_agrees_with_the_list(routes in routes_v6(), random in vec(any::<u128>(), 100)) {
        let ranges = Ranges::build(ClassId(0), routes.clone());
        sound(&ranges);
        let table = Six::compile(&ranges).unwrap();
        let keys = [boundaries(&routes), random].concat();
        let mut batch = vec![ClassId(99); keys.len()];
        table.find_batch(&keys, &mut batch);
        for (&key, batch) in keys.iter().zip(batch) {
            let class = slow(&routes, key);
            prop_assert_eq!(*ranges.find(key), class);
            prop_assert_eq!(table.find(key), class, "{:x}", key);
            prop_assert_eq!(batch, class);
        }
    }

    #[test]
    fn zip_is_pointwise(a in routes_v6(), b in routes_v6()) {
        let keys = [boundaries(&a), boundaries(&b)].concat();
        let (left, right) = (Ranges::build(ClassId(0), a), Ranges::build(ClassId(0), b));
        let sum = |a: &ClassId, b: &ClassId| ClassId(a.0 + b.0);
        let joined = left.zip(&right, sum);
        let odd = joined.map(|class| ClassId(class.0 % 2));
        sound(&joined);
        sound(&odd);
        for key in keys {
            let class = sum(left.find(key), right.find(key));
            prop_assert_eq!(*joined.find(key), class);
            prop_assert_eq!(odd.find(key).0, class.0 % 2);
        }
    }

    #[test]
    fn cover_is_exact_and_shortest(a in any::<u32>(), b in any::<u32>(), shift in 0u32..32) {
        let (first, last) = (a.min(a ^ b >> shift), a.max(a ^ b >> shift));
        let mut next = Some(first);
        for prefix in Prefix::cover(first, last) {
            prop_assert_eq!(Some(prefix.first()), next);
            next = prefix.last().successor();
            if prefix.bits() > 0 {
                let wider = Prefix::new(prefix.first(), prefix.bits() - 1);
                prop_assert!(wider.first() < first || wider.last() > last, "{:?} could grow", prefix);
            }
        }
        prop_assert_eq!(next, last.successor());
    }
}

/// Alone and in a batch, every key has the class that the cover gives it.
fn agrees(ranges: &Ranges<u128, ClassId>, table: &Six, keys: &[u128], what: &str) {
    let mut batch = vec![ClassId(99); keys.len()];
    table.find_batch(keys, &mut batch);
    for (&key, batch) in keys.iter().zip(batch) {
        let class = *ranges.find(key);
        assert_eq!((table.find(key), batch), (class, class), "{key:x}, {what}");
    }
}

/// Many ranges in a small part of the space, so that the trie needs several levels.
#[test]
fn six_goes_deep() {
    for (step, count) in [(1u128, 5000u32), (1 << 64, 70_000), (1 << 80, 60_000), (3 << 61, 40_000)]
    {
        let base = 0x2001_0db8_u128 << 96;
        let mut ranges = Ranges::new(ClassId(0));
        for i in 0..count {
            ranges.append(base + u128::from(i) * step, ClassId(i % 7 + 1));
        }
        let table = Six::compile(&ranges).unwrap();
        let keys: Vec<u128> = (0..count)
            .flat_map(|i| [0, 1, step / 2, step - 1].map(|o| base + u128::from(i) * step + o))
            .chain([0, 1, base - 1, u128::MAX])
            .collect();
        agrees(&ranges, &table, &keys, &format!("steps of {step:x}"));
        let per_range = table.memory_bytes() as f64 / f64::from(count);
        assert!(
            table.memory_bytes() < (1 << 19) + 64 * count as usize,
            "{per_range} bytes a range"
        );
    }
}

/// Blocklists are lists of single networks, far from each other.
#[test]
fn six_holds_single_networks_of_every_length() {
    for bits in 16..=128u8 {
        let address = |i: u128| (1 << 125) + (i << 112 | i.pow(5) << 70 ^ i.pow(7) << 20);
        let networks: Vec<_> =
            (1..2000).map(|i| (Prefix::new(address(i), bits), ClassId(i as u32 % 3 + 1))).collect();
        let ranges = Ranges::build(ClassId(0), networks.clone());
        let table = Six::compile(&ranges).unwrap();
        agrees(&ranges, &table, &boundaries(&networks), &format!("/{bits}"));
        let room = (1 << 18) + 200 * networks.len();
        assert!(table.memory_bytes() < room, "/{bits}: {} bytes", table.memory_bytes());
    }
}

/// As many runs as a sparse node holds, one less and one more, at every edge of its 16 bits.
#[test]
fn six_tells_runs_of_a_node_apart() {
    let edges = [0u128, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffd, 0xfffe, 0xffff];
    for below in [32u32, 48] {
        let place =
            |at: u128| 0x2001_0db8_1234_5678_u128 << 64 & !0 << (128 - below) | at << (112 - below);
        for set in 1u32..1 << edges.len() {
            let chosen = edges.iter().enumerate().filter(|(bit, _)| set >> bit & 1 != 0);
            let networks: Vec<_> = chosen
                .map(|(bit, &at)| {
                    (Prefix::new(place(at), below as u8 + 16), ClassId(bit as u32 + 1))
                })
                .collect();
            // Many neighbours make the node below the root 16 bits wide, so that this one's bits align.
            let near =
                (0..600).map(|i| (Prefix::new(0x2001 << 112 | (2 * i) << 96, 32), ClassId(77)));
            let ranges = Ranges::build(ClassId(0), networks.iter().copied().chain(near));
            let table = Six::compile(&ranges).unwrap();
            agrees(&ranges, &table, &boundaries(&networks), &format!("/{below}, {set:b}"));
        }
    }
}

#[test]
fn batches_of_all_lengths() {
    let v4 = Ranges::build(
        ClassId(0),
        (0..300u32).map(|i| (Prefix::new(i << 23, 20 + i as u8 % 13), ClassId(i))),
    );
    let v6 = Ranges::build(
        ClassId(0),
        (0..300u128).map(|i| (Prefix::new(i << 119, 20 + i as u8 % 109), ClassId(i as u32))),
    );
    let table = ClassTable::compile(&v4, &v6).unwrap();
    let untouched = ClassId(u32::MAX);
    for keys in 0..70u32 {
        for room in [0, 1, keys.saturating_sub(1), keys, keys + 3] {
            let fours: Vec<u32> = (0..keys).map(|i| i << 23 | i & 3).collect();
            let sixes: Vec<u128> = (0..u128::from(keys)).map(|i| i << 119 | i & 3).collect();
            let (mut a, mut b) = (vec![untouched; room as usize], vec![untouched; room as usize]);
            table.classes_v4(&fours, &mut a);
            table.classes_v6(&sixes, &mut b);
            for i in 0..room as usize {
                let asked = i < keys as usize;
                assert_eq!(a[i], if asked { *v4.find(fours[i]) } else { untouched });
                assert_eq!(b[i], if asked { *v6.find(sixes[i]) } else { untouched });
            }
        }
    }
}

/// Classes and groups of any number, and blocks of the packed tables that end in every way.
#[test]
fn four_holds_many_classes_and_groups() {
    let classes = |count: u32, step: u32| {
        let prefix = |i: u32| (Prefix::new(i * step, 32 - step.ilog2() as u8), ClassId(i));
        Ranges::build(ClassId(0), (0..count).map(prefix))
    };
    let hosts = (0..40_000u32).map(|i| (Prefix::new(i * 263 + 7, 32), ClassId(i % 3 + 1)));
    let cases = [
        classes(70_000, 256),
        classes(70_000, 32),
        classes(70_000, 1),
        classes(3000, 1 << 13),
        Ranges::build(ClassId(0), hosts),
    ];
    for ranges in &cases {
        let table = Dir24_8::compile(ranges).unwrap();
        for (first, last, &class) in ranges.iter() {
            assert_eq!((table.find(first), table.find(last)), (class, class), "{first:x}");
        }
        let room = (1 << 22) + 16 * ranges.len() + 64 * 40_000;
        assert!(table.memory_bytes() < room + 4096, "{} bytes", table.memory_bytes());
    }
}

#[test]
fn too_many_classes_are_refused() {
    assert!(Dir24_8::compile(&Ranges::new(ClassId(1 << 31))).is_err());
    assert!(Six::compile(&Ranges::new(ClassId(1 << 30))).is_err());
    let error = Six::compile(&Ranges::new(ClassId(1 << 30))).unwrap_err().to_string();
    assert!(error.contains("1073741825 address classes"), "{error}");
}
