//! The exported text of fixed policies, whole. To write the expected files anew, after a look at the
//! difference: `PALISADE_BLESS=1 cargo nextest run -p palisade-lookup --test export`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;

use lookup::export::{Family, Target, nft};
use lookup::{Moment, Policy};

fn export(policy: &str, family: Family) -> String {
    // Relative, so that the text names no folder of this machine.
    let path = Path::new("tests/export").join(format!("{policy}.toml"));
    let (policy, geo, _) = Policy::load(&path, Moment::default()).expect("a test policy loads");
    nft(&policy, &geo, &Target { family, outside: "eth0".into(), inside: "eth1".into() })
}

#[test]
fn fixed_policies_are_written_as_expected() {
    let cases = [
        ("office", Family::Inet),
        ("every", Family::Inet),
        ("every", Family::Bridge),
        ("every", Family::Netdev),
        ("names", Family::Inet),
        ("nothing", Family::Netdev),
    ];
    for (policy, family) in cases {
        let text = export(policy, family);
        let path = format!("tests/export/{policy}.{}.nft", family.as_str());
        if std::env::var_os("PALISADE_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        for (number, (one, other)) in text.lines().zip(expected.lines()).enumerate() {
            assert_eq!(one, other, "{path}, line {}", number + 1);
        }
        assert_eq!(text, expected, "{path}");
    }
}

#[test]
fn the_file_says_what_it_cannot() {
    let says = |family| {
        let text = export("every", family);
        let head: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        move |words: &str| head.contains(words)
    };
    for family in [Family::Inet, Family::Bridge, Family::Netdev] {
        let says = says(family);
        assert!(says("Records.") && says("Fragments") && says("ICMP errors"), "{family:?}");
        assert!(says("Shadow domains") && says("`palisade explain`"), "{family:?}");
        assert_eq!(says("nothing is tracked here"), family == Family::Netdev);
        assert_eq!(says("VLAN tags"), family != Family::Inet);
        assert_eq!(says("VLANs are interfaces"), family == Family::Inet);
    }
    assert!(!export("office", Family::Inet).contains("Shadow domains"));
}

#[test]
fn a_long_name_is_cut_and_still_a_comment() {
    let text = export("names", Family::Inet);
    for line in text.lines().filter(|line| line.contains("comment \"")) {
        let comment = line.split("comment \"").nth(1).unwrap();
        assert_eq!(comment.find('"'), Some(comment.len() - 1), "{line}");
        assert!(comment.len() <= 128, "{line}");
    }
}
