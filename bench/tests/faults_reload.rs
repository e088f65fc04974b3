//! Policies that must not come into force, or bring a surprise, under load.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Answer, Gateway, Setup};
use stress::*;

#[test]
fn the_last_good_policy_stays_whatever_comes_instead() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let folder = gateway.folder().to_owned();
    let policy = folder.join("policy.toml");
    fs::write(folder.join("cut.mmdb"), [0xab; 5000]).unwrap();
    fs::write(folder.join("cut.csv"), "1.0.0.0,1.0.0.255,US\n1.0.1.0,1.0.").unwrap();
    let half = &POLICY[..POLICY.len() * 2 / 3];
    let with = |country: &str| format!("[geo]\ncountry = \"{country}\"\n{POLICY}").into_bytes();
    let bad: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("noise", (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("half a policy", [half, "[domain"].concat().into_bytes()),
        ("an unknown group", POLICY.replace(r#"["home"]"#, r#"["nobody"]"#).into_bytes()),
        ("a damaged database", with("cut.mmdb")),
        ("a database cut short", with("cut.csv")),
        ("a missing database", with("missing.mmdb")),
        ("a database that is a folder", with(".")),
    ];
    under_load(&lab, |watch| {
        for (what, text) in &bad {
            fs::write(&policy, text).unwrap();
            let refused = gateway.ask(&["reload"]);
            if *what == "nothing" {
                // An empty policy is a policy: it lets nobody in.
                refused.unwrap();
                assert_eq!(watch.trickle(Duration::from_millis(100)), 0);
                gateway.write_policy(POLICY).unwrap();
                gateway.ask(&["reload"]).unwrap();
                watch.flows(Instant::now());
                continue;
            }
            let said = refused.unwrap_err().to_string();
            assert!(said.len() > 40, "{what}: {said}");
            assert_eq!(gateway.status().unwrap().revision, 3, "{what}");
            watch.flows(Instant::now());
        }
        fs::remove_file(&policy).unwrap();
        gateway.ask(&["reload"]).unwrap_err();
        fs::create_dir(&policy).unwrap();
        gateway.ask(&["reload"]).unwrap_err();
        fs::remove_dir(&policy).unwrap();
        assert_eq!(watch.leaked(), 0);
        serves(&lab);
        assert_eq!(gateway.status().unwrap().revision, 3);
    });
    balance(&gateway);
}

#[test]
fn no_policy_cuts_a_failsafe_network_and_its_removal_must_be_meant() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let safe = format!("failsafe = [\"{}/32\", \"192.0.2.0/24\"]\n", FOREIGN[0]);
    let closed = POLICY
        .replace(r#"allow    = ["home"]"#, "allow    = []")
        .replace(r#"deny     = ["abusers"]"#, r#"deny     = ["anyone"]"#);
    let gateway =
        Gateway::start(&lab, &Setup { policy: format!("{safe}{POLICY}"), ..setup(&lab) }).unwrap();
    let reload = |policy: &str| {
        gateway.write_policy(policy).unwrap();
        gateway.ask(&["reload"]).unwrap()
    };
    let web = |from| ask(&lab, from, Try::Web, Duration::from_millis(700));
    under_load(&lab, |_| {
        assert!(!reload(&format!("{safe}{closed}")).contains("no longer be failsafe"));
        assert_eq!(web(FOREIGN[0]), Answer::Reached);
        assert_eq!(web(OFFICE[0]), Answer::Silence);
        gateway.write_policy(&format!("failsafe = [\"192.0.0.0/16\"]\n{POLICY}")).unwrap();
        let said = gateway.ask(&["reload"]).unwrap_err().to_string();
        assert!(said.contains("12.34.56.78/32 would no longer be failsafe"), "{said}");
        assert!(!said.contains("192.0.2.0/24 would"), "a wider one covers it: {said}");
        assert_eq!(web(FOREIGN[0]), Answer::Reached);
        let said = gateway.ask(&["reload", "--force"]).unwrap();
        assert!(said.contains("12.34.56.78/32 would no longer be failsafe"), "{said}");
        assert_eq!(web(FOREIGN[0]), Answer::Silence);
        assert_eq!(web(OFFICE[0]), Answer::Reached);
    });
    balance(&gateway);
}

#[test]
fn a_policy_of_a_hundred_thousand_networks_comes_while_traffic_and_status_go_on() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let mut list = String::new();
    for net in 0..100_000_u32 {
        let [_, a, b, c] = (net << 6).to_be_bytes();
        writeln!(list, "{}.{a}.{b}.{}/27", 101 + (net & 63), c & 0xe0).unwrap();
    }
    fs::write(gateway.folder().join("crowd.netset"), list).unwrap();
    let large = POLICY
        .replace("[group.abusers]", "[group.crowd]\nfiles = [\"crowd.netset\"]\n\n[group.abusers]");
    let large = large.replace(r#"deny     = ["abusers"]"#, r#"deny     = ["abusers", "crowd"]"#);
    assert!(large.contains("\"crowd\"]"));
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        gateway.write_policy(&large).unwrap();
        thread::scope(|scope| {
            // Two at once: one after the other, and both come into force.
            let clients = [(); 2].map(|()| scope.spawn(|| gateway.ask(&["reload"])));
            let begin = Instant::now();
            let mut slowest = Duration::ZERO;
            while !clients.iter().all(|client| client.is_finished()) {
                let ask = Instant::now();
                gateway.status().unwrap();
                slowest = slowest.max(ask.elapsed());
                watch.flows(Instant::now());
            }
            note("a reload of 100,000 networks, twice", begin.elapsed());
            note("slowest status meanwhile", slowest);
            assert!(slowest < begin.elapsed() / 2, "status waits for the compilation: {slowest:?}");
            let said = clients.map(|client| client.join().unwrap().unwrap());
            assert_ne!(said[0], said[1]);
        });
        assert_eq!(gateway.status().unwrap().revision, 3);
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    balance(&gateway);
}
