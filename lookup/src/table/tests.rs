//! Each kind of processor that batches are compiled for, as far as this one can stand for it.

use pulp::Arch;
use pulp::x86::{V3, V4};

use super::burst::{self, BURST, Bursts};
use super::{Dir24_8, Six};
use crate::{Address, ClassId, Prefix, Ranges};

/// Networks of all lengths, crowded below a few others, so that all kinds of nodes and groups occur.
fn networks<A: Address>(address: impl Fn(u64) -> A) -> Ranges<A, ClassId> {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        seed >> 16
    };
    let network = |class: u32| {
        let (place, bits) = (next(), next());
        (Prefix::new(address(place), (bits % u64::from(A::BITS)) as u8 + 1), ClassId(class % 250))
    };
    Ranges::build(ClassId(0), (1..6000).map(network))
}

fn agree<A: Address>(
    ranges: &Ranges<A, ClassId>,
    table: &impl Bursts<A>,
    find: impl Fn(A) -> ClassId,
) {
    let edges = ranges.iter().flat_map(|(first, last, _)| [first, last]);
    let keys: Vec<A> = edges.collect();
    let (v3, v4) = (V3::try_new().map(Arch::V3), V4::try_new().map(Arch::V4));
    let kinds: Vec<Arch> = [Some(Arch::Scalar), v3, v4].into_iter().flatten().collect();
    println!("{kinds:?}");
    for arch in kinds {
        for length in [1, 7, BURST, keys.len()] {
            for keys in keys.chunks(length) {
                let mut classes = vec![ClassId(u32::MAX); keys.len()];
                burst::on(arch, table, keys, &mut classes);
                for (&key, class) in keys.iter().zip(classes) {
                    assert_eq!((class, find(key)), (*ranges.find(key), class), "{key:?}, {arch:?}");
                }
            }
        }
    }
}

#[test]
fn every_processor_finds_the_same_ipv4_class() {
    let ranges = networks(|noise| (noise as u32 & 0x03ff_ffff) << (noise >> 32 & 7));
    let table = Dir24_8::compile(&ranges).unwrap();
    agree(&ranges, &table, |key| table.find(key));
}

#[test]
fn every_processor_finds_the_same_ipv6_class() {
    let spread = |noise: u64| u128::from(noise).wrapping_mul(0x0001_0000_0001_0001_0000_0000_0001);
    let ranges = networks(|noise| spread(noise & 0xff) << 96 | spread(noise) >> (noise % 60));
    let table = Six::compile(&ranges).unwrap();
    agree(&ranges, &table, |key| table.find(key));
}
