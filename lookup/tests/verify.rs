//! Databases that may not take the place of the one in force, and those that may.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use lookup::{Loaded, Moment, Revision};

const NOW: Moment = Moment(1_790_000_000);

const POLICY: &str = r#"
[geo]
country = "c.csv"
MORE

[group.europe]
countries = ["DE"]

[domain.web]
exposure = "external"
allow = ["europe"]

[[domain.web.service]]
name     = "https"
networks = ["192.0.2.1"]
proto    = "tcp"
ports    = ["443"]

[domain.all]
exposure = "external"
allow = ["anyone"]

[[domain.all.service]]
name     = "dns"
networks = ["192.0.2.2"]
proto    = "udp"
ports    = ["53"]
"#;

/// A database of /8s: the first `german` of 64 are German, the others American. `parts` networks each.
fn database(german: u32, parts: u32) -> String {
    let mut text = String::new();
    for eight in 0..64_u32 {
        let country = if eight < german { "DE" } else { "US" };
        for part in 0..parts {
            // Networks of one value would merge into one range, but are counted as they are written.
            let bits = 8 + parts.ilog2();
            let first = Ipv4Addr::from((eight + 1) << 24 | part << (32 - bits));
            let _ = writeln!(text, "{first}/{bits},{country}");
        }
    }
    text
}

fn load(folder: &Path, csv: &str, more: &str) -> Result<Loaded, String> {
    fs::write(folder.join("c.csv"), csv).unwrap();
    let path = folder.join("policy.toml");
    Loaded::of(&path, POLICY.replace("MORE", more), NOW, Revision(1)).map_err(|e| e.to_string())
}

/// What is said of a second database after a first one.
fn verdict(first: &str, second: &str, more: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let before = load(folder.path(), first, more).unwrap();
    let after = load(folder.path(), second, more).unwrap();
    after.verify(&before.ruleset).map_err(|error| error.to_string())
}

#[test]
fn the_limit_is_a_share_and_never_less_than_a_sixteenth_of_a_256th() {
    let cases = [
        // German /8s before and after, `max_flips`, and whether it is taken: 64 /8s have a country.
        (10, 10, "", true),
        // One /8 is 2^24 addresses: never refused, whatever the share.
        (10, 11, "", true),
        (10, 11, "max_flips = 0.0", true),
        (10, 12, "max_flips = 0.0", false),
        (10, 12, "", false),
        (10, 8, "", false),
        // Two of 64 are 3.125 %.
        (10, 12, "max_flips = 0.03125", true),
        (10, 12, "max_flips = 0.03124", false),
        (10, 64, "max_flips = 1.0", true),
    ];
    for (before, after, more, taken) in cases {
        let found = verdict(&database(before, 1), &database(after, 1), more);
        assert_eq!(found.is_ok(), taken, "{before} -> {after}, {more}: {found:?}");
    }
}

#[test]
fn a_refusal_explains_itself_by_domain_at_the_line_that_names_the_database() {
    let said = verdict(&database(10, 1), &database(14, 1), "").unwrap_err();
    for words in [
        "policy.toml:3:11: the new database changes the verdict on 67,108,864 IPv4 addresses \
         (6.2 % of 1,073,741,824; at most 21,474,836 may)\n",
        "\n  domain web: 67,108,864 IPv4 addresses gain access (US now DE)\n",
        "palisade diff OLD NEW --policy",
        "palisade reload --accept",
    ] {
        assert!(said.contains(words), "{words} is not in:\n{said}");
    }
    // Where nothing depends on countries nothing flips.
    assert!(!said.contains("domain all"), "{said}");
}

#[test]
fn half_of_the_networks_is_enough_and_less_is_not() {
    let first = database(10, 4);
    let cut =
        |lines: usize| first.lines().take(lines).fold(String::new(), |all, line| all + line + "\n");
    let open = "max_flips = 1.0";
    assert_eq!(verdict(&first, &cut(128), open), Ok(()));
    let said = verdict(&first, &cut(127), open).unwrap_err();
    let words = "the new country database has 127 networks, the one in force 256: under half";
    assert!(said.contains(words) && said.contains("--accept"), "{said}");
    // More is always enough, and odd halves are rounded up.
    assert_eq!(verdict(&cut(3), &first, open), Ok(()));
    assert_eq!(verdict(&cut(3), &cut(2), open), Ok(()));
    assert!(verdict(&cut(3), &cut(1), open).is_err());
}

#[test]
fn a_policy_that_changes_is_no_database_that_changes() {
    let folder = tempfile::tempdir().unwrap();
    let data = database(10, 1);
    let before = load(folder.path(), &data, "").unwrap();
    let mut changed = before.policy.source().text.replace("\"DE\"", "\"US\"");
    changed += "[[override]]\nnetwork = \"40.0.0.0/6\"\ncountry = \"FR\"\n";
    let path = folder.path().join("policy.toml");
    let after = Loaded::of(&path, changed.clone(), NOW, Revision(2)).unwrap();
    assert!(after.verify(&before.ruleset).is_ok());
    // Both at once: the flips are those of the database under the new policy.
    fs::write(folder.path().join("c.csv"), database(12, 1)).unwrap();
    let both = Loaded::of(&path, changed, NOW, Revision(3)).unwrap();
    let said = both.verify(&before.ruleset).unwrap_err().to_string();
    assert!(said.contains("33,554,432 IPv4 addresses lose access (US now DE)"), "{said}");
}

#[test]
fn a_canary_must_hold_in_the_database_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = database(10, 1);
    let say = |more: &str| load(folder.path(), &data, more).map(|_| ());
    assert_eq!(say("canaries = { \"1.2.3.4\" = \"DE\", \"64.0.0.1\" = \"US\" }"), Ok(()));
    let said = say("canaries = { \"1.2.3.4\" = \"DE\", \"64.0.0.1\" = \"DE\" }").unwrap_err();
    assert!(
        said.contains(
            "policy.toml:4:32: the country database says US of the canary 64.0.0.1, not DE"
        ),
        "{said}"
    );
    let said = say("canaries = { \"127.0.0.1\" = \"DE\" }").unwrap_err();
    assert!(said.contains("says no country of the canary 127.0.0.1"), "{said}");
    // An override is the operator's own word, and proves nothing of the database.
    let moved = "canaries = { \"64.0.0.1\" = \"DE\" }\n[[override]]\nnetwork = \"64.0.0.0/8\"\ncountry = \"DE\"";
    assert!(say(moved).unwrap_err().contains("says US of the canary"), "an override helped");
    let cases = [
        ("canaries = { \"1.2.3\" = \"DE\" }", ":4:14: the canary `1.2.3` is no address"),
        ("canaries = { \"1.2.3.4\" = \"UK\" }", ":4:26: unknown country code `UK`"),
        ("canaries = [\"1.2.3.4\"]", ":4:12: "),
        ("max_flips = 1.5", ":4:13: `max_flips` is a share: not 1.5"),
        ("max_flips = -0.1", ":4:13: `max_flips` is a share: not -0.1"),
        ("max_flips = nan", ":4:13: `max_flips` is a share: not NaN"),
        ("max_flips = \"2 %\"", ":4:13: "),
        ("max_flips = 1", ""),
    ];
    for (more, words) in cases {
        match say(more) {
            Ok(()) => assert_eq!(words, "", "{more}"),
            Err(said) => assert!(!words.is_empty() && said.contains(words), "{more}: {said}"),
        }
    }
}
