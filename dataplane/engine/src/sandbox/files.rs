//! Which files the process may still open, by Landlock (`Documentation/userspace-api/landlock.rst`).
//!
//! | may | where |
//! |---|---|
//! | read | everywhere; with `[sandbox] read` in these folders, those of the files that the first policy names, where databases usually lie, `/proc`, `/sys`, and the names of users |
//! | write | the folders of the policy, the drop log, the history and the control socket |
//!
//! All else is refused: other files, executing, TCP connections, abstract unix sockets and signals to
//! others. Kernels with an older Landlock refuse less, one without it nothing.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};
use lookup::Policy;

use super::{failed, usual};
use crate::{Config, Error, history};

/// The newest that the rules are written for: Linux 6.12. A later one may refuse what these rules do not
/// speak of.
const NEWEST: ABI = ABI::V6;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

impl Files {
    /// Of a gateway with this configuration and this first policy.
    pub(crate) fn of(config: &Config, policy: &Policy) -> Self {
        let home = folder(&config.policy);
        let mut read: Vec<PathBuf> = ["/proc", "/sys"].map(PathBuf::from).into();
        read.extend(history::NAMES.map(PathBuf::from));
        read.extend(usual());
        for name in policy.files() {
            read.extend(places(&home.join(name)));
        }
        match &config.sandbox.read {
            Some(folders) => read.extend(folders.iter().cloned()),
            // A later policy may name files anywhere.
            None => read.push("/".into()),
        }
        let mut write = places(&config.policy);
        write.extend(places(&fixed(&config.drops.path)));
        write.push(folder(&config.socket));
        write.extend(config.history.path.clone());
        Self { read, write }
    }

    /// Refuses all else from now on, to the calling thread and all that it starts; how much of it.
    ///
    /// # Errors
    /// [`Error::Sandbox`] when the kernel knows Landlock and does not take the rules.
    pub(super) fn restrict(&self) -> Result<&'static str, Error> {
        let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let write = read
            | make_bitflags!(AccessFs::{
                WriteFile | Truncate | MakeReg | MakeDir | MakeSock | RemoveFile
            });
        let restricted = rules(&[(self.read.as_slice(), read), (self.write.as_slice(), write)]);
        let status = restricted.map_err(|error| failed("restrict files", &error))?;
        Ok(match status {
            RulesetStatus::FullyEnforced => "full",
            RulesetStatus::PartiallyEnforced => "partial",
            RulesetStatus::NotEnforced => "none",
        })
    }
}

type Rights<'a> = (&'a [PathBuf], BitFlags<AccessFs>);

fn rules(rights: &[Rights<'_>]) -> Result<RulesetStatus, landlock::RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (paths, access) in rights {
        // What is not there cannot be opened either.
        rules = rules.add_rules(path_beneath_rules(*paths, *access))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// The folder of a file as it is named, and the one that links lead to.
fn places(file: &Path) -> Vec<PathBuf> {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    vec![folder(file), folder(&real)]
}

fn folder(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The part of a log's path that no domain's name changes, with a file in it.
fn fixed(path: &Path) -> PathBuf {
    let varies = |part: &std::ffi::OsStr| part.to_string_lossy().contains("{domain}");
    let folder: PathBuf = folder(path).iter().take_while(|part| !varies(part)).collect();
    folder.join("log")
}
