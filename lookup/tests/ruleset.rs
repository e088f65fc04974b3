//! Compiled rulesets against a slow judge, for random policies at random and boundary addresses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use lookup::policy::Policy;
use lookup::{Ask, Judgement, Proto, Query, Revision, Ruleset, Side, Verdict};

mod model;
#[path = "model/random.rs"]
mod random;

use model::{Model, Said};
use random::Rng;

/// Random policies; each is asked some thousand questions.
const SEEDS: u64 = 160;

fn write(folder: &Path, model: &Model) -> std::path::PathBuf {
    let lines = |list: Vec<String>| list.join("\n") + "\n";
    let countries = model.countries.iter().map(|(net, country)| format!("{net},{country}"));
    let operators = model.operators.iter().map(|(net, asn)| format!("{net},{asn}"));
    fs::write(folder.join("country.csv"), lines(countries.collect())).unwrap();
    fs::write(folder.join("asn.csv"), lines(operators.collect())).unwrap();
    let path = folder.join("policy.toml");
    fs::write(&path, model.toml()).unwrap();
    path
}

fn said(ruleset: &Ruleset, judgement: Judgement) -> Said {
    let legend = ruleset.legend();
    let (verdict, reason) = match judgement.verdict {
        Verdict::Allow => ("allow", None),
        Verdict::Drop(reason) => ("drop", Some(reason.as_str())),
    };
    Said {
        verdict,
        reason,
        domain: judgement.domain.map(|id| legend.domain_name(id).to_owned()),
        service: judgement.service.map(|id| legend.service_name(id).to_owned()),
        rule: judgement.rule.map(|id| legend.rule_text(id).to_owned()),
        egress: judgement.egress,
        shadow: judgement.shadow,
    }
}

/// Every address that something begins or ends at, and some between.
fn addresses(model: &Model, rng: &mut Rng) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = model.nets().iter().flat_map(model::Net::edges).collect();
    let fixed = ["9.255.255.255", "172.15.255.255", "172.32.0.0", "::ffff:10.2.0.1", "fe80::1"];
    addresses.extend(fixed.iter().map(|text| text.parse::<IpAddr>().unwrap()));
    addresses.extend((0..40).map(|_| random::any_address(rng)));
    addresses
}

const PROTOS: [(&str, Proto); 5] = [
    ("tcp", Proto::TCP),
    ("udp", Proto::UDP),
    ("sctp", Proto::SCTP),
    ("icmp", Proto::ICMP),
    ("47", Proto(47)),
];

fn compare(seed: u64, model: &Model, ruleset: &Ruleset) {
    let rng = &mut Rng(!seed);
    let addresses = addresses(model, rng);
    let ports = [0, 1, 2, 79, 80, 81, 254, 255, 256, 257, 511, 512, 768, 1700, 65279, 65280, 65535];
    for index in 0..3000 {
        let remote = match addresses.get(index) {
            Some(address) => *address,
            None => *rng.pick(&addresses),
        };
        let local = *rng.pick(&addresses);
        if local.is_ipv4() != remote.is_ipv4() {
            continue;
        }
        let (name, proto) = *rng.pick(&PROTOS);
        let port = if rng.one_in(8) { rng.next() as u16 } else { *rng.pick(&ports) };
        let side = if rng.one_in(2) { Side::Inside } else { Side::Outside };
        let (class, there) = (ruleset.class(remote), ruleset.class(local));
        let query = Query {
            side,
            remote: class,
            local: there,
            proto,
            local_port: port,
            vlan: ruleset.vlan(0),
        };
        let expected = model.judge(side == Side::Inside, remote, local, name, port);
        let asked =
            || format!("seed {seed}: {side:?} {remote} {local} {name} {port}\n{}", model.toml());
        assert_eq!(said(ruleset, ruleset.judge(query)), expected, "{}", asked());
        assert_eq!(said(ruleset, ruleset.judge_reply(class)), model.reply(remote), "{}", asked());
        assert_eq!(
            ruleset.class_country(class).map(|country| country.to_string()).as_deref(),
            model.country(remote),
            "{}",
            asked()
        );

        let ask = match side {
            Side::Outside => Ask {
                from: remote,
                from_port: None,
                to: local,
                to_port: port,
                proto,
                side,
                vlan: 0,
            },
            Side::Inside => Ask {
                from: local,
                from_port: Some(port),
                to: remote,
                to_port: 9,
                proto,
                side,
                vlan: 0,
            },
        };
        let explained = ruleset.explain(&ask);
        assert_eq!(explained.verdict, expected.verdict, "{}", asked());
        assert_eq!(explained.rule, expected.rule, "{}", asked());
        assert_eq!(explained.service, expected.service, "{}", asked());
        assert_eq!(explained.source.groups, model.groups_of(remote), "{}", asked());
        assert_eq!(explained.source.asn, model.asn(remote), "{}", asked());
        assert_eq!(explained.source.country.as_deref(), model.country(remote), "{}", asked());
    }
}

#[test]
fn random_policies_agree_with_the_slow_judge() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..SEEDS {
        let model = random::model(seed);
        let path = write(folder.path(), &model);
        match Ruleset::load(&path, Revision(7)) {
            Ok((ruleset, _)) => {
                assert!(!model.conflict(), "seed {seed} has a conflict\n{}", model.toml());
                compare(seed, &model, &ruleset);
                accepted += 1;
            }
            Err(error) => {
                assert!(model.conflict(), "seed {seed}: {error}\n{}", model.toml());
                assert!(error.to_string().contains("both claim"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(accepted > SEEDS / 2 && refused > SEEDS / 50, "{accepted} of {SEEDS}, {refused}");
}

#[test]
fn batches_say_what_single_lookups_say() {
    let folder = tempfile::tempdir().unwrap();
    let model = (0..).map(random::model).find(|model| !model.conflict()).unwrap();
    let (ruleset, _) = Ruleset::load(&write(folder.path(), &model), Revision(1)).unwrap();
    let rng = &mut Rng(5);
    let (mut four, mut six): (Vec<u32>, Vec<u128>) = (Vec::new(), Vec::new());
    for address in addresses(&model, rng) {
        match address {
            IpAddr::V4(address) => four.push(address.into()),
            IpAddr::V6(address) => six.push(address.into()),
        }
    }
    let mut classes = vec![lookup::ClassId(0); four.len()];
    ruleset.classes_v4(&four, &mut classes);
    assert!(four.iter().zip(&classes).all(|(&a, &class)| ruleset.class_v4(a) == class));
    let mut classes = vec![lookup::ClassId(0); six.len()];
    ruleset.classes_v6(&six, &mut classes);
    assert!(six.iter().zip(&classes).all(|(&a, &class)| ruleset.class_v6(a) == class));
}

#[test]
fn a_thousand_services_stay_small() {
    let mut text = String::from("[egress]\n");
    for domain in 0..10 {
        text += &format!("[domain.d{domain}]\nallow = [\"private\"]\n");
        for service in 0..100 {
            let port = 1 + domain * 5000 + service * 7;
            text += &format!(
                "[[domain.d{domain}.service]]\nname = \"s{service}\"\nproto = \"tcp\"\n\
                 networks = [\"10.{domain}.{service}.0/24\"]\nports = [\"{port}-{}\"]\n",
                port + 300
            );
        }
    }
    let (policy, _) = Policy::parse(Path::new("p.toml"), text).unwrap();
    let geo = lookup::Geo::load(&lookup::GeoFiles::default(), &[]).unwrap();
    let ruleset = Ruleset::compile(&policy, &geo, Revision(1)).unwrap();
    assert!(ruleset.unreached().is_empty());
    let empty = Policy::parse(Path::new("p.toml"), String::new()).unwrap().0;
    let empty = Ruleset::compile(&empty, &geo, Revision(1)).unwrap();
    let more = ruleset.memory_bytes().saturating_sub(empty.memory_bytes());
    assert!(more < 8 << 20, "{more} bytes for 1,000 services");
}

#[test]
fn a_service_that_is_carved_away_is_called_unreached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let text = "[domain.d]\nallow = [\"private\"]\nservice = [\n\
        { name = \"wide\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"1\"] },\n\
        { name = \"low\", networks = [\"10.0.0.0/9\"], proto = \"tcp\", ports = [\"any\"] },\n\
        { name = \"high\", networks = [\"10.128.0.0/9\"], proto = \"any\", ports = [\"1-2\"] },\n]\n";
    fs::write(&path, text).unwrap();
    let (_, warnings) = Ruleset::load(&path, Revision(1)).unwrap();
    let findings: Vec<_> = warnings.iter().map(lookup::Problem::finding).collect();
    let unreached: Vec<_> =
        findings.iter().filter(|one| one.message.contains("no packet reaches")).collect();
    assert_eq!(unreached.len(), 1, "{findings:?}");
    assert_eq!((unreached[0].line, unreached[0].column), (Some(4), Some(10)));
}
