//! Who asked: the peer of the control socket's connection, as the kernel knows it (unix(7),
//! SO_PEERCRED), so that nobody says it of himself.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;

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

/// The machine's own users; those of a directory service go by their number.
fn users() -> String {
    read(Path::new("/etc/passwd")).unwrap_or_default()
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
    fn the_one_who_logged_in_is_shown_beside_the_one_who_asked() {
        let who = Who { login: Some("anna".into()), ..Who::itself("root") };
        assert_eq!(who.to_string(), "root (anna)");
        assert_eq!(Who::itself("SIGHUP").to_string(), "SIGHUP");
    }
}
