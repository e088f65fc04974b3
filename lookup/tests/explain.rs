//! Questions as people write them, and the JSON that answers them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use lookup::{Ask, Moment, Proto, Revision, Ruleset, Side};
use serde_json::{Value, json};

const POLICY: &str = r#"
failsafe = ["198.51.100.7/32"]

[geo]
country = "country.csv"
asn = "asn.csv"

[[override]]
network = "203.0.113.0/24"
country = "DE"
asn = 64500

[group.office]
networks = ["198.51.100.0/24", "2001:db8::/32"]
countries = ["DE"]

[group.europe]
countries = ["DE", "FR"]

[group.tor]
networks = ["203.0.113.9"]

[group.staff]
any_of = ["office", "europe"]
except = ["unknown", "tor"]

[domain.internal]
allow = ["staff"]
deny = ["tor"]

[[domain.internal.service]]
name = "postgres"
networks = ["10.2.0.0/24"]
proto = "tcp"
ports = ["5432", "6000-6010"]

[[domain.internal.service]]
name = "ping"
networks = ["10.2.0.0/24", "2001:db8:1::/48"]
proto = "icmp"

[domain.web]
exposure = "external"
mode = "shadow"
allow = ["europe"]

[[domain.web.service]]
name = "https"
networks = ["10.3.0.1", "2001:db8:1::1"]
proto = "tcp"
ports = ["443"]

[egress]
allow = ["europe"]
deny = ["tor"]
"#;

fn ruleset() -> Ruleset {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("country.csv", "192.0.2.0/24,FR\n2001:db8::/33,DE\n203.0.0.0/8,US\n");
    write("asn.csv", "192.0.2.0/25,3320\n");
    write("policy.toml", POLICY);
    Ruleset::load(&folder.path().join("policy.toml"), Moment::default(), Revision(3)).unwrap().0
}

fn explain(ruleset: &Ruleset, line: &str) -> Value {
    serde_json::to_value(ruleset.explain(&Ask::parse_line(line).unwrap())).unwrap()
}

#[test]
fn the_answer_has_the_fields_of_the_contract() {
    let ruleset = ruleset();
    assert_eq!(
        explain(&ruleset, "192.0.2.1 10.2.0.5 tcp 6010"),
        json!({
            "verdict": "allow", "domain": "internal", "service": "postgres",
            "rule": "allow:staff", "reason": null, "exception": null, "revision": 3,
            "shadow": false, "egress": false, "vlan": 0, "judged": "source",
            "source": {
                "ip": "192.0.2.1", "prefix": "192.0.2.0/24", "country": "FR",
                "country_from": "country", "asn": 3320,
                "groups": ["anyone", "europe", "staff"]
            }
        })
    );
    assert_eq!(
        explain(&ruleset, "9.9.9.9 10.9.9.9 udp 53"),
        json!({
            "verdict": "drop", "domain": null, "service": null, "rule": null,
            "reason": "no_service", "exception": null, "revision": 3,
            "shadow": false, "egress": false, "vlan": 0, "judged": "source",
            "source": {
                "ip": "9.9.9.9", "prefix": null, "country": null, "country_from": null,
                "asn": null, "groups": ["anyone", "unknown"]
            }
        })
    );
}

#[test]
fn each_rule_decides_somewhere() {
    let ruleset = ruleset();
    // Line, verdict, rule, reason, service, egress.
    let cases = [
        ("198.51.100.7 10.9.9.9 tcp 1", "allow", "failsafe", "", "", false),
        ("198.51.100.7 10.2.0.5 tcp 5432", "allow", "failsafe", "", "postgres", false),
        ("198.51.100.8 10.2.0.5 tcp 5432", "drop", "default", "not_allowed", "postgres", false),
        ("203.0.113.8 10.2.0.5 tcp 5432", "allow", "allow:staff", "", "postgres", false),
        ("203.0.113.9 10.2.0.5 tcp 5432", "drop", "deny:tor", "denied", "postgres", false),
        ("203.0.112.1 10.2.0.5 tcp 5432", "drop", "default", "not_allowed", "postgres", false),
        ("192.0.2.1 10.2.0.5 tcp 5431", "drop", "", "no_service", "", false),
        ("192.0.2.1 10.2.0.5 udp 5432", "drop", "", "no_service", "", false),
        ("192.0.2.1 10.2.0.5 icmp 0", "allow", "allow:staff", "", "ping", false),
        ("192.0.2.1 10.2.0.5 icmp 8", "allow", "allow:staff", "", "ping", false),
        ("2001:db8::9 2001:db8:1::1 icmpv6 -", "allow", "allow:staff", "", "ping", false),
        ("2001:db8:8000::9 2001:db8:1::1 58 0", "drop", "default", "not_allowed", "ping", false),
        ("2001:db8::9 2001:db8:1::1 tcp 443", "allow", "allow:europe", "", "https", false),
        ("203.0.112.1 10.3.0.1 tcp 443", "drop", "default", "not_allowed", "https", false),
        // From the inside: opened, or a service's reply.
        ("10.2.0.5 192.0.2.1 udp 53 inside", "allow", "egress.allow:europe", "", "", true),
        ("10.2.0.5 203.0.113.9 udp 53 inside", "drop", "egress.deny:tor", "denied", "", true),
        ("10.2.0.5 9.9.9.9 udp 53 inside", "drop", "egress.default", "not_allowed", "", true),
        ("10.2.0.5 198.51.100.7 udp 53 inside", "allow", "failsafe", "", "", true),
        ("10.2.0.5:5432 192.0.2.1 tcp 9 inside", "allow", "allow:staff", "", "postgres", false),
        ("10.2.0.5:5432 9.9.9.9 tcp 9 inside", "drop", "default", "not_allowed", "postgres", false),
        (
            "[2001:db8:1::1]:443 2001:db8::9 tcp 9 inside",
            "allow",
            "allow:europe",
            "",
            "https",
            false,
        ),
        ("10.2.0.5 192.0.2.1 icmp 0 inside", "allow", "allow:staff", "", "ping", false),
    ];
    for (line, verdict, rule, reason, service, egress) in cases {
        let found = explain(&ruleset, line);
        let text = |key: &str| found[key].as_str().unwrap_or("").to_owned();
        let got = (text("verdict"), text("rule"), text("reason"), text("service"));
        let expected = (verdict.into(), rule.into(), reason.into(), service.into());
        assert_eq!((got, found["egress"].as_bool()), (expected, Some(egress)), "{line}");
        let inside = line.ends_with("inside");
        assert_eq!(found["judged"], if inside { "destination" } else { "source" }, "{line}");
        assert_eq!(found["shadow"], service == "https", "{line}");
    }
}

const VLANS: &str = r#"
[[override]]
network = "192.0.2.0/24"
country = "DE"

[group.europe]
countries = ["DE"]

[domain.lab]
vlans = [10, 20]
allow = ["europe"]

[[domain.lab.service]]
name = "ssh"
networks = ["10.0.0.5"]
proto = "tcp"
ports = ["22"]
carve_out = true

[[domain.lab.service]]
name = "tunnel"
networks = ["10.1.0.5"]
proto = "gre"

[domain.all]
allow = ["unknown"]

[[domain.all.service]]
name = "wide"
networks = ["10.0.0.0/16"]
proto = "any"
ports = ["any"]

[[domain.all.service]]
name = "lite"
networks = ["10.1.0.0/16"]
proto = "udplite"
ports = ["5004"]

[domain.blue]
vlans = [30]
allow = ["europe"]

[[domain.blue.service]]
name = "bgp"
networks = ["10.7.0.1"]
proto = "tcp"
ports = ["179"]

[domain.red]
vlans = [31]
allow = ["unknown"]

[[domain.red.service]]
name = "bgp"
networks = ["10.7.0.1"]
proto = "tcp"
ports = ["179"]

[egress]
allow = ["europe"]
"#;

fn vlans(text: &str) -> Ruleset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(folder.path().join("country.csv"), "8.8.8.0/24,US\n").unwrap();
    fs::write(&path, format!("[geo]\ncountry = \"country.csv\"\n{text}")).unwrap();
    Ruleset::load(&path, Moment::default(), Revision(1)).unwrap().0
}

#[test]
fn a_domain_is_seen_from_its_vlans() {
    let ruleset = vlans(VLANS);
    // Line, what decided, domain.
    let cases = [
        ("192.0.2.1 10.1.0.5 gre - vlan=10", "allow:europe", "lab"),
        ("192.0.2.1 10.1.0.5 gre - vlan=20", "allow:europe", "lab"),
        ("192.0.2.1 10.1.0.5 47 7 vlan=20", "allow:europe", "lab"),
        ("192.0.2.1 10.1.0.5 gre -", "no_service", ""),
        ("192.0.2.1 10.1.0.5 gre - vlan=0", "no_service", ""),
        ("192.0.2.1 10.1.0.5 gre - vlan=9", "no_service", ""),
        ("192.0.2.1 10.1.0.5 gre - vlan=30", "no_service", ""),
        ("192.0.2.1 10.1.0.5 gre - vlan=4095", "no_service", ""),
        ("192.0.2.1 10.1.0.5 ipip - vlan=10", "no_service", ""),
        // Carved out in its VLANs; elsewhere the wider service claims it.
        ("192.0.2.1 10.0.0.5 tcp 22 vlan=10", "allow:europe", "lab"),
        ("192.0.2.1 10.0.0.5 tcp 22", "default", "all"),
        ("9.9.9.9 10.0.0.5 tcp 22 vlan=20", "default", "lab"),
        ("9.9.9.9 10.0.0.5 tcp 22 vlan=21", "allow:unknown", "all"),
        ("9.9.9.9 10.0.0.5 255 0 vlan=20", "allow:unknown", "all"),
        // A domain without VLANs is seen from all; UDP-Lite has ports.
        ("9.9.9.9 10.1.2.3 udplite 5004", "allow:unknown", "all"),
        ("9.9.9.9 10.1.2.3 136 5004 vlan=10", "allow:unknown", "all"),
        ("9.9.9.9 10.1.2.3 udplite 5003 vlan=10", "no_service", ""),
        ("9.9.9.9 10.1.2.3 udp 5004", "no_service", ""),
        // One address plan twice.
        ("192.0.2.1 10.7.0.1 tcp 179 vlan=30", "allow:europe", "blue"),
        ("192.0.2.1 10.7.0.1 tcp 179 vlan=31", "default", "red"),
        ("192.0.2.1 10.7.0.1 tcp 179 vlan=32", "no_service", ""),
        ("10.7.0.1:179 192.0.2.1 tcp 9 inside vlan=30", "allow:europe", "blue"),
        ("10.7.0.1:179 192.0.2.1 tcp 9 vlan=31 inside", "default", "red"),
        // Opened from the inside, there it has no service.
        ("10.7.0.1:179 192.0.2.1 tcp 9 inside", "egress.allow:europe", ""),
    ];
    for (line, decided, domain) in cases {
        let found = explain(&ruleset, line);
        let text = |key: &str| found[key].as_str().unwrap_or("").to_owned();
        let by = if found["rule"].is_null() { text("reason") } else { text("rule") };
        assert_eq!((by.as_str(), text("domain").as_str()), (decided, domain), "{line}");
        let id = line
            .split("vlan=")
            .nth(1)
            .map_or(0, |rest| rest.split(' ').next().unwrap().parse::<u16>().unwrap());
        assert_eq!(found["vlan"], id, "{line}");
    }
}

#[test]
fn zero_is_traffic_without_a_vlan_alone() {
    let ruleset = vlans(&VLANS.replace("vlans = [30]", "vlans = [0]"));
    let cases = [(0, Some("blue")), (31, Some("red")), (30, None), (1, None), (4095, None)];
    for (vlan, domain) in cases {
        let found = explain(&ruleset, &format!("192.0.2.1 10.7.0.1 tcp 179 vlan={vlan}"));
        assert_eq!(found["domain"].as_str(), domain, "VLAN {vlan}");
        // What is seen from all VLANs is seen from those that nobody names.
        let found = explain(&ruleset, &format!("9.9.9.9 10.0.9.9 tcp 1 vlan={vlan}"));
        assert_eq!(found["domain"], "all", "VLAN {vlan}");
    }
}

#[test]
fn an_override_names_itself() {
    let source = explain(&ruleset(), "203.0.113.77 10.3.0.1 tcp 443")["source"].take();
    assert_eq!(source["prefix"], "203.0.113.0/24");
    assert_eq!(source["country"], "DE");
    assert_eq!(source["country_from"], "override");
    assert_eq!(source["asn"], 64500);
}

#[test]
fn questions_are_read_in_every_form() {
    let ask = |from: &str, from_port, to: &str, to_port, proto| Ask {
        from: from.parse().unwrap(),
        from_port,
        to: to.parse().unwrap(),
        to_port,
        proto,
        side: Side::Outside,
        vlan: 0,
    };
    let cases = [
        ("1.1.1.1", "10.0.0.1:5432/tcp", ask("1.1.1.1", None, "10.0.0.1", 5432, Proto::TCP)),
        ("1.1.1.1:7", "10.0.0.1:0/UDP", ask("1.1.1.1", Some(7), "10.0.0.1", 0, Proto::UDP)),
        ("::1", "[2001:db8::1]:53/udp", ask("::1", None, "2001:db8::1", 53, Proto::UDP)),
        ("[::1]:9", "[::2]/icmp", ask("::1", Some(9), "::2", 0, Proto::ICMP)),
        ("::1", "2001:db8::1/icmpv6", ask("::1", None, "2001:db8::1", 0, Proto::ICMP)),
        ("1.1.1.1", "10.0.0.1/icmp", ask("1.1.1.1", None, "10.0.0.1", 0, Proto::ICMP)),
        ("1.1.1.1", "10.0.0.1/47", ask("1.1.1.1", None, "10.0.0.1", 0, Proto(47))),
        ("1.1.1.1", "10.0.0.1/GRE", ask("1.1.1.1", None, "10.0.0.1", 0, Proto(47))),
        ("1.1.1.1", "10.0.0.1/6in4", ask("1.1.1.1", None, "10.0.0.1", 0, Proto(41))),
        ("1.1.1.1", "10.0.0.1:9/dccp", ask("1.1.1.1", None, "10.0.0.1", 9, Proto::DCCP)),
        ("1.1.1.1", "10.0.0.1/58", ask("1.1.1.1", None, "10.0.0.1", 0, Proto::ICMP)),
        ("1.1.1.1", "10.0.0.1:65535/132", ask("1.1.1.1", None, "10.0.0.1", 65535, Proto::SCTP)),
    ];
    for (from, to, expected) in cases {
        assert_eq!(Ask::parse(from, to, Side::Outside), Ok(expected), "{from} {to}");
    }
}

#[test]
fn questions_that_make_no_sense_say_why() {
    let options = [
        ("1.1.1.1", "10.0.0.1:5432", "names no protocol", "ADDR:PORT/PROTO"),
        ("1.1.1.1", "10.0.0.1/tcp", "names no port", "ADDR:PORT/PROTO"),
        ("1.1.1.1", "2001:db8::1:443/tcp", "names no port", "[2001:db8::1]:443/tcp"),
        ("1.1.1.1", "10.0.0.1:1/any", "`any` is no protocol", "tcp, udp"),
        ("1.1.1.1", "10.0.0.1:1/256", "`256` is no protocol", "tcp, udp"),
        ("1.1.1.1", "10.0.0.1/udplite", "names no port", "ADDR:PORT/PROTO"),
        ("1.1.1.1", "10.0.0.1:65536/tcp", "too large", "1 to 65535"),
        ("1.1.1.1", "10.0.0.1:x/tcp", "`x` is no port", "number"),
        ("1.1.1", "10.0.0.1:1/tcp", "`1.1.1` is no address", "without a name"),
        ("host", "10.0.0.1:1/tcp", "`host` is no address", "without a name"),
        ("::1", "10.0.0.1:1/tcp", "two families", "two IPv4 or two IPv6"),
        ("[::1]x", "[::2]:1/tcp", "no address and port", "[ADDR]:PORT"),
    ];
    for (from, to, message, help) in options {
        let error = Ask::parse(from, to, Side::Outside).unwrap_err();
        assert!(error.message.contains(message) && error.help.contains(help), "{to}: {error}");
    }
    let lines = [
        ("", "has 0", "SRC DST PROTO DPORT"),
        ("1.1.1.1 2.2.2.2 tcp", "has 3", "SRC DST PROTO DPORT"),
        ("1.1.1.1 2.2.2.2 tcp 1 inside x", "`x` is not `inside`", "SRC DST PROTO DPORT"),
        ("1.1.1.1 2.2.2.2 tcp 1 outside", "`outside` is not `inside`", "inside"),
        ("1.1.1.1 2.2.2.2 tcp 1 vlan=1 vlan=1", "`vlan=1` says again", "vlan=N"),
        ("1.1.1.1 2.2.2.2 tcp 1 inside inside", "`inside` says again", "vlan=N"),
        ("1.1.1.1 2.2.2.2 tcp 1 vlan=", "`` is no VLAN", "0 (none) to 4095"),
        ("1.1.1.1 2.2.2.2 tcp 1 vlan=4096", "`4096` is no VLAN", "0 (none) to 4095"),
        ("1.1.1.1 2.2.2.2 tcp 1 vlan=-1", "`-1` is no VLAN", "0 (none) to 4095"),
        ("1.1.1.1 2.2.2.2 tcp 1 inside vlan 1", "`vlan` is not `inside`", "vlan=N"),
        ("1.1.1.1 2.2.2.2 dccp -", "`-` is no port", "number"),
        ("1.1.1.1 2.2.2.2 tcp -", "`-` is no port", "number"),
        ("1.1.1.1 2.2.2.2:1 tcp 1", "`2.2.2.2:1` is no address", "without a name"),
    ];
    for (line, message, help) in lines {
        let error = Ask::parse_line(line).unwrap_err();
        assert!(error.message.contains(message) && error.help.contains(help), "{line}: {error}");
    }
}

#[test]
fn without_a_policy_file_there_is_one_clear_error() {
    let error = Ruleset::load(Path::new("/nowhere/policy.toml"), Moment::default(), Revision(1))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("cannot read the policy `/nowhere/policy.toml`"), "{text}");
}
