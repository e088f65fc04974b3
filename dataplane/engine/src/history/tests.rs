//! The history in memory against a slow model, and on a disk with whatever may stand there.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::config::HistoryConfig;

fn entry(revision: u32, policy: &str) -> Entry {
    let facts = EntryFacts {
        revision,
        time: "2026-11-22T00:00:00Z".into(),
        how: How::Apply,
        who: Who::itself("anna"),
        why: Some("because".into()),
        back_to: None,
        confirm: revision.is_multiple_of(3).then_some(Confirmation { within_s: 60, by: None }),
        databases: vec![Database { kind: "country".into(), source: "x.mmdb".into(), build: None }],
    };
    Entry { facts, changes: vec!["+ a".into()], policy: policy.into() }
}

fn config(folder: &std::path::Path, keep: usize) -> HistoryConfig {
    HistoryConfig { path: Some(folder.to_owned()), keep }
}

#[test]
fn the_memory_agrees_with_a_slow_model() {
    let mut seed = 11_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut history = History::new(8, Vec::new());
    let mut model: Vec<Entry> = Vec::new();
    for revision in 1..5_000 {
        let policy = ["a", "b", "c"][random(3) as usize];
        history.add(Arc::new(entry(revision, policy)));
        model.push(entry(revision, policy));
        if model.len() > 8 {
            model.remove(0);
        }
        let asked = revision - random(12).min(u64::from(revision)) as u32;
        if random(2) == 0 {
            let known = model.iter_mut().find(|entry| entry.facts.revision == asked);
            let confirm = known.and_then(|entry| entry.facts.confirm.as_mut());
            let expected = confirm.map(|confirm| confirm.by = Some(Who::itself("ben")));
            assert_eq!(history.confirm(asked, Who::itself("ben")).map(drop), expected);
        }
        assert_eq!(history.len(), model.len());
        assert_eq!(history.policy(), policy);
        assert_eq!(history.oldest(), Some(model[0].facts.revision));
        let found = history.find(asked).map(|entry| Entry::clone(entry));
        assert_eq!(found, model.iter().find(|entry| entry.facts.revision == asked).cloned());
        let stood = |entry: &&Entry| entry.facts.confirm.as_ref().is_none_or(|c| c.by.is_some());
        let before = model.iter().rev().filter(stood).find(|entry| entry.policy != policy);
        assert_eq!(history.before().map(|entry| Entry::clone(entry)), before.cloned());
        let facts: Vec<EntryFacts> = model.iter().rev().map(|entry| entry.facts.clone()).collect();
        assert_eq!(history.facts(), facts);
    }
}

#[test]
fn the_memory_of_texts_is_bounded_but_for_the_newest() {
    let large = "x".repeat(TEXT_BYTES / 2 + 1);
    let mut history = History::new(100, Vec::new());
    for revision in 1..=3 {
        history.add(Arc::new(entry(revision, &large)));
        assert_eq!(history.len(), 1);
    }
    history.add(Arc::new(entry(4, "small")));
    assert_eq!(history.len(), 2);
    history.add(Arc::new(entry(5, &"y".repeat(TEXT_BYTES + 1))));
    assert_eq!((history.len(), history.oldest()), (1, Some(5)));
}

#[test]
fn what_is_written_is_read_again_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/history");
    let past = Past::open(&config(&path, 3));
    assert_eq!((past.first.0, past.entries.len(), past.trouble), (1, 0, None));
    let shelf = past.shelf.unwrap();
    for revision in 1..=5 {
        shelf.write(&entry(revision, "text")).unwrap();
        shelf.prune(revision.saturating_sub(2));
    }
    // In its place, not beside it.
    shelf.write(&entry(5, "other")).unwrap();
    let past = Past::open(&config(&path, 3));
    assert_eq!(past.first.0, 6);
    let policies: Vec<_> = past.entries.iter().map(|entry| &*entry.policy).collect();
    assert_eq!(policies, ["text", "text", "other"]);
    assert_eq!(past.entries[2], entry(5, "other"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3, "older ones are gone");
    assert_eq!(Past::open(&config(&path, 2)).entries.len(), 2);
}

/// Every prefix of a file is what a crash without an atomic rename would leave.
#[test]
fn no_file_stops_a_start_and_no_number_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let whole = serde_json::to_string(&entry(7, "text")).unwrap();
    Past::open(&config(path, 9)).shelf.unwrap().write(&entry(1, "good")).unwrap();
    for end in 0..whole.len() {
        fs::write(path.join("0000000007.json"), &whole.as_bytes()[..end]).unwrap();
        let past = Past::open(&config(path, 9));
        assert_eq!((past.first.0, past.entries.len()), (8, 1), "{end} bytes");
        assert!(past.trouble.unwrap().starts_with("1 file(s)"), "{end} bytes");
    }
    let other = |name: &str| path.join(name);
    fs::write(other("0000000008.json"), &whole).unwrap();
    fs::write(other("0000000009.json"), [0xff; 100]).unwrap();
    fs::create_dir(other("0000000010.json")).unwrap();
    symlink("0000000001.json", other("0000000011.json")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, other("0000000012.json"), rustix::fs::Mode::RUSR)
        .unwrap();
    fs::write(other("0000000013.json.new"), "half").unwrap();
    let huge = fs::File::create(other("0000000014.json")).unwrap();
    huge.set_len(1 << 40).unwrap();
    for name in ["4294967295.json", "99999999999.json", "+000000001.json", "notes.txt", "1.json"] {
        fs::write(other(name), &whole).unwrap();
    }
    let past = Past::open(&config(path, 9));
    assert_eq!((past.first.0, past.entries.len()), (15, 1));
    assert!(past.trouble.unwrap().starts_with("7 file(s)"));
    past.shelf.unwrap().prune(0);
    assert!(!other("0000000013.json.new").exists(), "what a crash left half-written is swept");
    assert!(other("notes.txt").exists() && other("4294967295.json").exists());
}

/// A gateway that ends between a revision's coming into force and its entry leaves the claim alone.
#[test]
fn a_number_that_was_claimed_is_not_used_again_until_it_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Past::open(&config(folder.path(), 9));
    let shelf = open().shelf.unwrap();
    shelf.write(&entry(4, "text")).unwrap();
    let ticket = shelf.claim(5).unwrap().unwrap();
    assert_eq!((open().first.0, open().entries.len(), open().trouble), (6, 1, None));
    shelf.prune(0);
    assert_eq!(open().first.0, 6, "nothing was written in its place yet");
    shelf.release(ticket);
    assert_eq!(open().first.0, 5);
    // Of two who claim it, neither takes it from the other, and it goes with the last.
    let [first, second] = [0; 2].map(|_| shelf.claim(5).unwrap().unwrap());
    assert_eq!(open().shelf.unwrap().claim(5).unwrap(), None, "nor does the next start");
    shelf.release(first);
    assert_eq!(open().first.0, 6);
    shelf.release(second);
    assert_eq!(open().first.0, 5);
    shelf.write(&entry(5, "text")).unwrap();
    assert_eq!((open().first.0, fs::read_dir(folder.path()).unwrap().count()), (6, 2));
    // The next start takes the number behind it, and its entry makes the claim needless.
    shelf.claim(6).unwrap();
    shelf.write(&entry(7, "text")).unwrap();
    shelf.prune(0);
    assert_eq!((open().first.0, fs::read_dir(folder.path()).unwrap().count()), (8, 3));
}

#[test]
fn a_folder_that_cannot_be_had_leaves_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below"), "/proc/nothing/here".into()] {
        let past = Past::open(&config(&path, 9));
        assert!(past.shelf.is_none() && past.first.0 == 1);
        assert!(past.trouble.unwrap().contains("in memory alone"), "{}", path.display());
    }
}

#[test]
fn nothing_in_an_entry_moves_a_terminal() {
    let mut hostile = entry(1, "text");
    hostile.facts.why = Some("\u{1b}[2J\u{7}".repeat(5_000));
    hostile.facts.who = Who { login: Some("a\nb".into()), ..Who::itself("\u{9b}x") };
    hostile.facts.databases[0].source = "\r".into();
    hostile.changes = vec!["\u{1b}".repeat(5_000); 300];
    let entry = hostile.plain();
    assert_eq!((entry.changes.len(), entry.changes[0].len()), (201, 1_000));
    assert_eq!(entry.changes[200], "… and 100 more");
    let plain = entry.facts;
    let why = plain.why.unwrap();
    assert!(why.chars().count() == 1_000 && !why.contains(char::is_control));
    let said = format!("{} {}", plain.who, plain.databases[0].source);
    assert!(!said.contains(char::is_control), "{said:?}");
}
