//! The command line as scripts see it: output and exit status.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a failed step is a failed test"
)]

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const POLICY: &str = r#"
[group.europe]
countries = ["DE", "FR"]

[domain.web]
exposure = "external"
allow = ["europe"]

[[domain.web.service]]
name = "https"
networks = ["192.0.2.80/32", "2001:db8::80/128"]
proto = "tcp"
ports = ["443"]

[[override]]
network = "198.51.100.0/24"
country = "DE"

[[override]]
network = "203.0.113.0/24"
country = "US"

[domain.lab]
allow = ["europe"]
vlans = [10, 4094]

[[domain.lab.service]]
name = "tunnel"
networks = ["192.0.2.90"]
proto = "gre"

[egress]
allow = ["anyone"]
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn palisade(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn check_accepts_a_valid_policy() {
    let folder = Folder::with("policy.toml", POLICY);
    let path = folder.path("policy.toml");
    let output = palisade(&["check", path.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("is valid: 2 domain(s), 2 service(s)"), "{output:?}");
    assert!(text(&output.stderr).contains("embedded table"), "{output:?}");

    let answer = json(&palisade(&["check", path.to_str().unwrap(), "--format", "json"], b""));
    assert_eq!(answer["valid"], true);
    assert_eq!(answer["problems"][0]["severity"], "warning");
}

#[test]
fn check_refuses_a_mistake_with_its_place() {
    let folder = Folder::with("policy.toml", &POLICY.replace("\"FR\"", "\"FX\""));
    let path = folder.path("policy.toml");
    let output = palisade(&["check", path.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("unknown country code `FX`"), "{shown}");
    assert!(shown.contains("policy.toml:3:20"), "{shown}");
    assert!(shown.contains("countries = [\"DE\", \"FX\"]"), "{shown}");

    let output = palisade(&["check", path.to_str().unwrap(), "--format", "json"], b"");
    assert_eq!(output.status.code(), Some(1));
    let answer = json(&output);
    assert_eq!(answer["valid"], false);
    let problem = &answer["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&3.into(), &20.into()));
}

#[test]
fn explain_answers_one_question() {
    let folder = Folder::with("policy.toml", POLICY);
    let path = folder.path("policy.toml");
    let ask = |from: &str, to: &str, more: &[&str]| {
        let mut args = vec!["explain", "--policy", path.to_str().unwrap(), "--from", from];
        args.extend(["--to", to]);
        args.extend(more);
        palisade(&args, b"")
    };
    let answer = json(&ask("198.51.100.9", "192.0.2.80:443/tcp", &["--json"]));
    assert_eq!(answer["verdict"], "allow");
    assert_eq!(answer["domain"], "web");
    assert_eq!(answer["service"], "https");
    assert_eq!(answer["rule"], "allow:europe");
    assert_eq!(answer["reason"], Value::Null);
    assert_eq!(answer["source"]["country"], "DE");
    assert_eq!(answer["source"]["country_from"], "override");
    assert_eq!(answer["source"]["prefix"], "198.51.100.0/24");

    let answer = json(&ask("203.0.113.9", "192.0.2.80:443/tcp", &["--json"]));
    assert_eq!((&answer["verdict"], &answer["reason"]), (&"drop".into(), &"not_allowed".into()));
    let answer = json(&ask("198.51.100.9", "192.0.2.80:22/tcp", &["--json"]));
    assert_eq!((&answer["verdict"], &answer["reason"]), (&"drop".into(), &"no_service".into()));
    assert_eq!(answer["rule"], Value::Null);
    let inside = ask("192.0.2.7", "203.0.113.9:443/tcp", &["--json", "--arriving", "inside"]);
    assert_eq!(json(&inside)["rule"], "egress.allow:anyone");

    let output = ask("203.0.113.9", "192.0.2.80:443/tcp", &[]);
    assert_eq!(output.status.code(), Some(0), "a drop is an answer, not a failure");
    assert!(text(&output.stdout).contains("dropped"), "{output:?}");
    let output = ask("203.0.113.9", "192.0.2.80", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ADDR:PORT/PROTO"), "{output:?}");
}

#[test]
fn explain_asks_in_a_vlan() {
    let folder = Folder::with("policy.toml", POLICY);
    let path = folder.path("policy.toml");
    let ask = |more: &[&str]| {
        let mut args = vec!["explain", "--policy", path.to_str().unwrap()];
        args.extend(["--from", "198.51.100.9", "--to", "192.0.2.90/gre"]);
        args.extend(more);
        palisade(&args, b"")
    };
    for (id, verdict, domain) in [
        ("0", "drop", None),
        ("9", "drop", None),
        ("10", "allow", Some("lab")),
        ("4095", "drop", None),
    ] {
        let answer = json(&ask(&["--json", "--vlan", id]));
        assert_eq!(answer["verdict"], verdict, "VLAN {id}");
        assert_eq!(answer["domain"].as_str(), domain, "VLAN {id}");
        assert_eq!(answer["vlan"].to_string(), id);
    }
    assert_eq!(json(&ask(&["--json"]))["vlan"], 0);
    let shown = ask(&["--vlan", "4094"]);
    assert!(text(&shown.stdout).contains("vlan      4094"), "{shown:?}");
    assert!(!text(&ask(&[]).stdout).contains("vlan"));
    for bad in ["4096", "-1", "ten"] {
        let output = ask(&["--vlan", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {output:?}");
    }
    let lines = b"198.51.100.9 192.0.2.90 gre - vlan=10\n198.51.100.9 192.0.2.90 47 9 vlan=11\n\
        192.0.2.90 198.51.100.9 gre 0 vlan=4094 inside\n198.51.100.9 192.0.2.90 gre - vlan=x\n";
    let output = palisade(&["explain", "--policy", path.to_str().unwrap(), "--batch"], lines);
    let answers: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let domains: Vec<_> = answers.iter().map(|answer| answer["domain"].as_str()).collect();
    assert_eq!(domains, [Some("lab"), None, Some("lab"), None], "{answers:?}");
    assert!(answers[3]["error"].as_str().unwrap().contains("`x` is no VLAN"), "{answers:?}");
}

#[test]
fn a_batch_answers_line_by_line() {
    let folder = Folder::with("policy.toml", POLICY);
    let path = folder.path("policy.toml");
    let input = b"198.51.100.9 192.0.2.80 tcp 443\n\
        203.0.113.9 192.0.2.80 tcp 443\n\
        nonsense\n\
        \n\
        \xff\xfe 192.0.2.80 tcp 443\n\
        192.0.2.7 203.0.113.9 udp 53 inside\n\
        2001:db8:1::9 2001:db8::80 tcp 443";
    let output = palisade(&["explain", "--policy", path.to_str().unwrap(), "--batch"], input);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answers: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<_> = answers.iter().map(|answer| answer["verdict"].as_str()).collect();
    let expected = [Some("allow"), Some("drop"), None, None, None, Some("allow"), Some("drop")];
    assert_eq!(verdicts, expected, "{answers:?}");
    for bad in [2, 3, 4] {
        assert!(answers[bad]["error"].is_string(), "{:?}", answers[bad]);
    }
}

#[test]
fn status_without_a_gateway_exits_3() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    for args in [["status", "--json"], ["status", "--socket"], ["reload", "--socket"]] {
        let mut args = args.to_vec();
        if args[1] == "--json" {
            args.push("--socket");
        }
        args.push(socket.to_str().unwrap());
        let output = palisade(&args, b"");
        assert_eq!(output.status.code(), Some(3), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains("no gateway answers"), "{output:?}");
    }
}

#[test]
fn run_without_a_configuration_says_what_it_needs() {
    let output = palisade(&["run"], b"");
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("--config") && shown.contains("outside"), "{shown}");
}

#[test]
fn completions_and_man_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let output = palisade(&["completions", shell], b"");
        assert!(output.status.success() && text(&output.stdout).contains("explain"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = palisade(&["man", folder.path().to_str().unwrap()], b"");
    assert!(output.status.success(), "{output:?}");
    for page in ["palisade.1", "palisade-run.1", "palisade-explain.1", "palisade-status.1"] {
        let page = std::fs::read_to_string(folder.path().join(page)).expect(page);
        assert!(page.contains(".TH"), "{page}");
    }
}

#[test]
fn a_full_disk_takes_the_words_and_leaves_the_status() {
    let folder = Folder::with("policy.toml", POLICY);
    let policy = folder.0.path().join("policy.toml");
    for arguments in [vec!["check"], vec!["check", "--format", "json"]] {
        let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(&arguments)
            .arg(&policy)
            .stdout(full())
            .stderr(full())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_policy_without_end_is_refused() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_palisade")).args(["check", "/dev/zero"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("larger than 64 MiB"));
}
