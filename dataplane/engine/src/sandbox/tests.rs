//! What a closed thread can and cannot do. Each test closes a thread of its own; what ends a process is tried
//! in another one.

use std::{
    env,
    fs::{self, File},
    io::ErrorKind,
    os::unix::{
        net::UnixDatagram,
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::Command,
    thread,
};

use af_xdp_rs::{FailMode, Program};
use rustix::{
    net::{AddressFamily, SocketType, socket},
    pipe::pipe,
    thread::capabilities,
};

use super::*;

const SIGSYS: i32 = 31;

/// A sandbox that lets a folder be written, and what it says of itself.
fn closed(folder: &Path) -> (Sandbox, SandboxStatus) {
    let sandbox = Sandbox::new(SandboxMode::Enforce).unwrap();
    let files = Files { write: vec![folder.to_owned()], ..Files::default() };
    sandbox.close(&files).unwrap();
    let status = sandbox.status();
    (sandbox, status)
}

/// Runs `body` in a thread of its own, with a folder.
fn apart(body: impl FnOnce(&Path) + Send) {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| scope.spawn(|| body(folder.path())).join().unwrap());
}

fn denied<T, E: Into<std::io::Error>>(result: Result<T, E>) -> bool {
    result.is_err_and(|error| error.into().kind() == ErrorKind::PermissionDenied)
}

#[test]
fn files_are_those_of_its_folders() {
    apart(|folder| {
        let (_, status) = closed(folder);
        assert_eq!((status.mode.as_str(), status.calls.as_str()), ("enforce", "refused"));
        assert!(status.no_new_privs);
        let fresh = folder.join("fresh");
        fs::write(&fresh, "text").unwrap();
        fs::rename(&fresh, folder.join("policy.toml")).unwrap();
        fs::remove_file(folder.join("policy.toml")).unwrap();
        if status.files == "none" {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        assert!(denied(File::open("/etc/passwd")), "it reads what nobody named");
        assert!(denied(fs::write("/tmp/palisade-sandbox", "x")), "it writes elsewhere");
        assert!(denied(fs::read_dir("/")));
    });
}

#[test]
fn a_worker_opens_nothing() {
    apart(|folder| {
        let (sandbox, _) = closed(folder);
        sandbox.confine(Kind::Worker);
        assert!(denied(File::open(folder)));
        assert!(denied(UnixDatagram::unbound()));
        assert!(denied(pipe()));
        assert!(thread::Builder::new().spawn(|| ()).is_err());
        assert!(Program::load(FailMode::Closed, 1, None).is_err(), "it may run one that is there");
        let memory: Vec<u64> = (0..1 << 20).collect();
        assert_eq!(memory.len(), 1 << 20, "memory is still to be had");
    });
}

#[test]
fn threads_beside_open_no_wire_and_main_does() {
    apart(|folder| {
        let wire = || socket(AddressFamily::NETLINK, SocketType::RAW, None);
        let (sandbox, _) = closed(folder);
        wire().unwrap();
        assert!(denied(socket(AddressFamily::PACKET, SocketType::RAW, None)));
        thread::scope(|scope| {
            scope.spawn(|| {
                sandbox.confine(Kind::Beside);
                assert!(denied(wire()));
                UnixDatagram::unbound().unwrap();
                fs::write(folder.join("log"), "line").unwrap();
                thread::Builder::new().spawn(|| ()).unwrap().join().unwrap();
            });
        });
        wire().unwrap();
    });
}

#[test]
fn capabilities_go_with_the_start() {
    apart(|folder| {
        let (sandbox, _) = closed(folder);
        sandbox.settle().unwrap();
        let held = capabilities(None).unwrap();
        assert_eq!(held.permitted & !privilege::MAIN, CapabilitySet::empty());
        assert_eq!(held.inheritable, CapabilitySet::empty());
        if rustix::process::geteuid().is_root() {
            assert_eq!(sandbox.status().bounding, Vec::<String>::new());
        }
    });
}

/// Run by the test below, in a process of its own.
#[test]
fn the_one_that_ends() {
    if env::var_os("PALISADE_ENDS").is_none() {
        return;
    }
    apart(|folder| {
        closed(folder);
        let error = Command::new("/bin/true").exec();
        eprintln!("it goes on: {error}");
    });
}

#[test]
fn what_no_gateway_calls_ends_the_process() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "sandbox::tests::the_one_that_ends", "--nocapture"]);
    let output = command.env("PALISADE_ENDS", "1").output().unwrap();
    assert_eq!(output.status.signal(), Some(SIGSYS), "{output:?}");
}

#[test]
fn off_is_off_and_says_so() {
    apart(|folder| {
        let sandbox = Sandbox::new(SandboxMode::Off).unwrap();
        sandbox.close(&Files::default()).unwrap();
        sandbox.confine(Kind::Worker);
        fs::write(folder.join("anything"), "x").unwrap();
        let status = sandbox.status();
        assert_eq!((status.calls.as_str(), status.files.as_str()), ("free", "none"));
        assert!(status.warning().unwrap().contains("mode = \"off\""));
    });
}
