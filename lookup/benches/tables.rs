//! The class tables on the embedded country table, or on the databases that PALISADE_COUNTRY and
//! PALISADE_ASN name; a class is a pair of country and operator.
//!
//! ```text
//! cargo bench -p palisade-lookup --bench tables
//! ```
//!
//! Keys are random addresses inside random ranges that have an origin, so that deep prefixes are
//! asked for as often as shallow ones. Three arms: `dependent` (each key waits for the answer
//! before), `independent`, and `batch` of 64.

#![expect(clippy::unwrap_used, reason = "a bench without its tables has nothing to do")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lookup::{Address, ClassId, Dir24_8, Geo, GeoFiles, OriginId, OriginKeys, Ranges, Six};

const KEYS: usize = 1 << 20;
const BATCH: usize = 64;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn files() -> GeoFiles {
    let path = |name| std::env::var_os(name).map(Into::into);
    GeoFiles { country: path("PALISADE_COUNTRY"), asn: path("PALISADE_ASN") }
}

fn classes<A: Address>(ids: &Ranges<A, OriginId>) -> Ranges<A, ClassId> {
    ids.map(|id| ClassId(id.0))
}

/// Random addresses in random ranges whose origin is known; of IPv6 only what is allocated, not the
/// parts that stand for IPv4.
fn keys<A: Address + TryFrom<u128> + Into<u128>>(
    ids: &Ranges<A, OriginId>,
    all: &OriginKeys,
) -> Vec<A> {
    let known = |id: &OriginId| all.keys[id.0 as usize].country.is_some();
    let from = if A::BITS == 128 { 0x2000 << 112 } else { 0 };
    let spans = ids.iter().filter(|it| known(it.2) && it.0.into() >= from);
    let spans: Vec<_> = spans.map(|(first, last, _)| (first, last)).collect();
    let mut random = Random(0x1234_5678_9abc_def1);
    let key = |_| {
        let (first, last) = spans[random.next() as usize % spans.len()];
        let (first, last): (u128, u128) = (first.into(), last.into());
        let noise = u128::from(random.next()) << 64 | u128::from(random.next());
        A::try_from(first + noise % (last - first + 1)).unwrap_or(A::MIN)
    };
    (0..KEYS).map(key).collect()
}

/// The three arms of one family.
fn arms<A: Address>(
    c: &mut Criterion,
    family: &str,
    keys: &[A],
    find: impl Fn(A) -> ClassId,
    find_batch: impl Fn(&[A], &mut [ClassId]),
    next: impl Fn(ClassId) -> usize,
) {
    let mut group = c.benchmark_group(family);
    group.throughput(Throughput::Elements(KEYS as u64));
    group.sample_size(10);
    group.bench_function(BenchmarkId::from_parameter("dependent"), |b| {
        b.iter(|| {
            // The class is far below KEYS: it moves the next key only as far as the compiler fears.
            let step = |at: usize, i: usize| next(find(keys[(i + at) & (KEYS - 1)]));
            black_box((0..KEYS).fold(0, step))
        });
    });
    group.bench_function(BenchmarkId::from_parameter("independent"), |b| {
        b.iter(|| keys.iter().map(|&key| u64::from(find(key).0)).sum::<u64>());
    });
    group.bench_function(BenchmarkId::from_parameter("batch"), |b| {
        let mut classes = [ClassId(0); BATCH];
        b.iter(|| {
            for keys in keys.chunks_exact(BATCH) {
                find_batch(keys, &mut classes);
                black_box(&classes);
            }
        });
    });
    group.finish();
}

fn tables(c: &mut Criterion) {
    let geo = Geo::load(&files(), &[]).unwrap();
    let all = geo.keys();
    let (v4, v6) = (classes(&all.v4), classes(&all.v6));
    let (four, six) = (Dir24_8::compile(&v4).unwrap(), Six::compile(&v6).unwrap());
    println!(
        "{} + {} ranges, {} classes; DIR-24-8 {} bytes, IPv6 {} bytes, origins {} bytes",
        v4.len(),
        v6.len(),
        all.keys.len(),
        four.memory_bytes(),
        six.memory_bytes(),
        geo.origins().memory_bytes(),
    );
    let next = |class: ClassId| class.0 as usize >> 31;
    let (keys4, keys6) = (keys(&all.v4, &all), keys(&all.v6, &all));
    arms(c, "v4", &keys4, |key| four.find(key), |keys, out| four.find_batch(keys, out), next);
    arms(c, "v6", &keys6, |key| six.find(key), |keys, out| six.find_batch(keys, out), next);

    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("load", |b| b.iter(|| Geo::load(&files(), &[]).is_ok()));
    group.bench_function("keys", |b| b.iter(|| geo.keys().keys.len()));
    group.bench_function("v4", |b| b.iter(|| Dir24_8::compile(&v4).is_ok()));
    group.bench_function("v6", |b| b.iter(|| Six::compile(&v6).is_ok()));
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
