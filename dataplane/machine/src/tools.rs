//! The system's own programs that read and change NICs: `ethtool` and `ip`.
//!
//! What can be read without them is; what they change is run as it is shown, so that the command on the
//! screen and the one that ran are the same.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// System tools lie where an ordinary user's PATH does not look.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];
const NEEDED: [&str; 2] = ["ethtool", "ip"];

/// Runs a program and returns what it printed.
///
/// # Errors
/// When it can't be started, or with its own words when it fails.
pub(crate) fn run(program: &str, words: &[&str]) -> io::Result<String> {
    let path = find(program).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("there is no {program}; install it"))
    })?;
    let output = Command::new(path).args(words).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next().unwrap_or_default();
    let said = if said.is_empty() { output.status.to_string() } else { said.to_owned() };
    Err(io::Error::other(said))
}

/// Which of those that a NIC is changed with are not there.
pub(crate) fn missing() -> Vec<&'static str> {
    NEEDED.into_iter().filter(|program| find(program).is_none()).collect()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders =
        env::split_paths(&path).chain(SYSTEM.iter().map(|folder| Path::new(folder).into()));
    let mut places =
        folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
