//! Who asked: the peer of the control socket's connection, as the kernel knows it (unix(7),
//! SO_PEERCRED), so that nobody says it of himself.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A person's process, or a reason of the gateway's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user's name or number; `start`, `SIGHUP`, `exception ended` or `not confirmed` otherwise.
    pub name: String,
    /// The user.
    pub uid: Option<u32>,
    /// The process.
    pub pid: Option<u32>,
    /// The user who logged in, where it is another one: `sudo` does not change it
    /// (proc(5), `/proc/PID/loginuid`).
    pub login: Option<String>,
}

impl Who {
    /// A reason of the gateway's own.
    pub(crate) fn itself(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The process behind a connection.
    pub(crate) fn peer(uid: u32, pid: Option<u32>) -> Self {
        let users = users();
        let login = pid.and_then(login).filter(|login| *login != uid);
        Self {
            name: name(&users, uid),
            uid: Some(uid),
            pid,
            login: login.map(|login| name(&users, login)),
        }
    }
}

impl Who {
    /// With the numbers, for a log.
    pub(crate) fn full(&self) -> String {
        let uid = self.uid.map(|uid| format!("uid {uid}"));
        let pid = self.pid.map(|pid| format!("pid {pid}"));
        let numbers: Vec<String> = uid.into_iter().chain(pid).collect();
        if numbers.is_empty() {
            self.to_string()
        } else {
            format!("{self}, {}", numbers.join(", "))
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.login.as_ref().map_or(Ok(()), |login| write!(f, " ({login})"))
    }
}

/// The kernel's word for "nobody logged in".
const NOBODY: u32 = u32::MAX;

fn login(pid: u32) -> Option<u32> {
    let text = read(Path::new(&format!("/proc/{pid}/loginuid")))?;
    text.trim().parse().ok().filter(|uid| *uid != NOBODY)
}

/// Where the machine's own users and groups stand.
pub(crate) const NAMES: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// The machine's own users; those of a directory service go by their number. In the sandbox the file may be
/// another one than that of the start, and closed: then those that were last known.
fn users() -> String {
    static LAST: Mutex<String> = Mutex::new(String::new());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(users) = read(Path::new(NAMES[0])) {
        *last = users;
    }
    last.clone()
}

/// The number of a group of the machine, by its name or number.
pub(crate) fn group(name: &str) -> Option<u32> {
    // Names of users are shown later, when the file may be closed.
    users();
    let groups = read(Path::new(NAMES[1])).unwrap_or_default();
    number(&groups, name).or_else(|| name.parse().ok())
}

fn number(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// Whether a process has a group among its supplementary ones (proc(5), `/proc/PID/status`).
pub(crate) fn member(pid: u32, gid: u32) -> bool {
    let text = read(Path::new(&format!("/proc/{pid}/status"))).unwrap_or_default();
    let groups = text.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    groups.split_whitespace().any(|group| group.parse() == Ok(gid))
}

fn name(users: &str, uid: u32) -> String {
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid {uid}"))
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nanna:x:1000:1000::/home/anna:\n";
        for (uid, expected) in
            [(0, "root"), (1000, "anna"), (7, "uid 7"), (u32::MAX, "uid 4294967295")]
        {
            assert_eq!(name(users, uid), expected);
        }
        assert_eq!(Who::peer(0, Some(std::process::id())).name, "root");
        assert_eq!(Who::peer(0, Some(u32::MAX)).login, None, "no such process");
    }

    #[test]
    fn groups_have_names_or_numbers() {
        let groups = "root:x:0:\nbroken\npalisade:x:998:anna,otto\n";
        assert_eq!(number(groups, "palisade"), Some(998));
        assert_eq!(number(groups, "anna"), None);
        assert_eq!(
            (group("root"), group("4242"), group("no such group")),
            (Some(0), Some(4242), None)
        );
        assert!(!member(u32::MAX, 0), "no such process");
    }

    #[test]
    fn the_one_who_logged_in_is_shown_beside_the_one_who_asked() {
        let who = Who { login: Some("anna".into()), ..Who::itself("root") };
        assert_eq!(who.to_string(), "root (anna)");
        assert_eq!(Who::itself("SIGHUP").to_string(), "SIGHUP");
        assert_eq!(Who::itself("SIGHUP").full(), "SIGHUP");
        let who = Who { uid: Some(0), pid: Some(7), ..who };
        assert_eq!(who.full(), "root (anna), uid 0, pid 7");
    }
}
