//! What changes between two policies and between two databases.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use lookup::diff::{Flips, Size, flips, written};
use lookup::{Ask, Loaded, Moment, Policy, Revision};
use tempfile::TempDir;

const NOW: Moment = Moment(1_790_000_000);

fn loaded(folder: &Path, text: &str) -> Loaded {
    Loaded::of(&folder.join("policy.toml"), text.to_owned(), NOW, Revision(1)).unwrap()
}

fn lines(old: &str, new: &str) -> Vec<String> {
    let parse = |text: &str| Policy::parse(Path::new("p.toml"), text.to_owned()).unwrap().0;
    written(&parse(old), &parse(new)).iter().map(ToString::to_string).collect()
}

fn compare(old: &Loaded, new: &Loaded) -> Flips {
    flips((&old.policy, &old.geo), (&new.policy, &new.geo), NOW).unwrap()
}

const OLD: &str = r#"
failsafe = ["203.0.113.7"]

[geo]
canaries = { "9.9.9.9" = "US" }

[[override]]
network = "198.51.100.0/24"
country = "DE"
reason  = "branch"

[group.office]
networks  = ["198.51.100.0/24"]
countries = ["DE"]

[group.europe]
countries = ["DE", "FR"]
asns      = [3320]

[group.all]
any_of = ["office", "europe"]
except = ["unknown"]

[domain.web]
allow = ["all", "europe"]
deny  = ["private"]

[[domain.web.service]]
name     = "https"
networks = ["192.0.2.1"]
proto    = "tcp"
ports    = ["443", "8000-8010"]

[[domain.web.exception]]
name     = "audit"
networks = ["203.0.113.0/24"]
until    = 2027-01-01
owner    = "ann"
reason   = "audit"

[egress]
allow = ["anyone"]
"#;

#[test]
fn each_change_is_one_line_in_the_policys_own_terms() {
    // What is replaced, by what, and the lines.
    let cases: [(&str, &str, &[&str]); 22] = [
        (
            "203.0.113.7",
            "203.0.113.8",
            &["- failsafe: network 203.0.113.7/32", "+ failsafe: network 203.0.113.8/32"],
        ),
        (
            "\"9.9.9.9\"",
            "\"8.8.8.8\"",
            &["- geo: canary 9.9.9.9 = US", "+ geo: canary 8.8.8.8 = US"],
        ),
        ("[geo]", "[geo]\nmax_flips = 0.5", &["- geo: max_flips 0.02", "+ geo: max_flips 0.5"]),
        ("[geo]", "[geo]\nmax_age_days = 9", &["- geo: max_age_days 45", "+ geo: max_age_days 9"]),
        (
            "country = \"DE\"\nreason",
            "asn = 64500\nreason",
            &["- override 198.51.100.0/24: country DE", "+ override 198.51.100.0/24: asn 64500"],
        ),
        ("reason  = \"branch\"", "", &["- override 198.51.100.0/24: reason branch"]),
        ("\"FR\"]", "\"IT\"]", &["- group europe: countries FR", "+ group europe: countries IT"]),
        ("[3320]", "[3320, 64500]", &["+ group europe: asns 64500"]),
        ("networks  = [\"198.51.100.0/24\"]\n", "", &["- group office: networks 198.51.100.0/24"]),
        ("except = [\"unknown\"]", "", &["- group all: except unknown"]),
        ("any_of = [\"office\", \"europe\"]", "any_of = [\"europe\", \"office\"]", &[]),
        (
            "[domain.web]",
            "[domain.web]\nmode = \"shadow\"",
            &["- domain web: mode enforce", "+ domain web: mode shadow"],
        ),
        (
            "[domain.web]",
            "[domain.web]\nexposure = \"external\"",
            &["- domain web: exposure internal", "+ domain web: exposure external"],
        ),
        ("[domain.web]", "[domain.web]\nvlans = [3]", &["+ domain web: vlans 3"]),
        (
            "deny  = [\"private\"]",
            "deny = [\"private\", \"unknown\"]",
            &["+ domain web: deny unknown"],
        ),
        (
            "8000-8010",
            "8000-8011",
            &["- service web/https: ports 8000-8010", "+ service web/https: ports 8000-8011"],
        ),
        (
            "\"tcp\"",
            "\"udp\"",
            &["- service web/https: proto tcp", "+ service web/https: proto udp"],
        ),
        (
            "192.0.2.1",
            "192.0.2.2",
            &[
                "- service web/https: networks 192.0.2.1/32",
                "+ service web/https: networks 192.0.2.2/32",
            ],
        ),
        (
            "2027-01-01",
            "2027-01-02",
            &[
                "- exception web/audit: until 2027-01-01T00:00:00Z",
                "+ exception web/audit: until 2027-01-02T00:00:00Z",
            ],
        ),
        (
            "\"ann\"",
            "\"bob\"",
            &["- exception web/audit: owner ann", "+ exception web/audit: owner bob"],
        ),
        ("[egress]\nallow = [\"anyone\"]", "", &["- egress: allow anyone"]),
        (
            "[egress]",
            "[group.new]\nasns = [1, 2]\ncountries = [\"DE\"]\n[egress]",
            &["+ group new (countries DE, asns 1 2)"],
        ),
    ];
    assert_eq!(lines(OLD, OLD), [""; 0]);
    for (from, to, expected) in cases {
        assert!(OLD.contains(from), "{from}");
        let new = OLD.replacen(from, to, 1);
        assert_eq!(lines(OLD, &new), expected, "{from} -> {to}");
        // The other way round each line has the other sign.
        let swap = |line: &String| match line.split_at(1) {
            ("-", rest) => format!("+{rest}"),
            (_, rest) => format!("-{rest}"),
        };
        let mut back: Vec<String> = lines(&new, OLD).iter().map(swap).collect();
        let mut forth: Vec<String> = expected.iter().map(ToString::to_string).collect();
        back.sort();
        forth.sort();
        assert_eq!(back, forth, "{to} -> {from}");
    }
}

/// A small generator: the cases are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        of.iter().copied().filter(|_| self.below(2) == 0).collect()
    }
}

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

const WEB: &str = r#"
[group.europe]
countries = ["DE"]

[domain.web]
MODE
allow = ["europe"]

[[domain.web.service]]
name     = "https"
networks = ["192.0.2.1"]
proto    = "tcp"
ports    = ["443"]
"#;

fn world() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = "198.18.0.0/24,DE\n198.18.1.0/24,FR\n2001:db8::/33,DE\n";
    fs::write(folder.path().join("c.csv"), text).unwrap();
    folder
}

fn web(folder: &TempDir, mode: &str, from: &str, to: &str) -> Loaded {
    let text = format!("[geo]\ncountry = \"c.csv\"\n{}", WEB.replace("MODE", mode));
    loaded(folder.path(), &text.replace(from, to))
}

#[test]
fn a_shadow_is_compared_by_what_it_does_and_two_by_what_they_would_do() {
    let folder = world();
    let (shadow, enforce) = ("mode = \"shadow\"", "mode = \"enforce\"");
    let size = |old: &Loaded, new: &Loaded| {
        let found = compare(old, new);
        found.subjects.first().map(|one| (one.allow_to_drop.ipv4, one.drop_to_allow.ipv4))
    };
    let all = (1_u64 << 32) - 256;
    let as_it_is = |mode| web(&folder, mode, "", "");
    let french = |mode| web(&folder, mode, "\"DE\"", "\"FR\"");
    assert_eq!(size(&as_it_is(enforce), &as_it_is(shadow)), Some((0, all)));
    assert_eq!(size(&as_it_is(shadow), &as_it_is(enforce)), Some((all, 0)));
    assert_eq!(size(&as_it_is(shadow), &french(shadow)), Some((256, 256)));
    assert_eq!(size(&as_it_is(enforce), &french(enforce)), Some((256, 256)));
    assert_eq!(size(&as_it_is(shadow), &french(enforce)), Some((all, 0)));
    assert_eq!(size(&as_it_is(shadow), &as_it_is(shadow)), None);
}

#[test]
fn examples_are_the_largest_spans_and_say_the_country_and_the_rules() {
    let folder = world();
    let found = compare(&web(&folder, "", "", ""), &web(&folder, "", "\"DE\"", "\"FR\""));
    let one = &found.subjects[0];
    let lost = serde_json::to_value(&one.allow_to_drop).unwrap();
    let expected = serde_json::json!({
        "ipv4": 256, "ipv6_48s": 32768,
        "countries": [{"country": "DE", "before": "DE", "ipv4": 256, "ipv6_48s": 32768}],
        "examples": [
            {
                "first": "198.18.0.0", "last": "198.18.0.255", "country": "DE", "before": "DE",
                "rule_before": "allow:europe", "rule": "default"
            },
            {
                "first": "2001:db8::", "last": "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
                "country": "DE", "before": "DE", "rule_before": "allow:europe", "rule": "default"
            }
        ]
    });
    assert_eq!(lost, expected);
    assert_eq!(found.placed, Size { ipv4: 512, ipv6_48s: 32768 });
    assert_eq!(found.any, Size { ipv4: 512, ipv6_48s: 32768 });
}

#[test]
fn a_service_that_moves_comes_or_goes_is_a_subject_of_its_own() {
    let folder = world();
    let old = web(&folder, "", "", "");
    let other = "[domain.www]\nallow = []\n[[domain.www.service]]";
    let cases = [
        // Renamed in place: the same subject.
        ("name     = \"https\"", "name = \"tls\"", ("web", "web", "https")),
        // Its domain is another one.
        ("[[domain.web.service]]", other, ("web", "www", "https")),
    ];
    for (from, to, (before, after, name)) in cases {
        // Everybody flips: Germans lose, and nobody gains.
        let new = web(&folder, "", from, to);
        let new = loaded(folder.path(), &new.policy.source().text.replace("[\"DE\"]", "[\"US\"]"));
        let found = compare(&old, &new);
        let one = &found.subjects[0];
        let shown = (one.subject.before.as_deref(), one.subject.after.as_deref());
        assert_eq!(shown, (Some(before), Some(after)), "{to}");
        assert!(one.subject.services.contains(&name.to_owned()), "{to}: {:?}", one.subject);
        assert_eq!((one.allow_to_drop.ipv4, one.drop_to_allow.ipv4), (256, 0), "{to}");
    }
    let nothing = loaded(folder.path(), "[geo]\ncountry = \"c.csv\"");
    let gone = &compare(&old, &nothing).subjects[0];
    assert_eq!((gone.subject.after.clone(), gone.allow_to_drop.ipv4), (None, 256));
    assert_eq!(gone.allow_to_drop.examples[0].rule, None);
    let new = &compare(&nothing, &old).subjects[0];
    assert_eq!((new.subject.before.clone(), new.drop_to_allow.ipv4), (None, 256));
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

#[test]
fn traffic_that_meets_another_domain_is_named() {
    let folder = world();
    let case = |from: &str, to: &str| -> Vec<(Option<String>, Option<String>, String)> {
        let old = web(&folder, "", "", "");
        let new = loaded(folder.path(), &old.policy.source().text.replace(from, to));
        let of = |one: &lookup::diff::SubjectFlips| {
            let subject = &one.subject;
            (subject.before.clone(), subject.after.clone(), subject.traffic.join("; "))
        };
        compare(&old, &new).subjects.iter().map(of).collect()
    };
    let web = || Some("web".to_owned());
    let gone = |text: &str| (web(), None, text.to_owned());
    let new = |text: &str| (None, web(), text.to_owned());
    let networks = "networks = [\"192.0.2.1\"]";
    for (from, to, expected) in [
        ("\"443\"", "\"444\"", vec![gone("tcp 443"), new("tcp 444")]),
        ("\"443\"", "\"443-445\", \"447\"", vec![new("tcp 444-445; tcp 447")]),
        ("\"443\"", "\"any\"", vec![new("tcp 0-442; tcp 444-65535")]),
        ("\"tcp\"", "\"udp\"", vec![gone("tcp 443"), new("udp 443")]),
        (
            "proto    = \"tcp\"\nports    = [\"443\"]",
            "proto = \"gre\"",
            vec![gone("tcp 443"), new("gre")],
        ),
        (networks, "networks = [\"192.0.2.0/24\"]", vec![new("tcp 443")]),
        // Its halves are the whole.
        (networks, "networks = [\"192.0.2.1/32\"]", vec![]),
        ("[domain.web]", "[domain.web]\nvlans = [7, 9]", vec![gone("tcp 443 in other VLANs")]),
        ("[domain.web]", "[domain.web]\nvlans = [0]", vec![gone("tcp 443 in other VLANs")]),
        ("\"tcp\"", "\"any\"", vec![new("other protocols 443")]),
    ] {
        assert_eq!(case(from, to), expected, "{to}");
    }
    let vlans = |ids: &str| web_in(&folder, ids);
    let found = compare(&vlans("vlans = [7, 9]"), &vlans("vlans = [9, 11]"));
    let traffic: Vec<_> = found.subjects.iter().map(|one| one.subject.traffic.clone()).collect();
    assert_eq!(traffic, [["tcp 443 in VLAN 7"], ["tcp 443 in VLAN 11"]]);
}

fn web_in(folder: &TempDir, vlans: &str) -> Loaded {
    web(folder, "", "[domain.web]", &format!("[domain.web]\n{vlans}"))
}

/// A network whose halves belong to others has no traffic of its own.
#[test]
fn what_no_packet_meets_is_not_compared() {
    let halves = ["192.0.2.0/31", "192.0.2.2/31"];
    let text = |wide: &str| {
        let service = |name: &str, domain: &str, network: &str| {
            format!(
                "[[domain.{domain}.service]]\nname = \"{name}\"\nnetworks = [\"{network}\"]\n\
                 proto = \"tcp\"\nports = [\"80\"]\ncarve_out = true\n"
            )
        };
        let all = ["0.0.0.0/1", "128.0.0.0/1"].map(|half| service(&half[..1], "c", half)).concat();
        format!(
            "[geo]\ncountry = \"c.csv\"\n[group.de]\ncountries = [\"DE\"]\n[domain.a]\nallow = [{wide}]\n\
             [domain.b]\n[domain.c]\n[domain.d]\nallow = [{wide}]\n{}{}{}{}{all}",
            service("wide", "a", "192.0.2.0/30"),
            service("one", "b", halves[0]),
            service("other", "b", halves[1]),
            service("all", "d", "0.0.0.0/0"),
        )
    };
    let folder = world();
    let (old, new) = (loaded(folder.path(), &text("")), loaded(folder.path(), &text("\"de\"")));
    assert!(compare(&old, &new).is_empty(), "{:?}", compare(&old, &new));
}
