//! `palisade diff` and `palisade replay` as scripts see them: output and exit status.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use etherparse::PacketBuilder;
use serde_json::Value;

const POLICY: &str = r#"
[geo]
country = "country.csv"

[group.europe]
countries = ["DE", "FR"]

[domain.web]
exposure = "external"
allow = ["europe"]

[[domain.web.service]]
name = "https"
networks = ["10.0.0.0/24", "fd00::/64"]
proto = "tcp"
ports = ["443"]

[[domain.web.exception]]
name = "audit"
networks = ["192.88.99.0/24"]
until = 2027-01-01
owner = "ann"
reason = "audit"

[domain.lab]
allow = ["europe"]
mode = "shadow"

[[domain.lab.service]]
name = "dns"
networks = ["10.0.0.0/24"]
proto = "udp"
ports = ["53"]

[egress]
allow = ["europe"]
"#;

const COUNTRIES: &str = "1.0.0.0/8,DE\n2.0.0.0/8,FR\n3.0.0.0/8,US\n2a00::/16,DE\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("country.csv", COUNTRIES.as_bytes());
        folder.write("old.toml", POLICY.as_bytes());
        folder.write("new.toml", POLICY.replace("\"FR\"", "\"US\"").as_bytes());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A child that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn diff_tells_changes_flips_and_its_exit_status() {
    let folder = Folder::new();
    let same = folder.run(&["diff", "old.toml", "old.toml"], b"");
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(text(&same.stdout).contains("nothing differs"), "{same:?}");

    let differs = folder.run(&["diff", "old.toml", "new.toml"], b"");
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    let shown = text(&differs.stdout);
    for words in [
        "- group europe: countries FR",
        "+ group europe: countries US",
        "allow -> drop",
        "drop -> allow",
        "16,777,216",
        "2.0.0.0 - 2.255.255.255",
        "lab (shadow)",
        "(egress)",
    ] {
        assert!(shown.contains(words), "{words} is not in:\n{shown}");
    }
    let answer = json(&folder.run(&["diff", "old.toml", "new.toml", "--json"], b""));
    assert_eq!(answer["same"], false);
    assert_eq!(answer["changes"][0]["sign"], "-");
    let subjects = answer["flips"]["subjects"].as_array().unwrap();
    assert_eq!(subjects.len(), 3, "{answer}");
    assert_eq!(subjects[1]["before"], "web");
    assert_eq!(subjects[1]["allow_to_drop"]["ipv4"], 1 << 24);
    assert_eq!(subjects[1]["drop_to_allow"]["countries"][0]["country"], "US");

    for (args, code, words) in [
        (&["diff", "old.toml", "nowhere.toml"][..], 2, "cannot read the policy"),
        (&["diff", "old.toml", "country.csv"], 2, "another database alone"),
        (&["diff", "country.csv", "country.csv"], 2, "--policy"),
        (&["diff", "r1", "r2", "--socket", "nowhere"], 3, "no gateway answers"),
        (&["diff", "running", "new.toml", "--socket", "nowhere"], 3, "no gateway answers"),
    ] {
        let output = folder.run(args, b"");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains(words), "{args:?}: {output:?}");
    }
}

#[test]
fn diff_of_databases_says_whether_a_gateway_takes_the_update() {
    let folder = Folder::new();
    let diff = |csv: &str| {
        folder.write("next.csv", csv.as_bytes());
        let args = ["diff", "country.csv", "next.csv", "--policy", "old.toml", "--json"];
        let output = folder.run(&args, b"");
        (output.status.code(), json(&output))
    };
    let (code, answer) = diff(COUNTRIES);
    assert_eq!((code, &answer["same"]), (Some(0), &true.into()));
    // Within the limit: it differs, and is taken.
    let (code, answer) = diff(&COUNTRIES.replace("2.0.0.0/8,FR", "2.0.0.0/9,FR\n2.128.0.0/9,US"));
    assert_eq!((code, answer["refused"].as_array().unwrap().len()), (Some(1), 0), "{answer}");
    assert_eq!(answer["flips"]["any"]["ipv4"], 1 << 23);
    // Two of three /8s move.
    let (code, answer) = diff(&COUNTRIES.replace(",DE", ",US").replace(",FR", ",US"));
    assert_eq!(code, Some(1));
    let refused = answer["refused"][0]["message"].as_str().unwrap();
    assert!(refused.contains("changes the verdict on 33,554,432 IPv4 addresses"), "{refused}");
    assert!(refused.contains("domain web: 33,554,432 IPv4 addresses"), "{refused}");
    let (_, answer) = diff("1.0.0.0/8,DE\n");
    assert!(answer["refused"][0]["message"].as_str().unwrap().contains("under half"), "{answer}");
}

/// Flows by the ends of a packet and, as `palisade flows --json` writes them, by outside and inside; and
/// lines that are none.
const FLOWS: &str = r#"{"src_ip":"2.0.0.1","src_port":5000,"dest_ip":"10.0.0.1","dest_port":443,"proto":"tcp","side":"outside"}
{"remote":"3.0.0.1","remote_port":5000,"local":"10.0.0.1","local_port":443,"proto":6,"side":"outside"}
{"worker":0,"remote_ip":"2.0.0.2","remote_port":443,"local_ip":"10.0.0.9","local_port":5001,"proto":"TCP","country":"FR","asn":null,"domain":null,"state":"open","opened":"inside","revision":3,"judged":"2026-11-01T00:00:00Z","silent_ms":1,"packets":9}
{"src_ip":"1.0.0.1","src_port":5000,"dest_ip":"10.0.0.1","dest_port":443,"proto":"tcp","side":"outside","vlan":[7]}

{"src_ip":"2a00::1","src_port":5000,"dest_ip":"10.0.0.1","dest_port":443,"proto":"tcp"}
not a flow
"#;

#[test]
fn diff_asks_for_flows() {
    let folder = Folder::new();
    let output =
        folder.run(&["diff", "old.toml", "new.toml", "--flows", "-", "--json"], FLOWS.as_bytes());
    let flows = &json(&output)["flows"];
    assert_eq!((&flows["asked"], &flows["unread"]), (&4.into(), &2.into()));
    let flipped: Vec<_> = flows["flipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let flow = &it["flow"];
            let verdict = |side: &str| it[side]["verdict"].as_str().unwrap().to_owned();
            (flow["src_ip"].as_str().unwrap().to_owned(), verdict("before"), verdict("after"))
        })
        .collect();
    let row = |src: &str, before: &str, after: &str| {
        (src.to_owned(), before.to_owned(), after.to_owned())
    };
    let expected = [
        row("2.0.0.1", "allow", "drop"),
        row("3.0.0.1", "drop", "allow"),
        row("10.0.0.9", "allow", "drop"),
    ];
    assert_eq!(flipped, expected);
    // A policy against itself flips none, and is the same.
    let output = folder.run(&["diff", "old.toml", "old.toml", "--flows", "-"], FLOWS.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// One packet of a recording: milliseconds since its begin, and a frame.
type Packet = (u64, Vec<u8>);

/// The first of November 2026.
const BEGIN: u32 = 1_793_491_200;

fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    for (ms, bytes) in packets {
        let length = bytes.len() as u32;
        let head = [BEGIN + (ms / 1000) as u32, (ms % 1000 * 1000) as u32, length, length];
        file.extend(head.map(u32::to_le_bytes).concat());
        file.extend(bytes);
    }
    file
}

fn tcp(src: [u8; 4], dst: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(src, dst, 64);
    let mut bytes = Vec::new();
    builder.tcp(ports.0, ports.1, 1, 1000).syn().write(&mut bytes, &[]).unwrap();
    bytes
}

fn udp(src: [u8; 4], dst: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4(src, dst, 64);
    let mut bytes = Vec::new();
    builder.udp(ports.0, ports.1).write(&mut bytes, b"hello").unwrap();
    bytes
}

fn six(src: &str, dst: &str, ports: (u16, u16)) -> Vec<u8> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .single_vlan(etherparse::VlanId::try_new(12).unwrap())
        .ipv6(address(src), address(dst), 64);
    let mut bytes = Vec::new();
    builder.tcp(ports.0, ports.1, 1, 1000).syn().write(&mut bytes, &[]).unwrap();
    bytes
}

/// What each packet is, and what becomes of it under the old policy: verdict, reason or rule, domain.
fn recording() -> Vec<(Packet, [&'static str; 3])> {
    let web = [10, 0, 0, 1];
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 40]);
    vec![
        ((0, tcp([1, 0, 0, 1], web, (5000, 443))), ["forward", "allow:europe", "web"]),
        ((1, tcp(web, [1, 0, 0, 1], (443, 5000))), ["forward", "allow:europe", "web"]),
        ((2, tcp([2, 0, 0, 1], web, (5000, 443))), ["forward", "allow:europe", "web"]),
        ((3, tcp([3, 0, 0, 1], web, (5000, 443))), ["drop", "not_allowed", "web"]),
        ((4, tcp([3, 0, 0, 1], web, (5000, 80))), ["drop", "no_service", ""]),
        ((5, udp([3, 0, 0, 1], web, (5000, 53))), ["forward", "not_allowed", "lab"]),
        // Opened from the inside, and its reply.
        (
            (6, udp([10, 0, 0, 9], [1, 0, 0, 9], (4000, 123))),
            ["forward", "egress.allow:europe", ""],
        ),
        ((7, udp([1, 0, 0, 9], [10, 0, 0, 9], (123, 4000))), ["forward", "", ""]),
        ((8, udp([3, 0, 0, 9], [10, 0, 0, 9], (123, 4000))), ["drop", "no_service", ""]),
        ((9, arp), ["pass", "", ""]),
        ((10, six("2a00::1", "fd00::1", (5000, 443))), ["forward", "allow:europe", "web"]),
        ((11, six("2b00::1", "fd00::1", (5000, 443))), ["drop", "not_allowed", "web"]),
        ((12, tcp([192, 88, 99, 1], web, (5000, 443))), ["forward", "exception:audit", "web"]),
    ]
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn replay_judges_each_packet_as_the_gateway_would() {
    let folder = Folder::new();
    let (packets, expected): (Vec<_>, Vec<_>) = recording().into_iter().unzip();
    folder.write("all.pcap", &pcap(&packets));
    let output = folder.run(&["replay", "all.pcap", "--policy", "old.toml", "--json"], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = lines(&output);
    assert_eq!(found.len(), expected.len() + 1);
    for (number, (line, [verdict, why, domain])) in found.iter().zip(&expected).enumerate() {
        let field = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        let why_found = [field("reason"), field("rule")].into_iter().find(|it| !it.is_empty());
        let shown = [field("verdict"), why_found.unwrap_or_default(), field("domain")];
        assert_eq!(shown, [*verdict, *why, *domain], "packet {number}: {line}");
    }
    assert_eq!(found[0]["timestamp"], "2026-11-01T00:00:00.000000Z");
    let sizes = found.iter().zip(&packets).map(|(line, (_, frame))| (&line["bytes"], frame.len()));
    sizes.for_each(|(told, bytes)| assert_eq!(*told, bytes));
    assert_eq!((&found[10]["vlan"], &found[10]["country"]), (&12.into(), &"DE".into()));
    assert_eq!((&found[1]["side"], &found[1]["country"]), (&"inside".into(), &"DE".into()));
    let sums = &found[13]["summary"];
    let count = |name: &str| sums[name].as_u64().unwrap();
    let all = ["judged", "forwarded", "dropped", "passed", "shadowed", "unread"].map(count);
    assert_eq!(all, [13, 8, 4, 1, 1, 0], "{sums}");
    assert_eq!(sums["domains"]["web"]["dropped"], 2);
    assert_eq!(sums["countries"]["US"]["dropped"], 3);
    assert_eq!(sums["reasons"]["no_service"], 2);

    // The same from standard input, for people.
    let output = folder.run(&["replay", "-", "--policy", "old.toml"], &pcap(&packets));
    let shown = text(&output.stdout);
    for words in [
        "13 packets: 8 forwarded, 4 dropped",
        "1 passed as link traffic",
        "no_service",
        "web",
        "US",
    ] {
        assert!(shown.contains(words), "{words} is not in:\n{shown}");
    }
}

#[test]
fn replay_says_what_another_policy_does_otherwise() {
    let folder = Folder::new();
    let (packets, _): (Vec<_>, Vec<_>) = recording().into_iter().unzip();
    folder.write("all.pcap", &pcap(&packets));
    let args = ["replay", "all.pcap", "--policy", "new.toml", "--against", "old.toml"];
    let output = folder.run(&[&args[..], &["--json"]].concat(), b"");
    let found = lines(&output);
    let differs: Vec<usize> = (0..13).filter(|&at| found[at]["differs"] == true).collect();
    assert_eq!(differs, [2, 3], "{output:?}");
    assert_eq!(found[2]["before"]["rule"], "allow:europe");
    let sums = &found[13]["summary"]["differs"];
    assert_eq!(sums["forward -> drop"]["web"]["count"], 1, "{sums}");
    assert_eq!(sums["drop -> forward"]["web"]["count"], 1, "{sums}");
    let shown = text(&folder.run(&args, b"").stdout);
    assert!(shown.contains("2.0.0.1:5000 -> 10.0.0.1:443 tcp (FR): default"), "{shown}");
    let same =
        folder.run(&["replay", "all.pcap", "--policy", "old.toml", "--against", "old.toml"], b"");
    assert!(text(&same.stdout).contains("does the same with all of them"), "{same:?}");
}

#[test]
fn replay_turns_its_clock_by_the_recording() {
    let folder = Folder::new();
    let audit = |port| tcp([192, 88, 99, 1], [10, 0, 0, 1], (port, 443));
    let opened = udp([10, 0, 0, 9], [1, 0, 0, 9], (4000, 123));
    let reply = udp([1, 0, 0, 9], [10, 0, 0, 9], (123, 4000));
    // Until the first second of 2027, 61 days after the begin.
    let end = 61 * 86_400_000_u64;
    let packets = [
        (0, opened),
        (1, reply.clone()),
        (end - 1, audit(1)),
        (end, audit(1)),
        (end + 1, audit(2)),
        // Weeks later nobody remembers what was opened.
        (end + 2, reply),
    ];
    let output = folder.run(&["replay", "-", "--policy", "old.toml", "--json"], &pcap(&packets));
    let verdicts: Vec<_> = lines(&output)[..6]
        .iter()
        .map(|line| line["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["forward", "forward", "forward", "drop", "drop", "drop"], "{output:?}");
}

#[test]
fn replay_of_flows_and_of_what_is_cut_or_strange() {
    let folder = Folder::new();
    let args = ["replay", "-", "--policy", "new.toml", "--against", "old.toml"];
    let output = folder.run(&[&args[..], &["--json"]].concat(), FLOWS.as_bytes());
    let found = lines(&output);
    let sums = &found.last().unwrap()["summary"];
    assert_eq!((&sums["judged"], &sums["unread"]), (&4.into(), &2.into()), "{output:?}");
    assert_eq!((&sums["forwarded"], &sums["dropped"]), (&2.into(), &2.into()), "{output:?}");
    assert!(text(&folder.run(&args, FLOWS.as_bytes()).stdout).contains("4 flows: 2 forwarded"));

    let (packets, _): (Vec<_>, Vec<_>) = recording().into_iter().unzip();
    let whole = pcap(&packets);
    let cut = folder.run(&args, &whole[..whole.len() - 3]);
    assert_eq!(cut.status.code(), Some(0), "{cut:?}");
    assert!(text(&cut.stderr).contains("ends in the middle"), "{cut:?}");
    assert!(text(&cut.stdout).contains("12 packets"), "{cut:?}");
    let mut damaged = whole;
    damaged[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    let output = folder.run(&args, &damaged);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("damaged at byte 40"), "{output:?}");
    for (input, words) in [(&b"GIF89a"[..], "no capture"), (b"", "no capture")] {
        let output = folder.run(&args, input);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(words), "{output:?}");
    }
    // Networks of the inside that no service is in.
    let opened = pcap(&[(0, udp([172, 16, 0, 1], [1, 0, 0, 9], (4000, 123)))]);
    let run = |more: &[&str]| {
        let output = folder
            .run(&[&["replay", "-", "--policy", "old.toml", "--json"], more].concat(), &opened);
        lines(&output)[0]["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!((run(&[]), run(&["--inside", "172.16.0.0/12"])), ("drop".into(), "forward".into()));
}
