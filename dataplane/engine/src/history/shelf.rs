//! The history on disk: one folder, one file a revision, each whole or not there.
//!
//! ```text
//!  claim --> 0000000007.json.new, empty --fsync--> folder      before revision 7 is in force
//!  Entry --> 0000000007.json.new --fsync--> rename --> 0000000007.json --fsync--> folder
//! ```
//! A file is never changed in place, so that a crash at any moment leaves the old one or the new one
//! (rename(2) is atomic). What is there and is no entry is left where it is, and no number of a file
//! is used again, whatever stands in it: so a revision that was in force, and whose gateway ended
//! before its entry was written, has left its number at least.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;

use super::{Entry, TEXT_BYTES};

/// The largest number that a start continues from: one that a person wrote by hand stops nothing.
const MOST: u32 = u32::MAX / 2;
/// The largest file that is read: a policy of the largest size, with its escapes.
const FILE_BYTES: u64 = 2 * TEXT_BYTES as u64;

/// The folder.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    /// How many hold a claim on a number that was made here.
    holders: Mutex<BTreeMap<u32, u32>>,
}

/// A hold on a claim: the claim goes when the last one is given back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

/// What a start finds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The newest entries, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// The highest number there is, of an entry or a claim.
    pub(crate) last: u32,
    /// Files with the name of an entry that hold none.
    pub(crate) strange: usize,
}

/// The numbers of all files with the name of an entry, highest first, and of a claim.
#[derive(Debug, Default)]
struct Numbers {
    entries: Vec<u32>,
    claims: Vec<u32>,
}

impl Shelf {
    /// Opens the folder, made when missing, for its owner alone.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::read_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), holders: Mutex::default() })
    }

    /// Reads the newest `keep` entries.
    pub(crate) fn read(&self, keep: usize) -> Found {
        let mut found = Found::default();
        let Numbers { entries, claims } = self.numbers();
        found.last = entries.iter().chain(&claims).max().copied().unwrap_or(0);
        let mut text_bytes = 0;
        for number in entries {
            if found.entries.len() >= keep || text_bytes > TEXT_BYTES {
                break;
            }
            match read(&self.path(number), number) {
                Some(entry) => {
                    text_bytes += entry.policy.len();
                    found.entries.push(entry);
                }
                None => found.strange += 1,
            }
        }
        found.entries.reverse();
        found
    }

    /// Keeps a number from being used again, before its revision is in force. What gives it back, if it
    /// is not used after all; nothing for a claim that an earlier gateway left.
    pub(crate) fn claim(&self, revision: u32) -> io::Result<Option<Ticket>> {
        let mut holders = self.holders();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.claim_path(revision));
        match file {
            Ok(file) => {
                file.sync_all()?;
                File::open(&self.folder)?.sync_all()?;
                holders.insert(revision, 1);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let Some(held) = holders.get_mut(&revision) else { return Ok(None) };
                *held += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(Some(Ticket(revision)))
    }

    /// Gives a number back, unless somebody else holds it too.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is given back once")]
    pub(crate) fn release(&self, ticket: Ticket) {
        let Ticket(revision) = ticket;
        let mut holders = self.holders();
        let Some(held) = holders.get_mut(&revision) else { return };
        *held -= 1;
        if *held == 0 {
            holders.remove(&revision);
            // One that stays only leaves a number out.
            let _ = fs::remove_file(self.claim_path(revision));
        }
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry in the place of the one of its revision, if any.
    pub(crate) fn write(&self, entry: &Entry) -> io::Result<()> {
        let path = self.path(entry.facts.revision);
        let fresh = self.claim_path(entry.facts.revision);
        let written = write(&fresh, &path, entry);
        if written.is_err() {
            // What is half there only takes room on a disk that may be full.
            let _ = fs::remove_file(&fresh);
        }
        written?;
        // The claim became the entry.
        self.holders().remove(&entry.facts.revision);
        File::open(&self.folder)?.sync_all()
    }

    /// Removes the entries older than `oldest`, and claims that an entry of a higher number makes
    /// needless.
    pub(crate) fn prune(&self, oldest: u32) {
        let Numbers { entries, claims } = self.numbers();
        let newest = entries.first().copied().unwrap_or(0);
        for number in entries.into_iter().filter(|number| *number < oldest) {
            // One that stays takes room, and is tried again with the next.
            let _ = fs::remove_file(self.path(number));
        }
        for number in claims.into_iter().filter(|number| *number < newest) {
            let _ = fs::remove_file(self.claim_path(number));
        }
    }

    /// What stands in the folder.
    fn numbers(&self) -> Numbers {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut numbers = Numbers::default();
        for file in files {
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            let of = |end: &str| name.strip_suffix(end).and_then(number);
            numbers.entries.extend(of(".json"));
            numbers.claims.extend(of(".json.new"));
        }
        numbers.entries.sort_unstable_by(|a, b| b.cmp(a));
        numbers
    }

    fn claim_path(&self, revision: u32) -> PathBuf {
        self.path(revision).with_extension("json.new")
    }

    fn path(&self, revision: u32) -> PathBuf {
        self.folder.join(format!("{revision:010}.json"))
    }
}

/// Ten digits that are no more than `MOST`.
fn number(digits: &str) -> Option<u32> {
    let ten = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| ten && *number <= MOST)
}

fn read(path: &Path, revision: u32) -> Option<Entry> {
    // A pipe of that name must not be waited for, nor a link be followed out of the folder.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let facts = file.metadata().ok()?;
    if !facts.is_file() || facts.len() > FILE_BYTES {
        return None;
    }
    let mut text = String::new();
    file.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    let entry: Entry = serde_json::from_str(&text).ok()?;
    (entry.facts.revision == revision).then(|| entry.plain())
}

fn write(fresh: &Path, path: &Path, entry: &Entry) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(entry)?;
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}
