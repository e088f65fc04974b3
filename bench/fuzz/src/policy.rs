//! policy.toml: text to a policy, and a policy to a ruleset that is asked.

use std::net::IpAddr;

use lookup::{Ask, Geo, GeoFiles, Moment, Policy, Proto, Revision, Ruleset, Side};

use crate::{data, problems};

/// Reads the text as `check` does, in a folder that has lists and a database; compiles what is right.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = data("fuzz.toml");
    let name = path.display().to_string();
    match Policy::parse(&path, text.to_owned()) {
        Ok((policy, warnings)) => {
            assert!(!warnings.iter().any(lookup::Problem::is_error));
            problems::check(&warnings, &name, text);
            if chosen(bytes) {
                compile(&policy);
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.problems().iter().any(lookup::Problem::is_error));
            problems::check(error.problems(), &name, text);
        }
    }
}

/// Databases of the seeds alone: others would be read again and again.
fn geo(policy: &Policy) -> Geo {
    let files = GeoFiles { country: Some(data("countries.csv")), asn: Some(data("asns.csv")) };
    Geo::load(&files, &policy.overrides).expect("the databases of the seeds are sound")
}

fn compile(policy: &Policy) {
    let Ok(rules) = Ruleset::compile(policy, &geo(policy), Moment::default(), Revision(1)) else {
        return;
    };
    let somewhere: [IpAddr; 5] =
        ["10.2.0.1", "198.51.100.1", "2001:db8:de::1", "fd00:2::1", "255.255.255.255"]
            .map(|text| text.parse().expect("an address"));
    for from in somewhere {
        for to in somewhere.into_iter().filter(|to| to.is_ipv4() == from.is_ipv4()) {
            for side in [Side::Outside, Side::Inside] {
                let ask = Ask { from_port: Some(80), ..web(from, to, side) };
                let answer = rules.explain(&ask);
                assert_eq!(answer.reason.is_none(), answer.verdict == "allow", "{ask:?}");
            }
        }
    }
    for network in &policy.failsafe {
        for from in [network.network(), network.broadcast()] {
            let to = somewhere.into_iter().find(|to| to.is_ipv4() == from.is_ipv4());
            let to = to.expect("both families are there");
            let ask = web(from, to, Side::Outside);
            assert_eq!(rules.explain(&ask).verdict, "allow", "failsafe {from} is cut off");
        }
    }
}

fn web(from: IpAddr, to: IpAddr, side: Side) -> Ask {
    Ask { from, from_port: None, to, to_port: 80, proto: Proto::TCP, side, vlan: 0 }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let files = ["rich.toml", "other.toml", "control.toml"];
    let mut all: Vec<Vec<u8>> =
        files.into_iter().filter_map(|name| std::fs::read(data(name)).ok()).collect();
    let readme = include_str!("../../../docs/policy.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    all.extend(blocks.map(|text| text.as_bytes().to_vec()));
    let wrong = "failsafe = [\"10.0.0.1/8\"]\n[group.a]\nany_of = [\"b\"]\n[group.b]\nany_of = [\"a\"]\n\
        except = [\"nobody\"]\n[domain.x]\nallow = [\"a\"]\nmode = \"shadw\"\n\
        [[domain.x.service]]\nname = \"\u{e9}\"\nnetworks = [\"::/0\", 3]\nproto = \"icmp\"\n\
        ports = [\"1-0\", \"any\"]\n[egress]\ndeny = [\"private\", \"unknown\"]\n";
    all.push(wrong.as_bytes().to_vec());
    // A comment at the end makes each one that is compiled.
    for text in &mut all {
        text.extend(b"\n#");
        let last = sum(text).wrapping_mul(31) & 15;
        text.push(b'`' | last);
        assert!(chosen(text));
    }
    all
}

/// One of sixteen texts: to compile takes a hundred times as long as to read.
fn chosen(text: &[u8]) -> bool {
    sum(text).is_multiple_of(16)
}

fn sum(text: &[u8]) -> u8 {
    text.iter().fold(0, |sum: u8, byte| sum.wrapping_mul(31) ^ byte)
}
