//! `palisade export nft`, as a user runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

use std::process::{Command, Output};

const POLICY: &str = "../lookup/tests/export/office.toml";

fn export(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.args(["export", "nft"]).args(args).output().expect("palisade runs")
}

#[test]
fn the_ruleset_goes_to_standard_output() {
    let output = export(&[POLICY, "--outside", "wan0", "--inside", "lan0", "--family", "bridge"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "#!/usr/sbin/nft -f\n",
        "define outside = \"wan0\"\n",
        "define inside = \"lan0\"\n",
        "table bridge palisade {\n",
        "comment \"allow:office\"",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let cases: [(&[&str], i32, &str); 4] = [
        (&["no-such.toml"], 1, "cannot read the policy"),
        (&[POLICY, "--outside", "a name"], 2, "no interface has such a name"),
        (&[POLICY, "--inside", "much-too-long-a-name"], 2, "at most 15 bytes"),
        (&[POLICY, "--family", "ip"], 2, "possible values: inet, bridge, netdev"),
    ];
    for (args, code, message) in cases {
        let output = export(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(message), "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
