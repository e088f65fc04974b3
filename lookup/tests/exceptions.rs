//! Exceptions that end: what they let in, until when, and what beats them.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

use lookup::{Ask, Loaded, Moment, Revision, Ruleset};
use serde_json::{Value, json};

const POLICY: &str = r#"
failsafe = ["203.0.113.7"]

[group.tor]
networks = ["203.0.113.64/26"]

[group.office]
networks = ["198.51.100.0/24"]

[domain.web]
allow = ["office"]
deny  = ["tor"]

[[domain.web.service]]
name     = "https"
networks = ["10.0.0.1"]
proto    = "tcp"
ports    = ["443"]

[[domain.web.exception]]
name     = "audit"
networks = ["203.0.113.0/24", "198.51.100.9"]
until    = 2026-12-01T00:00:00Z
owner    = "ann@example.org"
reason   = "the yearly audit"

[[domain.web.exception]]
name     = "vendor"
networks = ["203.0.113.0/28", "2001:db8::/48"]
until    = 2027-01-01
owner    = "bob"
reason   = "repairs"

[domain.db]
exposure = "internal"
allow = ["office"]

[[domain.db.service]]
name     = "postgres"
networks = ["10.0.0.2"]
proto    = "tcp"
ports    = ["5432"]

[[domain.db.exception]]
name     = "audit"
networks = ["192.0.2.0/24"]
until    = 2026-12-01T02:00:00+02:00
owner    = "cid"
reason   = "another audit of that name"
"#;

/// The first of December 2026, UTC.
const DECEMBER: u64 = 1_796_083_200;
/// The first of January 2027, UTC.
const JANUARY: u64 = 1_798_761_600;

fn loaded(text: &str, now: u64) -> Loaded {
    let path = Path::new("policy.toml");
    Loaded::of(path, text.to_owned(), Moment(now), Revision(1)).unwrap()
}

fn explain(ruleset: &Ruleset, from: &str, to: &str) -> Value {
    let ask = Ask::parse_line(&format!("{from} {to}")).unwrap();
    serde_json::to_value(ruleset.explain(&ask)).unwrap()
}

fn rule(ruleset: &Ruleset, from: &str, to: &str) -> String {
    explain(ruleset, from, to)["rule"].as_str().unwrap_or("").to_owned()
}

const WEB: &str = "10.0.0.1 tcp 443";
const DB: &str = "10.0.0.2 tcp 5432";

#[test]
fn what_beats_an_exception_and_what_it_beats() {
    let ruleset = loaded(POLICY, DECEMBER - 1).ruleset;
    let cases = [
        ("203.0.113.7", WEB, "failsafe"),
        ("203.0.113.64", WEB, "deny:tor"),
        ("203.0.113.63", WEB, "exception:audit"),
        ("203.0.113.128", WEB, "exception:audit"),
        // Of two that hold it the first names the rule.
        ("203.0.113.1", WEB, "exception:audit"),
        // Who is allowed needs no exception.
        ("198.51.100.9", WEB, "allow:office"),
        ("203.0.114.0", WEB, "default"),
        // It opens its own domain, and no other of the same name.
        ("203.0.113.1", DB, "default"),
        ("192.0.2.1", DB, "exception:audit"),
        ("192.0.2.1", WEB, "default"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(rule(&ruleset, from, to), expected, "{from} -> {to}");
    }
    assert_eq!(rule(&ruleset, "2001:db8::1", "2001:db8:1::1 tcp 443"), "", "of no service");
}

#[test]
fn it_is_gone_at_the_very_second() {
    let before = loaded(POLICY, DECEMBER - 1).ruleset;
    assert_eq!(before.next_end(), Some(Moment(DECEMBER)));
    assert_eq!(before.exceptions().count(), 3);
    let after = before.at(Moment(DECEMBER), Revision(2));
    assert_eq!((after.revision(), after.now()), (Revision(2), Moment(DECEMBER)));
    let cases = [
        ("203.0.113.63", WEB, "default"),
        // The second one still holds it.
        ("203.0.113.1", WEB, "exception:vendor"),
        // 02:00 two hours ahead of UTC is midnight.
        ("192.0.2.1", DB, "default"),
        ("203.0.113.64", WEB, "deny:tor"),
        ("198.51.100.9", WEB, "allow:office"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(rule(&after, from, to), expected, "{from} -> {to}");
        // Compiled at that second it is the same.
        assert_eq!(rule(&loaded(POLICY, DECEMBER).ruleset, from, to), expected, "{from} -> {to}");
    }
    assert_eq!(after.next_end(), Some(Moment(JANUARY)));
    let last = after.at(Moment(JANUARY), Revision(3));
    assert_eq!(rule(&last, "203.0.113.1", WEB), "default");
    assert_eq!((last.next_end(), last.exceptions().count()), (None, 0));
    // A clock that was set back finds them again.
    let back = last.at(Moment(DECEMBER - 1), Revision(4));
    assert_eq!(rule(&back, "192.0.2.1", DB), "exception:audit");
}

#[test]
fn explain_says_whose_it_is() {
    let ruleset = loaded(POLICY, DECEMBER - 1).ruleset;
    let found = explain(&ruleset, "192.0.2.1", DB);
    assert_eq!(
        found["exception"],
        json!({
            "name": "audit", "until": "2026-12-01T00:00:00Z", "owner": "cid",
            "reason": "another audit of that name"
        })
    );
    assert_eq!((&found["verdict"], &found["reason"]), (&json!("allow"), &json!(null)));
    assert_eq!(explain(&ruleset, "198.51.100.9", WEB)["exception"], json!(null));
    assert_eq!(explain(&ruleset, "203.0.113.7", WEB)["exception"], json!(null));
}

#[test]
fn a_date_is_its_first_second_and_a_zone_is_counted() {
    let cases = [
        ("2026-12-01", DECEMBER),
        ("2026-12-01T00:00:00Z", DECEMBER),
        ("2026-12-01 00:00:00z", DECEMBER),
        ("2026-12-01T00:00:00.999Z", DECEMBER),
        ("2026-12-01T01:00:00+01:00", DECEMBER),
        ("2026-11-30T18:30:00-05:30", DECEMBER),
        // The night in which Berlin's clocks go forward: 02:30 there is no time of day, here it is.
        ("2026-03-29T02:30:00+01:00", 1_774_747_800),
        ("2026-03-29T03:30:00+02:00", 1_774_747_800),
        // The night in which they go back: 02:30 comes twice, an hour apart.
        ("2026-10-25T02:30:00+02:00", 1_792_888_200),
        ("2026-10-25T02:30:00+01:00", 1_792_888_200 + 3600),
        ("2028-02-29", 1_835_395_200),
        ("1969-12-31T23:59:59Z", 0),
    ];
    for (text, expected) in cases {
        let policy = POLICY.replace("2027-01-01", text);
        let policy = loaded(&policy, 0).policy;
        assert_eq!(policy.exceptions[1].until, Moment(expected), "{text}");
    }
}

/// The messages of all problems, with line and column.
fn problems(text: &str, now: u64) -> Vec<String> {
    let path = Path::new("policy.toml");
    let found = match Loaded::of(path, text.to_owned(), Moment(now), Revision(1)) {
        Ok(loaded) => loaded.warnings,
        Err(error) => error.problems().to_vec(),
    };
    let said = found.iter().map(lookup::Problem::finding);
    let place = |it: &lookup::Finding| (it.line.unwrap_or(0), it.column.unwrap_or(0));
    said.map(|it| format!("{}:{}: {}; {}", place(&it).0, place(&it).1, it.message, it.help))
        .collect()
}

#[test]
fn what_is_missing_or_wrong_is_said_where_it_stands() {
    // What is replaced in the policy, by what, and the beginning of the one error.
    let vendor = "\"vendor\"";
    let cases = [
        ("name     = \"vendor\"\n", "", "27:1: this exception has no name"),
        (vendor, "\"a b\"", "28:12: the exception's name `a b` holds a space"),
        (vendor, "\"audit\"", "28:12: a second exception `audit` in this domain"),
        (
            "networks = [\"203.0.113.0/28\", \"2001:db8::/48\"]\n",
            "",
            "28:12: this exception does not say its networks",
        ),
        (
            "[\"203.0.113.0/28\", \"2001:db8::/48\"]",
            "[]",
            "28:12: this exception does not say its networks",
        ),
        ("203.0.113.0/28", "203.0.113.1/28", "29:13: `203.0.113.1/28` has bits set"),
        ("until    = 2027-01-01\n", "", "28:12: this exception does not say when it ends"),
        (
            "2027-01-01",
            "2027-01-01T00:00:00",
            "30:12: `2027-01-01T00:00:00` is no moment; say its zone: `2027-01-01T00:00:00Z` is UTC",
        ),
        ("2027-01-01", "07:00:00", "30:12: `07:00:00` is no moment"),
        ("2027-01-01", "\"2027-01-01\"", "30:12: "),
        ("2027-01-01", "1798761600", "30:12: "),
        ("2027-01-01", "2027-02-29", "30:"),
        ("owner    = \"bob\"\n", "", "28:12: this exception has no owner"),
        ("\"bob\"", "\" \"", "28:12: this exception has no owner"),
        ("reason   = \"repairs\"\n", "", "28:12: this exception has no reason"),
        ("owner    = \"bob\"", "owners = \"bob\"", "31:1: unknown key `owners`"),
        (
            "[[domain.web.exception]]\nname     = \"vendor\"",
            "[[domain.web.exceptions]]\nname     = \"vendor\"",
            "27:14: unknown key `exceptions`",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(POLICY.contains(from), "{from}");
        let found = problems(&POLICY.replacen(from, to, 1), 0);
        let errors: Vec<_> = found.iter().filter(|it| it.starts_with(expected)).collect();
        assert_eq!(errors.len(), 1, "{to}: {found:#?}");
    }
    let single = POLICY.replacen("[[domain.db.exception]]", "[domain.db.exception]", 1);
    assert!(problems(&single, 0)[0].contains("write `[[domain.db.exception]]`"));
}

#[test]
fn check_warns_of_what_ended_of_what_deny_keeps_out_and_of_what_is_let_in_anyway() {
    let warned = |text: &str, now: u64| -> Vec<String> {
        let all = problems(text, now);
        all.into_iter().filter(|it| it.contains("exception")).collect()
    };
    let cut = "21:12: `deny:tor` keeps out some of its sources, whatever the exception `audit` of `web` says";
    let found = warned(POLICY, DECEMBER - 1);
    assert!(found[0].starts_with(cut), "{found:?}");
    // The other two each decide about something, and nothing is denied to them.
    assert_eq!(found.len(), 1, "{found:?}");
    let found = warned(POLICY, DECEMBER);
    assert!(found.iter().any(|it| it.starts_with("21:12: the exception `audit` of `web` ended at 2026-12-01T00:00:00Z; take it out, or ask its owner (ann@example.org)")), "{found:?}");
    let wholly = POLICY.replacen("\"203.0.113.0/24\", \"198.51.100.9\"", "\"203.0.113.96/27\"", 1);
    let found = warned(&wholly, 0);
    assert!(found[0].starts_with("21:12: `deny:tor` keeps out all of its sources"), "{found:?}");
    let anyway = POLICY.replacen("\"203.0.113.0/24\", \"198.51.100.9\"", "\"198.51.100.0/25\"", 1);
    let found = warned(&anyway, 0);
    let words = "21:12: the exception `audit` of `web` lets in whom `allow:office` lets in anyway; take it out";
    assert_eq!(found, [words]);
    // A domain that only exceptions open is not called closed.
    let only = POLICY.replace("allow = [\"office\"]", "");
    assert!(!problems(&only, 0).iter().any(|it| it.contains("allows nobody")));
}
