//! What a gateway tells the service's supervisor, and what it does not tell it when a worker hangs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod common;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Gateway, Setup};
use rustix::process::Signal;

/// The watchdog's time; it hears four times as often.
const WATCHDOG: Duration = Duration::from_millis(1600);
const PATIENCE: Duration = Duration::from_secs(10);

/// The supervisor's end of the socket.
struct Supervisor {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Supervisor {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("palisade-notify-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self { path, socket }
    }

    /// The environment of a service.
    fn wrapper(&self) -> Vec<String> {
        let socket = format!("NOTIFY_SOCKET={}", self.path.display());
        vec!["env".to_owned(), socket, format!("WATCHDOG_USEC={}", WATCHDOG.as_micros())]
    }

    /// What comes within a time.
    fn hears(&self, within: Duration) -> Vec<String> {
        let begin = Instant::now();
        let mut words = Vec::new();
        let mut bytes = [0; 1024];
        while begin.elapsed() < within {
            if let Ok(length) = self.socket.recv(&mut bytes) {
                words.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        }
        words
    }

    /// Waits for words.
    fn awaits(&self, words: &str) {
        let begin = Instant::now();
        let mut heard = Vec::new();
        while begin.elapsed() < PATIENCE {
            heard.extend(self.hears(Duration::from_millis(20)));
            if heard.iter().any(|said| said.contains(words)) {
                return;
            }
        }
        panic!("no `{words}` in {heard:?}");
    }
}

/// Stops one thread of another process, by the means of debuggers, until it is killed (ptrace(2)).
fn hang(thread: u32) -> Child {
    let script = "import ctypes, sys, time\n\
                  ptrace = ctypes.CDLL(None, use_errno=True).ptrace\n\
                  thread = int(sys.argv[1])\n\
                  assert ptrace(0x4206, thread, 0, 0) == 0, ctypes.get_errno()\n\
                  assert ptrace(0x4207, thread, 0, 0) == 0, ctypes.get_errno()\n\
                  print('stopped', flush=True)\n\
                  time.sleep(60)\n";
    let mut command = Command::new("python3");
    command.args(["-c", script, &thread.to_string()]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert_eq!(line, "stopped\n");
    child
}

/// A thread of the gateway, by its name.
fn thread(gateway: &Gateway, name: &str) -> u32 {
    let threads = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let named = |path: &Path| fs::read_to_string(path.join("comm")).unwrap().trim() == name;
    let found = threads.map(|thread| thread.unwrap().path()).find(|path| named(path)).unwrap();
    found.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn a_service_tells_when_it_serves_reloads_and_stops_and_that_it_goes_on() {
    let Some(lab) = site(1) else { return };
    let supervisor = Supervisor::new();
    let setup = Setup { wrapper: supervisor.wrapper(), ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    supervisor.awaits("READY=1\nSTATUS=outside <-> inside, 1 worker(s), revision 1");
    let pings = |heard: Vec<String>| heard.iter().filter(|said| *said == "WATCHDOG=1").count();
    let heard = pings(supervisor.hears(WATCHDOG * 2));
    assert!((4..=9).contains(&heard), "{heard} in twice the watchdog's time");
    gateway.signal(Signal::HUP).unwrap();
    supervisor.awaits("RELOADING=1");
    supervisor.awaits("READY=1\nSTATUS=outside <-> inside, 1 worker(s), revision 2");

    let mut debugger = hang(thread(&gateway, "worker-0"));
    supervisor.hears(WATCHDOG / 2);
    assert_eq!(pings(supervisor.hears(WATCHDOG)), 0, "a worker hangs");
    debugger.kill().unwrap();
    debugger.wait().unwrap();
    supervisor.awaits("WATCHDOG=1");
    gateway.stop().unwrap();
    supervisor.awaits("STOPPING=1");
}
