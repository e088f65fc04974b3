//! Policies: what is accepted, what is refused, where and with which words.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use lookup::policy::Policy;
use lookup::{Finding, LoadError, Moment, Problem, Revision, Ruleset, Severity};

mod cases;

fn parse(text: &str) -> Result<(Policy, Vec<Problem>), LoadError> {
    Policy::parse(Path::new("policy.toml"), text.to_owned())
}

fn findings(result: Result<(Policy, Vec<Problem>), LoadError>) -> Vec<Finding> {
    let problems = match result {
        Ok((_, warnings)) => warnings,
        Err(error) => error.problems().to_vec(),
    };
    problems.iter().map(Problem::finding).collect()
}

/// A case's text with its marks taken out, and line and column of each mark.
fn marked(text: &str) -> (String, Vec<(usize, usize)>) {
    let (mut plain, mut places) = (String::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let mut column = 1;
        for c in line.chars() {
            if c == '§' {
                places.push((index + 1, column));
            } else {
                plain.push(c);
                column += 1;
            }
        }
        plain.push('\n');
    }
    (plain, places)
}

fn check(cases: &[cases::Case], severity: Severity) {
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let (text, places) = marked(text);
        let found: Vec<_> =
            findings(parse(&text)).into_iter().filter(|one| one.severity == severity).collect();
        let fits = found.len() == expected.len()
            && found.iter().zip(*expected).zip(&places).all(|((one, (message, help)), place)| {
                one.message.contains(message)
                    && one.help.contains(help)
                    && one.file.as_deref() == Some("policy.toml")
                    && (one.line, one.column) == (Some(place.0), Some(place.1))
            });
        if !fits {
            wrong
                .push(format!("{text}\n  expected {expected:?} at {places:?}\n  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn every_mistake_has_its_place_and_a_way_out() {
    check(cases::ERRORS, Severity::Error);
    check(cases::services::ERRORS, Severity::Error);
}

#[test]
fn every_remark_has_its_place_and_a_way_out() {
    check(cases::WARNINGS, Severity::Warning);
}

#[test]
fn what_is_right_is_accepted() {
    for text in cases::RIGHT {
        let errors: Vec<_> = findings(parse(text))
            .into_iter()
            .filter(|one| one.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
    }
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = r#"
failsave = ["10.0.0.1"]
failsafe = ["10.0.0.1/8"]
[group.a]
countries = ["XX", "DE"]
asns = ["3320"]
[domain.web]
allow = ["b"]
[[domain.web.service]]
name = "http"
networks = ["10.0.0.0/8"]
proto = "tpc"
ports = ["0"]
"#;
    let found = findings(parse(text));
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    let lines: Vec<_> = errors.filter_map(|one| one.line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 8, 12, 13]);
}

#[test]
fn a_netset_shows_its_own_lines() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let list = folder.path().join("tor.netset");
    fs::write(&policy, "[group.tor]\nfiles = [\"tor.netset\"]\n[egress]\nallow = [\"tor\"]\n")
        .unwrap();
    fs::write(&list, "# exits\n192.0.2.1\n  10.0.0.1/8 # office\n2001:db8::/32\r\nexample.org\n")
        .unwrap();
    let error = Policy::parse(&policy, fs::read_to_string(&policy).unwrap()).unwrap_err();
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(Problem::finding)
        .map(|one| (one.file.unwrap(), one.line.unwrap(), one.column.unwrap()))
        .collect();
    let name = list.display().to_string();
    assert_eq!(places, [(name.clone(), 3, 3), (name, 5, 1)]);

    fs::write(&list, "192.0.2.1\n192.0.2.1/32\n\n#\n2001:db8::/32").unwrap();
    let (parsed, _) = Policy::parse(&policy, fs::read_to_string(&policy).unwrap()).unwrap();
    let group = parsed.groups.iter().find(|group| group.name == "tor").unwrap();
    let text = format!("{:?}", group.body);
    assert_eq!(text.matches("192.0.2.1/32").count(), 1, "{text}");
    assert_eq!(text.matches("2001:db8::/32").count(), 1, "{text}");
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let cases = [
        ("[geo]\ncountry = \"none.mmdb\"\n", 2, 11, "none.mmdb"),
        ("[geo]\nasn = \"none.csv\"\n", 2, 7, "none.csv"),
        ("[group.a]\nfiles = [\"none.netset\"]\n", 2, 10, "none.netset"),
        ("[group.a]\nfiles = [\"/dev/zero\"]\n", 2, 10, "/dev/zero"),
    ];
    for (text, line, column, name) in cases {
        fs::write(&policy, text).unwrap();
        let error = Ruleset::load(&policy, Moment::default(), Revision(1)).unwrap_err();
        let finding = error.problems()[0].finding();
        assert_eq!((finding.line, finding.column), (Some(line), Some(column)), "{finding:?}");
        assert!(finding.message.contains(name), "{finding:?}");
        assert!(!finding.help.is_empty());
    }
    let error = Ruleset::load(&folder.path().join("nothing.toml"), Moment::default(), Revision(1))
        .unwrap_err();
    assert!(error.to_string().contains("nothing.toml"), "{error}");
}

#[test]
fn people_see_the_line() {
    let text = "[group.a]\ncountries = [\"Germany\"]\n";
    let error = parse(text).unwrap_err();
    let mut shown = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .render_report(&mut shown, &error.problems()[0])
        .unwrap();
    for part in ["policy.toml:2:14", "countries = [\"Germany\"]", "did you mean `DE` (Germany)?"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert_eq!(
        error.to_string(),
        "policy.toml:2:14: unknown country code `Germany`; did you mean `DE` (Germany)?"
    );
    let json = serde_json::to_value(error.problems()[0].finding()).unwrap();
    assert_eq!(json["severity"], "error");
    assert_eq!(json["line"], 2);
}
