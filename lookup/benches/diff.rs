//! Comparing two policies, and verifying a database, over the embedded country table or the databases
//! that PALISADE_COUNTRY and PALISADE_ASN name.
//!
//! ```text
//! cargo bench -p palisade-lookup --bench diff
//! ```

#![expect(clippy::unwrap_used, reason = "a bench without its tables has nothing to do")]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use lookup::diff::flips;
use lookup::{Geo, GeoFiles, Moment, Override, Policy, verify};

const NOW: Moment = Moment(1_790_000_000);

const POLICY: &str = r#"
[group.europe]
countries = ["DE", "FR", "NL"]

[group.many]
countries = ["US", "CA", "BR", "JP", "IN", "AU", "GB", "PL", "SE", "CH", "AT", "IT", "ES"]

[domain.web]
exposure = "external"
allow = ["europe", "many"]

[[domain.web.service]]
name = "https"
networks = ["192.0.2.1"]
proto = "tcp"
ports = ["443"]

[domain.internal]
allow = ["europe"]
deny = ["many"]

[[domain.internal.service]]
name = "postgres"
networks = ["192.0.2.2"]
proto = "tcp"
ports = ["5432"]
"#;

fn policy(text: String) -> Policy {
    Policy::parse(Path::new("policy.toml"), text).unwrap().0
}

fn bench(c: &mut Criterion) {
    let path = |name| std::env::var_os(name).map(Into::into);
    let files = GeoFiles { country: path("PALISADE_COUNTRY"), asn: path("PALISADE_ASN") };
    let geo = Geo::load(&files, &[]).unwrap();
    let (old, new) = (policy(POLICY.to_owned()), policy(POLICY.replace("\"FR\"", "\"MX\"")));
    c.bench_function("flips/policies", |b| {
        b.iter(|| flips((&old, &geo), (&new, &geo), NOW).unwrap());
    });
    let moved = Override {
        network: "8.0.0.0/8".parse().unwrap(),
        country: lookup::Country::new("DE"),
        asn: None,
        reason: None,
    };
    let other = geo.under(&[moved]);
    c.bench_function("flips/origins", |b| {
        b.iter(|| flips((&old, &geo), (&old, &other), NOW).unwrap());
    });
    c.bench_function("verify/same", |b| {
        b.iter(|| verify(&old, &geo, &other, NOW).unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = bench
}
criterion_main!(benches);
