//! What differs between two policies, a line a change.

use super::lines;

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
