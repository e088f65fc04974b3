//! Flips of random policies and databases are those of the packets that the compiled tables judge.

use super::*;

/// All addresses that anything is said of: 198.18.0.0/21 and 2001:db8::/37, which are 2,048 each.
fn network(random: &mut Random) -> String {
    let (v4, bits) = (random.below(2048), 21 + random.below(12));
    if random.below(2) == 0 {
        let first = (0xc612_0000 + v4) & !((1 << (32 - bits)) - 1);
        format!("\"{}/{bits}\"", std::net::Ipv4Addr::from(first as u32))
    } else {
        let bits = 37 + random.below(12);
        let first = v4 & !((1_u64 << (48 - bits)) - 1);
        format!("\"2001:db8:{first:x}::/{bits}\"")
    }
}

fn database(folder: &Path, random: &mut Random) {
    let (mut countries, mut asns) = (String::new(), String::new());
    for _ in 0..30 {
        let country = ["DE", "FR", "US"][random.below(3) as usize];
        let _ = writeln!(countries, "{},{country}", network(random).replace('"', ""));
        let _ = writeln!(asns, "{},{}", network(random).replace('"', ""), 1 + random.below(3));
    }
    fs::write(folder.join("country.csv"), countries).unwrap();
    fs::write(folder.join("asn.csv"), asns).unwrap();
}

/// A policy over groups g0 to g3, domains a and b, and services s0 to s3, each at an address of its
/// own in one of the two, or in none.
fn policy(random: &mut Random) -> String {
    let mut text = String::from("[geo]\ncountry = \"country.csv\"\nasn = \"asn.csv\"\n");
    for group in 0..4 {
        let _ = writeln!(text, "[group.g{group}]");
        match random.below(4) {
            0 => {
                let _ =
                    writeln!(text, "countries = [\"{}\"]", ["DE", "FR"][random.below(2) as usize]);
            }
            1 => {
                let _ = writeln!(text, "asns = [{}]", 1 + random.below(3));
            }
            2 => {
                let _ = writeln!(text, "networks = [{}]\ncountries = [\"US\"]", network(random));
            }
            _ => {
                let (one, other) = (network(random), network(random));
                let _ = writeln!(text, "networks = [{one}, {other}]");
            }
        }
        if group > 0 && random.below(3) == 0 {
            let _ = writeln!(text, "except = [\"g{}\"]", random.below(group));
        }
    }
    let names = ["g0", "g1", "g2", "g3"];
    let home: Vec<u64> = (0..4).map(|_| random.below(3)).collect();
    for (place, domain) in ["a", "b"].iter().enumerate() {
        let (allow, deny) = (random.some(&names), random.some(&names[..1]));
        let mode = if random.below(4) == 0 { "shadow" } else { "enforce" };
        let _ = writeln!(
            text,
            "[domain.{domain}]\nallow = {allow:?}\ndeny = {deny:?}\nmode = \"{mode}\""
        );
        for (service, _) in home.iter().enumerate().filter(|(_, home)| **home == place as u64) {
            let _ = writeln!(
                text,
                "[[domain.{domain}.service]]\nname = \"s{service}\"\nproto = \"tcp\"\n\
                 networks = [\"192.0.2.{service}\", \"2001:db8:ffff::{service}\"]\nports = [\"443\"]"
            );
        }
        if random.below(2) == 0 {
            let until = ["2001-01-01", "2099-01-01"][random.below(2) as usize];
            let _ = writeln!(
                text,
                "[[domain.{domain}.exception]]\nname = \"e\"\nnetworks = [{}]\nuntil = {until}\n\
                 owner = \"o\"\nreason = \"r\"",
                network(random)
            );
        }
    }
    let _ = writeln!(text, "[egress]\nallow = {:?}", random.some(&names));
    text
}

/// What a gateway does with a packet: judged by the compiled tables, which the comparison is not.
fn goes_on(loaded: &Loaded, from: &str, service: Option<usize>, both_shadow: bool) -> bool {
    let v6 = from.contains(':');
    let line = match service {
        Some(number) if v6 => format!("{from} 2001:db8:ffff::{number} tcp 443"),
        Some(number) => format!("{from} 192.0.2.{number} tcp 443"),
        None if v6 => format!("2001:db8:fffe::1 {from} tcp 80 inside"),
        None => format!("192.0.3.1 {from} tcp 80 inside"),
    };
    let answer = loaded.ruleset.explain(&Ask::parse_line(&line).unwrap());
    answer.verdict == "allow" || (answer.shadow && !both_shadow)
}

/// Whether a service is in a shadow domain.
fn shadow(loaded: &Loaded, service: usize) -> bool {
    let to = format!("192.0.2.9 192.0.2.{service} tcp 443");
    loaded.ruleset.explain(&Ask::parse_line(&to).unwrap()).shadow
}

fn check(old: &Loaded, new: &Loaded, case: &str) {
    let found = compare(old, new);
    let mut any = [vec![false; 2048], vec![false; 2048]];
    for service in [None, Some(0), Some(1), Some(2), Some(3)] {
        let both = service.is_some_and(|it| shadow(old, it) && shadow(new, it));
        // Lost and gained, IPv4 and IPv6.
        let mut expected = [[0; 2]; 2];
        for (family, any) in any.iter_mut().enumerate() {
            for (number, any) in any.iter_mut().enumerate() {
                let from = match family {
                    0 => std::net::Ipv4Addr::from(0xc612_0000 + number as u32).to_string(),
                    _ => format!("2001:db8:{number:x}::99"),
                };
                let was = goes_on(old, &from, service, both);
                let is = goes_on(new, &from, service, both);
                if was != is {
                    expected[usize::from(is)][family] += 1;
                    *any = true;
                }
            }
        }
        let name = service.map(|number| format!("s{number}"));
        let of = found.subjects.iter().find(|one| match &name {
            Some(name) => one.subject.services.contains(name),
            None => one.subject.egress,
        });
        let sizes = of.map_or([[0; 2]; 2], |one| {
            [&one.allow_to_drop, &one.drop_to_allow].map(|it| [it.ipv4, it.ipv6_48s])
        });
        assert_eq!(sizes, expected, "{case}, service {service:?}: {of:#?}");
        for extent in of.iter().flat_map(|one| [&one.allow_to_drop, &one.drop_to_allow]) {
            let sum =
                |of: fn(&lookup::diff::ByCountry) -> u64| extent.countries.iter().map(of).sum();
            assert_eq!((extent.ipv4, extent.ipv6_48s), (sum(|it| it.ipv4), sum(|it| it.ipv6_48s)));
            assert_eq!(extent.is_empty(), extent.examples.is_empty(), "{case}");
        }
    }
    // A shadow that is one no longer flips what nobody here asks of: the unplaced rest.
    let count = |family: usize| any[family].iter().filter(|flag| **flag).count() as u64;
    let counted = Size { ipv4: count(0), ipv6_48s: count(1) };
    assert_eq!((found.any, found.is_empty()), (counted, counted == Size::default()), "{case}");
}

/// Policies in which no domain changes its mode, so that nothing outside the small world flips.
fn steady(random: &mut Random) -> String {
    policy(random).replace("shadow", "enforce")
}

#[test]
fn flips_are_those_that_the_compiled_tables_show() {
    let mut random = Random(5);
    for case in 0..24 {
        let folder = tempfile::tempdir().unwrap();
        database(folder.path(), &mut random);
        let old = loaded(folder.path(), &steady(&mut random));
        if case % 2 == 0 {
            // Another database under the same policy.
            let text = old.policy.source().text.clone();
            database(folder.path(), &mut random);
            check(&old, &loaded(folder.path(), &text), &format!("database {case}"));
        } else {
            let new = loaded(folder.path(), &steady(&mut random));
            check(&old, &new, &format!("policy {case}"));
        }
    }
}

/// A packet's address, VLAN and port, and what it is called.
const HOSTS: [&str; 3] = ["192.0.2.0", "192.0.2.1", "192.0.2.2"];

/// A policy in which everything that says what a service is differs from case to case.
fn laid(random: &mut Random) -> String {
    let mut text = String::from(
        "failsafe = [\"198.18.2.0/24\"]\n[geo]\ncountry = \"c.csv\"\n[group.de]\ncountries = [\"DE\"]\n\
         [group.fr]\ncountries = [\"FR\"]\n",
    );
    for domain in ["a", "b"] {
        let _ = writeln!(text, "[domain.{domain}]\nallow = {:?}", random.some(&["de", "fr"]));
        let vlans = random.some(&["0", "7", "9"]);
        if !vlans.is_empty() && random.below(2) == 0 {
            let _ = writeln!(text, "vlans = [{}]", vlans.join(", "));
        }
        for service in 0..random.below(3) {
            let networks = ["192.0.2.0/30", "192.0.2.0/31", "192.0.2.1", "192.0.2.2/31"];
            let network = networks[random.below(4) as usize];
            let proto = ["tcp", "udp", "any", "gre"][random.below(4) as usize];
            let ports = ["\"any\"", "\"80\"", "\"80-89\", \"443\"", "\"85-500\""];
            let ports = ports[random.below(4) as usize];
            let ports = if proto == "gre" { String::new() } else { format!("ports = [{ports}]") };
            let _ = writeln!(
                text,
                "[[domain.{domain}.service]]\nname = \"{domain}{service}\"\nproto = \"{proto}\"\n\
                 networks = [\"{network}\"]\ncarve_out = true\n{ports}"
            );
        }
    }
    text
}

/// Whatever of a service changes, the flips are those of the packets that the compiled tables judge.
#[test]
fn flips_of_networks_ports_protocols_and_vlans_are_those_of_all_packets() {
    let folder = world();
    let mut random = Random(11);
    let valid = |random: &mut Random| loop {
        let text = laid(random);
        let path = folder.path().join("policy.toml");
        if let Ok(loaded) = Loaded::of(&path, text, NOW, Revision(1)) {
            return loaded;
        }
    };
    let sources = ["198.18.0.1", "198.18.1.1", "198.18.2.1", "198.18.3.1"];
    let mut flipped = 0;
    for case in 0..60 {
        let (old, new) = (valid(&mut random), valid(&mut random));
        // Who loses and gains, by the domains that the packet meets.
        let mut expected =
            std::collections::BTreeMap::<_, [std::collections::BTreeSet<&str>; 2]>::new();
        for (host, from) in HOSTS.iter().flat_map(|host| sources.map(|from| (host, from))) {
            for vlan in [0, 7, 9, 100] {
                for (proto, port) in [
                    ("tcp", "79"),
                    ("tcp", "80"),
                    ("tcp", "84"),
                    ("tcp", "86"),
                    ("tcp", "443"),
                    ("tcp", "501"),
                    ("udp", "80"),
                    ("udp", "87"),
                    ("gre", "-"),
                    ("esp", "-"),
                    ("sctp", "80"),
                ] {
                    let line = format!("{from} {host} {proto} {port} vlan={vlan}");
                    let ask = Ask::parse_line(&line).unwrap();
                    let [was, is] = [&old, &new].map(|it| it.ruleset.explain(&ask));
                    let allowed = [&was, &is].map(|answer| answer.verdict == "allow");
                    if allowed[0] != allowed[1] {
                        let key = (was.domain.clone(), is.domain.clone());
                        expected.entry(key).or_default()[usize::from(allowed[1])].insert(from);
                    }
                }
            }
        }
        let found = compare(&old, &new);
        let shown: std::collections::BTreeMap<_, _> = found
            .subjects
            .iter()
            .map(|one| {
                let examples = [&one.allow_to_drop, &one.drop_to_allow].map(|extent| {
                    let holds = |from: &&str| {
                        let at = |text: &str| text.parse::<std::net::Ipv4Addr>().ok();
                        let from = at(from);
                        extent
                            .examples
                            .iter()
                            .any(|it| at(&it.first) <= from && from <= at(&it.last))
                    };
                    sources.into_iter().filter(holds).collect()
                });
                ((one.subject.before.clone(), one.subject.after.clone()), examples)
            })
            .collect();
        flipped += shown.len();
        let texts = [&old, &new].map(|it| it.policy.source().text.clone());
        assert_eq!(shown, expected, "case {case}:\n{}\n----\n{}", texts[0], texts[1]);
    }
    assert!(flipped > 60, "{flipped}");
}
