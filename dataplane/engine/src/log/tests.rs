//! A log that is moved, removed, full or stalled: every line is in a file once, or counted.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::Read;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

struct Case {
    folder: tempfile::TempDir,
    account: Arc<Account>,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), account: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> Log {
        self.rotated(name, None)
    }

    fn rotated(&self, name: &str, rotate: Option<Rotate>) -> Log {
        Log::new(self.path(name), rotate, Arc::clone(&self.account)).open().unwrap()
    }

    fn lines(&self, name: &str) -> Vec<u64> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a half line: {text:?}");
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

fn push(log: &mut Log, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| log.push(format!("{number}\n").as_bytes()));
}

#[test]
fn a_renamed_log_is_left_and_a_new_one_begun() {
    let case = Case::new();
    let mut log = case.open("a/b/drops");
    push(&mut log, 0..10);
    assert!(log.flush(0));
    fs::rename(case.path("a/b/drops"), case.path("drops.1")).unwrap();
    push(&mut log, 10..20);
    assert!(log.flush(0));
    fs::remove_dir_all(case.path("a")).unwrap();
    push(&mut log, 20..30);
    assert!(log.flush(0));
    log.finish();
    assert_eq!(case.lines("drops.1"), (0..10).collect::<Vec<_>>());
    assert_eq!(case.lines("a/b/drops"), (20..30).collect::<Vec<_>>());
    assert_eq!(case.account.lost(), 0);
}

#[test]
fn a_full_disk_is_counted_to_the_line_at_the_end() {
    let account = Arc::new(Account::default());
    let mut log = Log::new("/dev/full".into(), None, Arc::clone(&account)).open().unwrap();
    push(&mut log, 0..1000);
    assert!(!log.flush(0));
    assert_eq!(log.trouble(), None, "not yet worth a word");
    log.stuck = Instant::now().checked_sub(PATIENCE);
    assert!(!log.flush(0));
    assert!(log.trouble().unwrap().contains("No space left"), "{:?}", log.trouble());
    log.finish();
    assert_eq!(account.lost(), 1000);
}

#[test]
fn a_stalled_reader_neither_blocks_nor_costs_a_line() {
    let case = Case::new();
    let path = case.path("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut reader = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .unwrap();
    let mut log = case.open("pipe");
    let mut said = Vec::new();
    let (mut next, mut stalls) = (0, 0);
    for _ in 0..20 {
        while log.waiting() < 1 << 18 {
            push(&mut log, next..next + 100);
            next += 100;
        }
        stalls += u32::from(!log.flush(0));
        // As much as there is, which ends in the middle of a line.
        let _ = reader.read_to_end(&mut said);
    }
    assert!(stalls > 5, "a pipe has no room for all that");
    while !log.flush(0) {
        let _ = reader.read_to_end(&mut said);
    }
    let _ = reader.read_to_end(&mut said);
    push(&mut log, next..next + 500_000);
    assert!(!log.flush(0));
    log.finish();
    let _ = reader.read_to_end(&mut said);
    let text = String::from_utf8(said).unwrap();
    let whole = text.matches('\n').count() as u64;
    assert_eq!(whole + case.account.lost(), next + 500_000);
    let numbers = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    for (wanted, line) in (0..).zip(numbers) {
        assert_eq!(line.trim_end().parse::<u64>().unwrap(), wanted);
    }
}

#[test]
fn a_line_cut_short_moves_on_whole() {
    let case = Case::new();
    let mut log = case.open("drops");
    push(&mut log, 1000..1010);
    // As if the disk had been full after two lines and a half.
    let mut file = log.file.as_ref().unwrap();
    file.write_all(b"1000\n1001\n10").unwrap();
    log.done = 12;
    fs::rename(case.path("drops"), case.path("drops.1")).unwrap();
    assert!(log.flush(0));
    assert_eq!(case.lines("drops.1"), [1000, 1001]);
    assert_eq!(case.lines("drops"), (1002..1010).collect::<Vec<_>>());

    push(&mut log, 1010..1020);
    let mut file = log.file.as_ref().unwrap();
    file.write_all(b"1010\n101").unwrap();
    log.done = 8;
    log.finish();
    assert_eq!(case.lines("drops"), (1002..1011).collect::<Vec<_>>());
    assert_eq!(case.account.lost(), 9);
}

#[test]
fn lines_written_to_a_removed_file_are_written_again() {
    let case = Case::new();
    let mut log = case.open("drops");
    push(&mut log, 0..10);
    let mut file = log.file.as_ref().unwrap();
    file.write_all(b"0\n1\n2").unwrap();
    log.done = 5;
    fs::remove_file(case.path("drops")).unwrap();
    assert!(log.flush(0));
    assert_eq!(case.lines("drops"), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_log_is_begun_anew_before_it_grows_too_large_and_old_ones_go() {
    let case = Case::new();
    let rotate = Rotate { size_bytes: Some(50), every: None, keep: 3 };
    let mut log = case.rotated("drops", Some(rotate));
    for turn in 100..110 {
        // Ten lines of five bytes, and no room for an eleventh.
        push(&mut log, turn * 10..turn * 10 + 10);
        assert!(log.flush(0));
    }
    assert_eq!(log.finish(), 0);
    let files = ["drops", "drops.1", "drops.2", "drops.3"];
    let told: Vec<_> = files.iter().rev().flat_map(|name| case.lines(name)).collect();
    assert_eq!(told, (1060..1100).collect::<Vec<_>>());
    for name in files {
        assert_eq!(fs::metadata(case.path(name)).unwrap().len(), 50, "{name}");
    }
    assert!(!case.path("drops.4").exists());
}

#[test]
fn a_log_of_another_period_is_left() {
    let case = Case::new();
    let every = Some(Duration::from_secs(3600));
    let mut log = case.rotated("drops", Some(Rotate { size_bytes: None, every, keep: 2 }));
    push(&mut log, 0..10);
    assert!(log.flush(0));
    push(&mut log, 10..20);
    assert!(log.flush(0));
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    log.file.as_ref().unwrap().set_modified(hours_ago).unwrap();
    // Without a line to write, nothing is begun.
    assert!(log.flush(0));
    assert_eq!(case.lines("drops").len(), 20);
    push(&mut log, 20..30);
    assert!(log.flush(0));
    assert_eq!(case.lines("drops.1"), (0..20).collect::<Vec<_>>());
    assert_eq!(case.lines("drops"), (20..30).collect::<Vec<_>>());
}

#[test]
fn a_log_is_begun_anew_when_asked_and_no_line_is_cut() {
    let case = Case::new();
    let rotate = Rotate { size_bytes: None, every: None, keep: 9 };
    let mut log = case.rotated("drops", Some(rotate));
    assert!(log.flush(1), "an empty log is not moved");
    assert!(!case.path("drops.1").exists());
    push(&mut log, 0..10);
    assert!(log.flush(1));
    // Asked twice before there was a turn: begun anew once, at once.
    assert!(log.flush(3));
    assert_eq!(case.lines("drops.1"), (0..10).collect::<Vec<_>>());
    assert!(case.lines("drops").is_empty());
    // Half of a line is in the file: it is finished there first.
    push(&mut log, 10..20);
    log.file.as_ref().unwrap().write_all(b"10\n1").unwrap();
    log.done = 4;
    assert!(log.flush(4));
    assert_eq!(case.lines("drops"), (10..20).collect::<Vec<_>>());
    assert!(log.flush(4));
    assert_eq!(case.lines("drops.1"), (10..20).collect::<Vec<_>>());
    assert_eq!(case.lines("drops.2"), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_log_that_cannot_be_renamed_is_written_to_on() {
    let case = Case::new();
    let rotate = Rotate { size_bytes: Some(1), every: None, keep: 1 };
    let mut log = case.rotated("drops", Some(rotate));
    // A folder stands where the old log would go.
    fs::create_dir_all(case.path("drops.1/x")).unwrap();
    for turn in 0..3 {
        push(&mut log, turn * 10..turn * 10 + 10);
        assert!(log.flush(0));
    }
    assert_eq!(case.lines("drops"), (0..30).collect::<Vec<_>>());
}
