//! Palisade against kernel nftables under the exported policy, in every run of the tests; the longer
//! comparison is scripts/oracle. And the proof that the comparison would notice a mistake.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use lookup::export::Family;
use palisade_bench::oracle::{Draft, Join, Packet, Question, Trial, Wire, clock, stateless};

/// Policies that are the same in every run; one more is new each time.
const SEEDS: [u64; 8] = [1, 2, 3, 4, 5, 6, 100, 101];

#[test]
fn random_policies_agree() {
    let trial = Trial::new().unwrap();
    for seed in SEEDS.into_iter().chain([clock()]) {
        println!("seed {seed}");
        let tally = trial.bridged(seed, 800).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(tally.packets(), 800);
    }
}

#[test]
fn connections_from_the_inside_agree() {
    let trial = Trial::new().unwrap();
    for seed in [1, 2, 104, clock()] {
        println!("seed {seed}");
        let tally = trial.routed(seed, 500).unwrap_or_else(|error| panic!("{error}"));
        assert!(tally.packets() >= 500);
    }
}

/// The policy that says everything, and packets that know all its corners.
fn every() -> (Draft, Vec<Vec<Packet>>) {
    let draft = Draft::load(Path::new("../lookup/tests/export/every.toml")).unwrap();
    let packets = stateless(&draft, 7, 40_000);
    (draft, packets)
}

/// Whether both judges agree when one line of the export is another.
fn agree(
    trial: &Trial,
    (draft, packets): &(Draft, Vec<Vec<Packet>>),
    line: usize,
    new: &str,
) -> bool {
    let change = |text: String| {
        let lines = text.lines().enumerate();
        lines.map(|(at, old)| format!("{}\n", if at == line { new } else { old })).collect()
    };
    let question = Question { seed: 0, family: Family::Netdev, change: &change };
    trial.compare(draft, question, packets).unwrap().is_ok()
}

/// The export that is changed, as lines with their numbers.
fn lines() -> Vec<(usize, String)> {
    let text = fs::read_to_string("../lookup/tests/export/every.netdev.nft").unwrap();
    let head = text.lines().take_while(|line| !line.starts_with("table")).count();
    text.lines().map(str::to_owned).enumerate().skip(head).collect()
}

#[test]
fn a_wrong_rule_is_noticed() {
    let (trial, every) = (Trial::new().unwrap(), every());
    assert!(agree(&trial, &every, usize::MAX, ""), "nothing is changed");
    let (mut changed, mut unnoticed) = (0, String::new());
    for (at, line) in lines() {
        // Link traffic is not what the packets here are about.
        if !line.contains("counter ") || line.contains("arp") || line.contains("icmpv6 type") {
            continue;
        }
        let wrong = if line.contains("counter accept") {
            line.replace("counter accept", "counter drop")
        } else if line.contains("counter drop") {
            line.replace("counter drop", "counter accept")
        } else {
            // A service that is missing.
            String::new()
        };
        if agree(&trial, &every, at, &wrong) {
            unnoticed += &format!("line {}: {line}\n", at + 1);
        }
        changed += 1;
    }
    assert_eq!(unnoticed, "", "nobody noticed these of {changed}");
    assert!(changed > 60, "only {changed} rules were changed");
}

#[test]
fn a_boundary_that_is_off_by_one_is_noticed() {
    let (trial, every) = (Trial::new().unwrap(), every());
    let (mut moved, mut unnoticed) = (0, String::new());
    for (at, line) in lines() {
        let service = line.contains(" goto ");
        let element = line.trim_end().ends_with(',');
        if !service && !element {
            continue;
        }
        let words: Vec<&str> = line.split_inclusive([' ', ',']).collect();
        for (index, word) in words.iter().enumerate() {
            let bare = word.trim_end_matches([' ', ',']);
            let Some(wrong) = off_by_one(bare) else { continue };
            let mut changed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            changed[index] = word.replace(bare, &wrong);
            let changed = changed.concat();
            if agree(&trial, &every, at, &changed) {
                unnoticed += &format!("line {}: {changed}\n", at + 1);
            }
            moved += 1;
        }
    }
    assert_eq!(unnoticed, "", "nobody noticed these of {moved}");
    assert!(moved > 40, "only {moved} boundaries were moved");
}

/// The same range or network without its last value; another address for a single one.
fn off_by_one(word: &str) -> Option<String> {
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some(before(address).to_string());
    }
    if let Ok(network) = word.parse::<IpNet>() {
        return Some(format!("{}-{}", network.network(), before(network.broadcast())));
    }
    let (first, last) = word.split_once('-')?;
    if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
        return Some(format!("{first}-{}", last - 1));
    }
    Some(format!("{first}-{}", before(last.parse().ok()?)))
}

fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().checked_sub(1).unwrap_or(1).into()),
        IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().checked_sub(1).unwrap_or(1).into()),
    }
}

#[test]
fn nft_takes_the_expected_files() {
    let wire = Wire::new(Join::Bridge).unwrap();
    let mut taken = 0;
    for entry in fs::read_dir("../lookup/tests/export").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "nft") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("\"eth0", "\"outside").replace("\"eth1", "\"inside");
        // This kernel may have no connection tracking on bridges.
        let bridge = text.contains("table bridge");
        let lines = text.lines().filter(|line| !(bridge && line.contains("ct state")));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        wire.load(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let listed = wire.ruleset().unwrap();
        assert!(listed.contains("palisade"), "{listed}");
        taken += 1;
    }
    assert!(taken >= 6, "only {taken} files");
}
