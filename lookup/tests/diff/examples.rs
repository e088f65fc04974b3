//! Flips one by one, worked out by hand.

use super::*;

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
