//! A log that is moved, removed, full or stalled: every line is in a file once, or counted.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::Read;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

struct Case {
    folder: tempfile::TempDir,
    state: Arc<LogState>,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), state: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> Log {
        Log::open(&self.path(name), Arc::clone(&self.state)).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<u64> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a half line: {text:?}");
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

fn push(log: &mut Log, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| log.push(&number));
}

#[test]
fn a_renamed_log_is_left_and_a_new_one_begun() {
    let case = Case::new();
    let mut log = case.open("a/b/drops");
    push(&mut log, 0..10);
    assert!(log.flush());
    fs::rename(case.path("a/b/drops"), case.path("drops.1")).unwrap();
    push(&mut log, 10..20);
    assert!(log.flush());
    fs::remove_dir_all(case.path("a")).unwrap();
    push(&mut log, 20..30);
    assert!(log.flush());
    log.finish(0);
    assert_eq!(case.lines("drops.1"), (0..10).collect::<Vec<_>>());
    assert_eq!(case.lines("a/b/drops"), (20..30).collect::<Vec<_>>());
    assert_eq!(case.state.unwritten(), 0);
}

#[test]
fn a_full_disk_is_counted_to_the_line_at_the_end() {
    let state = Arc::new(LogState::default());
    let mut log = Log::open(Path::new("/dev/full"), Arc::clone(&state)).unwrap();
    push(&mut log, 0..1000);
    assert!(!log.flush());
    assert_eq!(state.trouble(), None, "not yet worth a word");
    log.stuck = Instant::now().checked_sub(PATIENCE);
    assert!(!log.flush());
    assert!(state.trouble().unwrap().contains("No space left"), "{:?}", state.trouble());
    log.finish(5);
    assert_eq!(state.unwritten(), 1005);
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
        while log.room() {
            push(&mut log, next..next + 100);
            next += 100;
        }
        stalls += u32::from(!log.flush());
        // As much as there is, which ends in the middle of a line.
        let _ = reader.read_to_end(&mut said);
    }
    assert!(stalls > 5, "a pipe has no room for all that");
    while !log.flush() {
        let _ = reader.read_to_end(&mut said);
    }
    let _ = reader.read_to_end(&mut said);
    push(&mut log, next..next + 500_000);
    assert!(!log.flush());
    log.finish(0);
    let _ = reader.read_to_end(&mut said);
    let text = String::from_utf8(said).unwrap();
    let whole = text.matches('\n').count() as u64;
    assert_eq!(whole + case.state.unwritten(), next + 500_000);
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
    assert!(log.flush());
    assert_eq!(case.lines("drops.1"), [1000, 1001]);
    assert_eq!(case.lines("drops"), (1002..1010).collect::<Vec<_>>());

    push(&mut log, 1010..1020);
    let mut file = log.file.as_ref().unwrap();
    file.write_all(b"1010\n101").unwrap();
    log.done = 8;
    log.finish(0);
    assert_eq!(case.lines("drops"), (1002..1011).collect::<Vec<_>>());
    assert_eq!(case.state.unwritten(), 9);
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
    assert!(log.flush());
    assert_eq!(case.lines("drops"), (0..10).collect::<Vec<_>>());
}
