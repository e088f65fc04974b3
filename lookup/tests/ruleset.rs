//! Compiled rulesets against a slow judge, for random policies at random and boundary addresses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use lookup::policy::Policy;
use lookup::{Ask, Judgement, Moment, Proto, Query, Revision, Ruleset, Side, Verdict, Vlan};

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

/// Ids beside those that policies name, and those that no policy can.
const VLANS: [u16; 14] = [0, 1, 2, 3, 9, 10, 11, 12, 62, 63, 64, 4093, 4094, 4095];

/// An address on the inside, a VLAN and a protocol; most often those of some service, or close by.
fn at(model: &Model, addresses: &[IpAddr], rng: &mut Rng) -> (IpAddr, u16, Proto) {
    let services: Vec<_> =
        model.domains.iter().flat_map(|d| d.services.iter().map(move |one| (d, one))).collect();
    let aimed = (!services.is_empty() && !rng.one_in(3)).then(|| *rng.pick(&services));
    let local = match aimed {
        Some((_, service)) => {
            let edges = rng.pick(&service.networks).edges();
            *rng.pick(&edges)
        }
        None => *rng.pick(addresses),
    };
    let vlan = match aimed.and_then(|(domain, _)| domain.vlans.as_ref()) {
        Some(list) if !rng.one_in(3) => *rng.pick(list),
        _ if rng.one_in(8) => rng.next() as u16 & 4095,
        _ => *rng.pick(&VLANS),
    };
    let named = aimed.and_then(|(_, service)| model::number(service.proto));
    let number = match named.filter(|_| !rng.one_in(3)) {
        Some(number) => number,
        None if rng.one_in(4) => rng.next() as u8,
        None => rng.pick(&model::PROTOS).1,
    };
    // ICMPv6 is asked for as ICMP.
    (local, vlan, Proto(number).folded())
}

/// Answers how often the VLAN made a difference.
fn compare(seed: u64, model: &Model, ruleset: &Ruleset) -> usize {
    let mut by_vlan = 0;
    let rng = &mut Rng(!seed);
    let addresses = addresses(model, rng);
    let ports = [0, 1, 2, 79, 80, 81, 254, 255, 256, 257, 511, 512, 768, 1700, 65279, 65280, 65535];
    for index in 0..3000 {
        let remote = match addresses.get(index) {
            Some(address) => *address,
            None => *rng.pick(&addresses),
        };
        let (local, vlan, proto) = at(model, &addresses, rng);
        if local.is_ipv4() != remote.is_ipv4() {
            continue;
        }
        let port = if rng.one_in(8) { rng.next() as u16 } else { *rng.pick(&ports) };
        let side = if rng.one_in(2) { Side::Inside } else { Side::Outside };
        let (class, there) = (ruleset.class(remote), ruleset.class(local));
        let query = Query {
            side,
            remote: class,
            local: there,
            proto,
            local_port: port,
            vlan: ruleset.vlan(vlan),
        };
        let expected = model.judge(side == Side::Inside, remote, local, vlan, proto.0, port);
        let elsewhere = model.judge(side == Side::Inside, remote, local, 4095, proto.0, port);
        by_vlan += usize::from(elsewhere != expected);
        let asked = || {
            format!(
                "seed {seed}: {side:?} {remote} {local} {vlan} {proto:?} {port}\n{}",
                model.toml()
            )
        };
        assert_eq!(said(ruleset, ruleset.judge(query)), expected, "{}", asked());
        assert_eq!(said(ruleset, ruleset.judge_reply(class)), model.reply(remote), "{}", asked());
        assert_eq!(
            ruleset.class_country(class).map(|country| country.to_string()).as_deref(),
            model.country(remote),
            "{}",
            asked()
        );

        let ask = match side {
            Side::Outside => {
                Ask { from: remote, from_port: None, to: local, to_port: port, proto, side, vlan }
            }
            Side::Inside => Ask {
                from: local,
                from_port: Some(port),
                to: remote,
                to_port: 9,
                proto,
                side,
                vlan,
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
    by_vlan
}

#[test]
fn random_policies_agree_with_the_slow_judge() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accepted, mut refused, mut by_vlan) = (0, 0, 0);
    for seed in 0..SEEDS {
        let model = random::model(seed);
        let path = write(folder.path(), &model);
        match Ruleset::load(&path, Moment::default(), Revision(7)) {
            Ok((ruleset, _)) => {
                assert!(!model.conflict(), "seed {seed} has a conflict\n{}", model.toml());
                by_vlan += compare(seed, &model, &ruleset);
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
    assert!(by_vlan > 10_000, "the VLAN made a difference {by_vlan} times");
}

#[test]
fn batches_say_what_single_lookups_say() {
    let folder = tempfile::tempdir().unwrap();
    let model = (0..).map(random::model).find(|model| !model.conflict()).unwrap();
    let (ruleset, _) =
        Ruleset::load(&write(folder.path(), &model), Moment::default(), Revision(1)).unwrap();
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
fn only_named_vlans_are_told_apart() {
    let named = |list: &str| {
        let text = format!("[domain.a]\nvlans = {list}\n[domain.b]\nvlans = [7]\n[domain.c]\n");
        let (policy, _) = Policy::parse(Path::new("p.toml"), text).unwrap();
        let geo = lookup::Geo::load(&lookup::GeoFiles::default(), &[]).unwrap();
        Ruleset::compile(&policy, &geo, Moment::default(), Revision(1)).unwrap()
    };
    // An id that nobody names is what no tag is; who names 0 means no tag alone.
    for (list, ids, other) in [
        ("[1]", vec![1, 7], Vlan::NONE),
        ("[63, 64, 4094]", vec![7, 63, 64, 4094], Vlan::NONE),
        ("[0]", vec![0, 7], Vlan(4095)),
    ] {
        let ruleset = named(list);
        for id in 0..=4095 {
            let expected = if ids.contains(&id) { Vlan(id) } else { other };
            assert_eq!(ruleset.vlan(id), expected, "{list} {id}");
            assert_eq!(ruleset.vlan(id | 0xf000), expected, "priority bits of {id}");
        }
    }
}

/// Tenants with one address plan, each in its VLAN.
#[test]
fn four_thousand_tenants_share_an_address() {
    let mut text = String::new();
    for id in 1..=4094 {
        text += &format!(
            "[domain.t{id}]\nallow = [\"private\"]\nvlans = [{id}]\nservice = [{{ name = \"s\", \
             proto = \"tcp\", networks = [\"10.0.0.0/24\"], ports = [\"80\"] }}]\n"
        );
    }
    let (policy, _) = Policy::parse(Path::new("p.toml"), text).unwrap();
    let geo = lookup::Geo::load(&lookup::GeoFiles::default(), &[]).unwrap();
    let ruleset = Ruleset::compile(&policy, &geo, Moment::default(), Revision(1)).unwrap();
    assert!(ruleset.unreached().is_empty());
    for vlan in 0..=4095 {
        let ask = Ask::parse_line(&format!("10.9.9.9 10.0.0.255 tcp 80 vlan={vlan}")).unwrap();
        let domain = ruleset.explain(&ask).domain;
        let expected = (1..=4094).contains(&vlan).then(|| format!("t{vlan}"));
        assert_eq!(domain, expected, "VLAN {vlan}");
    }
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
    let ruleset = Ruleset::compile(&policy, &geo, Moment::default(), Revision(1)).unwrap();
    assert!(ruleset.unreached().is_empty());
    let empty = Policy::parse(Path::new("p.toml"), String::new()).unwrap().0;
    let empty = Ruleset::compile(&empty, &geo, Moment::default(), Revision(1)).unwrap();
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
    let (_, warnings) = Ruleset::load(&path, Moment::default(), Revision(1)).unwrap();
    let findings: Vec<_> = warnings.iter().map(lookup::Problem::finding).collect();
    let unreached: Vec<_> =
        findings.iter().filter(|one| one.message.contains("no packet reaches")).collect();
    assert_eq!(unreached.len(), 1, "{findings:?}");
    assert_eq!((unreached[0].line, unreached[0].column), (Some(4), Some(10)));
}
