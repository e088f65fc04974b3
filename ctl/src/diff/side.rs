//! What is compared: policies in files, revisions of the running gateway, databases.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::say;
use hyper::{Method, StatusCode};
use lookup::{Geo, GeoFiles, LoadError, Moment, Policy};
use serde_json::Value;

use super::{TROUBLE, refuse};
use crate::cli::Diff;
use crate::client;

/// One of the two.
pub(super) struct Side {
    /// As the user wrote it.
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) geo: Geo,
}

/// Both.
pub(super) struct Pair {
    pub(super) old: Side,
    pub(super) new: Side,
}

/// Why there is nothing to compare.
pub(super) enum Trouble {
    /// In words.
    Words(String),
    /// A policy with mistakes.
    Policy(Box<LoadError>),
    /// No gateway answers, which was said.
    Said(ExitCode),
}

impl Trouble {
    pub(super) fn say(self) -> ExitCode {
        match self {
            Self::Words(words) => say(words),
            Self::Policy(error) => refuse(&error),
            Self::Said(code) => return code,
        }
        ExitCode::from(TROUBLE)
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        Self::Policy(Box::new(error))
    }
}

/// What a name on the command line stands for.
enum Kind {
    Policy,
    /// A revision, or the one in force.
    Revision(Option<u32>),
    Database,
}

fn kind(name: &str) -> Kind {
    let path = Path::new(name);
    if path.exists() {
        let ends = |end: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(end));
        return if ends("mmdb") || ends("csv") { Kind::Database } else { Kind::Policy };
    }
    let number = name.strip_prefix('r').and_then(|number| number.parse().ok());
    match (name, number) {
        ("running", _) => Kind::Revision(None),
        (_, Some(number)) => Kind::Revision(Some(number)),
        _ => Kind::Policy,
    }
}

/// Reads both.
pub(super) fn pair(args: &Diff, now: Moment) -> Result<Pair, Trouble> {
    match (kind(&args.old), kind(&args.new)) {
        (Kind::Database, Kind::Database) => databases(args, now),
        (Kind::Database, _) | (_, Kind::Database) => Err(Trouble::Words(
            "a database can be compared with another database alone: give two policies, or two \
             databases and --policy"
                .to_owned(),
        )),
        (old, new) => {
            let old = side(args, &args.old, &old, now)?;
            Ok(Pair { old, new: side(args, &args.new, &new, now)? })
        }
    }
}

fn side(args: &Diff, name: &str, kind: &Kind, now: Moment) -> Result<Side, Trouble> {
    let (policy, geo, _) = match kind {
        Kind::Revision(revision) => {
            let (text, path) = revision_of(args, *revision)?;
            Policy::load_text(&path, text, now)?
        }
        Kind::Policy | Kind::Database => Policy::load(Path::new(name), now)?,
    };
    Ok(Side { name: name.to_owned(), policy, geo })
}

/// The text of a revision, and where its policy stands.
fn revision_of(args: &Diff, revision: Option<u32>) -> Result<(String, PathBuf), Trouble> {
    let number = match revision {
        Some(number) => number,
        None => {
            let status = get(args, "/status")?;
            let number = status["revision"].as_u64().and_then(|it| u32::try_from(it).ok());
            number.ok_or_else(|| Trouble::Words("the gateway tells no revision".to_owned()))?
        }
    };
    let entry = get(args, &format!("/history/{number}"))?;
    let Some(text) = entry["policy"].as_str() else {
        let words = format!("the gateway tells no policy of revision {number}");
        return Err(Trouble::Words(words));
    };
    let stands = args.policy.clone().or_else(|| entry["path"].as_str().map(PathBuf::from));
    Ok((text.to_owned(), stands.unwrap_or_else(|| PathBuf::from("policy.toml"))))
}

fn get(args: &Diff, path: &str) -> Result<Value, Trouble> {
    let (status, body) = client::ask(&args.control, Method::GET, path).map_err(Trouble::Said)?;
    if status != StatusCode::OK {
        return Err(Trouble::Words(String::from_utf8_lossy(&body).into_owned()));
    }
    serde_json::from_slice(&body).map_err(|error| {
        Trouble::Words(format!("the gateway's answer is of another version: {error}"))
    })
}

/// One policy over two databases.
fn databases(args: &Diff, now: Moment) -> Result<Pair, Trouble> {
    let Some(path) = &args.policy else {
        let words = "two databases are compared under a policy: name it with --policy";
        return Err(Trouble::Words(words.to_owned()));
    };
    let side = |name: &str| -> Result<Side, Trouble> {
        let (policy, _, _) = Policy::load(path, now)?;
        let geo = over(path, &policy, Path::new(name)).map_err(Trouble::Words)?;
        Ok(Side { name: name.to_owned(), policy, geo })
    };
    Ok(Pair { old: side(&args.old)?, new: side(&args.new)? })
}

/// The databases of a policy with another one in the place of the one of its kind.
fn over(policy_path: &Path, policy: &Policy, file: &Path) -> Result<Geo, String> {
    let folder = policy_path.parent().unwrap_or(Path::new(""));
    let country = policy.geo.country.as_ref().map(|name| folder.join(name.get_ref()));
    let asn = policy.geo.asn.as_ref().map(|name| folder.join(name.get_ref()));
    let load = |files: &GeoFiles| Geo::load(files, &policy.overrides);
    let as_country = GeoFiles { country: Some(file.to_owned()), asn };
    load(&as_country).or_else(|error| {
        let as_asn = GeoFiles { country, asn: Some(file.to_owned()) };
        // What it is not as a country database is the message that helps.
        load(&as_asn).map_err(|_| error.to_string())
    })
}
