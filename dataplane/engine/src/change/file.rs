//! The policy's file: replaced whole, and compared with what is in force.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::POLICY_BYTES;

/// Puts `text` in the place of the file at `path`: at any moment the old text or the new one stands
/// there. Owner and mode stay; behind a link it is the file that is replaced, not the link.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(&path).ok();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.new"));
    let written =
        write(&fresh, before.as_ref(), text.as_bytes()).and_then(|()| fs::rename(&fresh, &path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Copies what stands in the file beside it, unless it is `known`: an edit that a change by other means
/// would lose. The copy's path, if one was made.
pub(crate) fn keep(
    path: &Path,
    revision: u32,
    known: impl Fn(&str) -> bool,
) -> io::Result<Option<PathBuf>> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Ok(facts) = fs::metadata(&path) else { return Ok(None) };
    if !facts.is_file() {
        return Ok(None);
    }
    let mut there = Vec::new();
    File::open(&path)?.take(POLICY_BYTES).read_to_end(&mut there)?;
    if std::str::from_utf8(&there).is_ok_and(known) {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = |turn: u32| match turn {
        0 => path.with_file_name(format!("{name}.before-{revision}")),
        turn => path.with_file_name(format!("{name}.before-{revision}.{turn}")),
    };
    // Numbers of revisions may begin anew, and an older copy stays.
    let free = (0..1000).map(named).find(|copy| fs::symlink_metadata(copy).is_err());
    let copy = free.ok_or_else(|| io::Error::other("there are a thousand copies beside it"))?;
    write(&copy, Some(&facts), &there)?;
    Ok(Some(copy))
}

fn write(fresh: &Path, before: Option<&Metadata>, text: &[u8]) -> io::Result<()> {
    // What a crash left; a link that somebody else put there must not be followed.
    let _ = fs::remove_file(fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh)?;
    file.write_all(text)?;
    if let Some(before) = before {
        fchown(&file, Some(before.uid()), Some(before.gid()))?;
        file.set_permissions(before.permissions())?;
    }
    file.sync_all()
}

/// What the file is when it was last compared: it is read again only when it changed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    identity: Option<(u64, u64, i64, i64, u64)>,
    /// The revision that it was compared with.
    revision: u32,
    differs: bool,
}

impl Seen {
    /// Whether the file at `path` says something else than `text`, the policy of a revision.
    pub(crate) fn differs(&mut self, path: &Path, revision: u32, text: &str) -> bool {
        let Ok(facts) = fs::metadata(path) else { return true };
        let identity = (facts.dev(), facts.ino(), facts.mtime(), facts.mtime_nsec(), facts.len());
        if self.identity != Some(identity) || self.revision != revision {
            self.differs = !same(path, &facts, text);
            (self.identity, self.revision) = (Some(identity), revision);
        }
        self.differs
    }
}

/// A pipe says nothing that could be compared.
fn same(path: &Path, facts: &Metadata, text: &str) -> bool {
    if !facts.is_file() {
        return !facts.is_dir();
    }
    let mut there = Vec::new();
    let read = File::open(path).and_then(|file| file.take(POLICY_BYTES).read_to_end(&mut there));
    facts.len() == text.len() as u64 && read.is_ok() && there == text.as_bytes()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_keeps_its_mode_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("policy.toml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real.toml", &link).unwrap();
        // What a crash left there is no reason to fail.
        fs::write(folder.path().join(".real.toml.new"), "half").unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        replace(&folder.path().join("fresh.toml"), "first").unwrap();
        replace(&folder.path().join("missing/policy.toml"), "text").unwrap_err();
    }

    #[test]
    fn a_difference_is_seen_at_once_and_forgotten_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let mut seen = Seen::default();
        assert!(seen.differs(&path, 1, "a"), "there is none");
        fs::write(&path, "a").unwrap();
        assert!(!seen.differs(&path, 1, "a"));
        assert!(seen.differs(&path, 2, "b"), "another policy is in force");
        replace(&path, "b").unwrap();
        assert!(!seen.differs(&path, 2, "b"));
        fs::write(&path, "bb").unwrap();
        assert!(seen.differs(&path, 2, "b"));
        fs::remove_file(&path).unwrap();
        assert!(seen.differs(&path, 2, "b"));
    }
}
