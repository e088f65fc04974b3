//! What all changes of a running gateway share: the request, the session that makes it, the answer.

use std::env;
use std::fs;
use std::io::Read as _;
use std::process::ExitCode;

use engine::say;
use hyper::{Method, StatusCode, body::Bytes};
use serde::Serialize;

use crate::cli::{Control, Terms};
use crate::client::{Answer, send};
use crate::words::{tell, warn};

/// The body of a request, by the names of docs/change.md.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Wish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm_s: Option<u64>,
    pub(crate) why: Option<String>,
    pub(crate) force: bool,
    pub(crate) accept: bool,
    pub(crate) session: Option<String>,
}

impl Wish {
    /// A wish with these terms.
    pub(crate) fn new(terms: &Terms) -> Self {
        Self {
            why: terms.why.clone(),
            force: terms.force,
            accept: terms.accept,
            session: session(),
            ..Self::default()
        }
    }
}

/// Sends a wish and prints the answer.
pub(crate) fn change(control: &Control, path: &str, json: bool, wish: &Wish) -> ExitCode {
    let body = match serde_json::to_vec(wish) {
        Ok(body) => Bytes::from(body),
        Err(error) => {
            say(format_args!("cannot write the request: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let answer = if json { Answer::Json } else { Answer::Words };
    match send(control, Method::POST, path, answer, body) {
        Ok((StatusCode::OK, body)) => {
            tell(String::from_utf8_lossy(&body));
            ExitCode::SUCCESS
        }
        // A script reads what was refused where it reads what was done.
        Ok((_, body)) if json => {
            tell(String::from_utf8_lossy(&body));
            ExitCode::FAILURE
        }
        Ok((_, body)) => {
            warn(String::from_utf8_lossy(&body));
            ExitCode::FAILURE
        }
        Err(code) => code,
    }
}

/// Processes between this one and the one that sshd started.
const PARENTS: usize = 32;

/// `SSH_CONNECTION` of the session that this command is part of. sudo takes it out of the environment,
/// so that the parents' are looked at too, as far as they can be read.
fn session() -> Option<String> {
    if let Ok(session) = env::var("SSH_CONNECTION") {
        return Some(session);
    }
    let mut pid = parent("self")?;
    for _ in 0..PARENTS {
        if let Some(session) = theirs(&pid) {
            return Some(session);
        }
        pid = parent(&pid)?;
    }
    None
}

fn theirs(pid: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(1 << 20).read_to_end(&mut bytes).ok()?;
    let mut entries = bytes.split(|byte| *byte == 0);
    let found = entries.find_map(|entry| entry.strip_prefix(b"SSH_CONNECTION="))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

/// proc(5): the fourth field of `stat`, behind a name that may hold anything but a last `)`.
fn parent(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1).filter(|pid| *pid != "0").map(str::to_owned)
}
