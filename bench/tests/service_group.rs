//! Who may use the control socket, and that each change is told with who made it.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use common::*;
use palisade_bench::lab::{Gateway, Setup};

const GROUP: u32 = 4242;
/// Nobody, in Debian and elsewhere.
const NOBODY: u32 = 65_534;

/// Asks the control socket as nobody, with these groups: the status and the answer, or what curl said.
fn asks(gateway: &Gateway, groups: &[String], method: &str, path: &str) -> String {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={NOBODY}")).args(groups).args(["curl", "-sS", "-X", method]);
    command.args(["-w", " %{http_code}", "--unix-socket"]).arg(gateway.socket());
    let output = command.arg(format!("http://palisade{path}")).output().unwrap();
    [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat()
}

#[test]
fn members_of_the_group_operate_the_gateway_and_others_get_no_answer() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { group: Some(GROUP.to_string()), ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    // The folder of a test is its owner's alone.
    fs::set_permissions(gateway.folder(), Permissions::from_mode(0o711)).unwrap();
    let facts = fs::metadata(gateway.socket()).unwrap();
    assert_eq!((facts.mode() & 0o777, facts.uid(), facts.gid()), (0o660, 0, GROUP));

    let first = [format!("--regid={GROUP}"), "--clear-groups".to_owned()];
    let further = [format!("--regid={NOBODY}"), format!("--groups={GROUP}")];
    let other = [format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    for groups in [&first, &further] {
        let said = asks(&gateway, groups, "GET", "/status");
        assert!(said.contains("\"revision\":1") && said.ends_with(" 200"), "{said}");
    }
    let said = asks(&gateway, &other, "GET", "/status");
    assert!(said.contains("Failed to connect") || said.contains("Couldn't connect"), "{said}");
    // Somebody opened the file to all: the kernel's word on the client still counts.
    fs::set_permissions(gateway.socket(), Permissions::from_mode(0o666)).unwrap();
    for (method, path) in [("GET", "/status"), ("POST", "/reload")] {
        let said = asks(&gateway, &other, method, path);
        assert!(said.contains("only root and members") && said.ends_with(" 403"), "{said}");
    }
    assert_eq!(gateway.status().unwrap().revision, 1);

    let said = asks(&gateway, &further, "POST", "/reload");
    assert!(said.ends_with(" 200"), "{said}");
    let log = gateway.log();
    let told = format!("reload by nobody, uid {NOBODY}, pid ");
    assert!(log.contains(&told) && log.contains(": revision 2 is in force"), "{log}");
    gateway.reload("nonsense").unwrap_err();
    assert!(gateway.log().contains("reload by root, uid 0, pid "), "{}", gateway.log());
    assert!(gateway.log().contains(": refused: "), "{}", gateway.log());
    let history = gateway.ask(&["history"]).unwrap();
    assert!(history.contains("nobody"), "{history}");
    settle(gateway);
}

#[test]
fn a_group_that_is_not_there_is_an_error_with_a_way_out() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { group: Some("no-such-group".to_owned()), ..Setup::new(&lab, POLICY) };
    let (exit, said) = Gateway::refused(&lab, &setup).unwrap();
    assert_eq!(exit.code(), Some(1), "{said}");
    assert!(said.contains("groupadd --system no-such-group"), "{said}");
}
