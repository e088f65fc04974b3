//! What the service's supervisor hears: datagrams to the socket that it names (sd_notify(3)).
//!
//! ```text
//!  READY=1   every worker has made a turn      RELOADING=1, READY=1   around a reload by SIGHUP
//!  WATCHDOG=1   every worker goes on           STOPPING=1             the end begins
//! ```
//! A worker that hangs stops the watchdog's messages: the supervisor kills the process, the programs stay
//! on, and with them the fail mode, until it starts anew. Without a supervisor nothing is sent. Std's
//! datagram sockets are all it takes; the crate `sd-notify` opens one a message, which is more than the
//! sandbox should let this process do.

use std::{
    env,
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::{Duration, Instant},
};

/// How often the status is told anew where it changed.
const TELL: Duration = Duration::from_secs(1);

/// The way to the supervisor, and what it heard last.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often the watchdog wants to hear: four times as often as it bites.
    watchdog: Option<Duration>,
    pinged: Option<Instant>,
    told: Option<Instant>,
    status: String,
}

impl Supervisor {
    /// The one that the environment names, if any. Called before the sandbox is closed.
    pub(crate) fn open() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let word = |name| env::var(name).ok();
        let watchdog = watchdog(word("WATCHDOG_USEC").as_deref(), word("WATCHDOG_PID").as_deref());
        Self { socket, watchdog, ..Self::default() }
    }

    /// Whether anybody listens.
    pub(crate) fn listens(&self) -> bool {
        self.socket.is_some()
    }

    /// The service serves, or serves again.
    pub(crate) fn ready(&mut self, status: String) {
        self.send(&format!("READY=1\nSTATUS={status}"));
        (self.status, self.told) = (status, Some(Instant::now()));
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub(crate) fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The end begins.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// One turn of the gateway: `alive` says whether all go on, `status` what it does.
    pub(crate) fn turn(&mut self, alive: impl FnOnce() -> bool, status: impl FnOnce() -> String) {
        if self.socket.is_none() {
            return;
        }
        if due(self.pinged, self.watchdog) && alive() {
            self.send("WATCHDOG=1");
            self.pinged = Some(Instant::now());
        }
        if due(self.told, Some(TELL)) {
            self.told = Some(Instant::now());
            let status = status();
            if status != self.status {
                self.send(&format!("STATUS={status}"));
                self.status = status;
            }
        }
    }

    /// A supervisor that takes nothing just now misses a word; the next one comes.
    fn send(&self, words: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(words.as_bytes());
        }
    }
}

fn due(last: Option<Instant>, every: Option<Duration>) -> bool {
    every.is_some_and(|every| last.is_none_or(|last| last.elapsed() >= every))
}

/// A path, or a name without one after an `@` (unix(7), abstract sockets).
fn connect(name: &OsStr) -> Option<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address.ok()?).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// How often to say so, if the watchdog watches this process (sd_watchdog_enabled(3)).
fn watchdog(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let usec: u64 = usec?.parse().ok().filter(|usec| ours && *usec > 0)?;
    Some(Duration::from_micros(usec / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(by: &UnixDatagram) -> Vec<String> {
        let mut words = Vec::new();
        let mut bytes = [0; 512];
        while let Ok(length) = by.recv(&mut bytes) {
            words.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        words
    }

    fn pair() -> (UnixDatagram, Supervisor) {
        let (socket, other) = UnixDatagram::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let supervisor = Supervisor {
            socket: Some(socket),
            watchdog: Some(Duration::ZERO),
            ..Supervisor::default()
        };
        (other, supervisor)
    }

    #[test]
    fn the_watchdog_hears_only_of_those_that_go_on() {
        let (other, mut supervisor) = pair();
        supervisor.ready("two workers".to_owned());
        supervisor.turn(|| true, || "two workers".to_owned());
        supervisor.turn(|| false, || "two workers".to_owned());
        assert_eq!(heard(&other), ["READY=1\nSTATUS=two workers", "WATCHDOG=1"]);
        supervisor.told = None;
        supervisor.turn(|| false, || "an interface is gone".to_owned());
        assert_eq!(heard(&other), ["STATUS=an interface is gone"]);
    }

    #[test]
    fn sockets_have_paths_or_abstract_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _listens = UnixDatagram::bind(&path).unwrap();
        assert!(connect(path.as_os_str()).is_some());
        assert!(connect(OsStr::new("/no/such/socket")).is_none());
        let name = format!("palisade-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listens = UnixDatagram::bind_addr(&address).unwrap();
        assert!(connect(OsStr::new(&format!("@{name}"))).is_some());
    }

    #[test]
    fn the_watchdog_of_another_process_is_none_of_ours() {
        let own = std::process::id().to_string();
        assert_eq!(watchdog(Some("4000000"), None), Some(Duration::from_secs(1)));
        assert_eq!(watchdog(Some("4000000"), Some(&own)), Some(Duration::from_secs(1)));
        for (usec, pid) in
            [(None, None), (Some("0"), None), (Some("x"), None), (Some("9"), Some("1"))]
        {
            assert_eq!(watchdog(usec, pid), None);
        }
    }
}
