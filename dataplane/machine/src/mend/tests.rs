//! Half-done, done twice, changed by others, replaced: what comes back and what is left alone.

use std::{collections::BTreeMap, path::PathBuf};

use tempfile::TempDir;

use super::*;

/// A machine of files, some of which refuse values.
#[derive(Default)]
struct Desk {
    values: BTreeMap<String, String>,
    refuses: Vec<&'static str>,
    /// Takes another value than was asked for.
    rounds: Option<&'static str>,
    index: u32,
}

impl Machine for Desk {
    fn read(&self, setting: &Setting) -> io::Result<String> {
        let found = self.values.get(&setting.to_string()).cloned();
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such setting"))
    }

    fn write(&mut self, setting: &Setting, to: &str) -> io::Result<()> {
        if self.refuses.contains(&to) {
            return Err(io::Error::other("refused"));
        }
        let to = self.rounds.unwrap_or(to);
        self.values.insert(setting.to_string(), to.to_owned());
        Ok(())
    }

    fn mark(&self, _: &str) -> Option<Mark> {
        (self.index > 0).then(|| Mark { index: self.index, address: "02:00".to_owned() })
    }
}

fn ring() -> Setting {
    Setting::Ring { link: "eth0".to_owned(), kind: "rx".to_owned() }
}

fn file() -> Setting {
    Setting::File { path: "/proc/sys/vm/nr_hugepages".to_owned() }
}

fn change(setting: Setting, to: &str) -> Change {
    Change { setting, to: to.to_owned() }
}

struct Case {
    _folder: TempDir,
    path: PathBuf,
    desk: Desk,
}

impl Case {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/book.json");
        let values = [(ring().to_string(), "512".to_owned()), (file().to_string(), "0".to_owned())];
        let desk = Desk { values: values.into(), index: 7, ..Desk::default() };
        Self { _folder: folder, path, desk }
    }

    fn book(&self) -> Book {
        Book::open(&self.path, "boot-1").unwrap()
    }

    fn value(&self, setting: &Setting) -> &str {
        &self.desk.values[&setting.to_string()]
    }

    fn set(&mut self, setting: &Setting, to: &str) {
        self.desk.values.insert(setting.to_string(), to.to_owned());
    }

    fn apply(&mut self, setting: Setting, to: &str) -> Result<(), Error> {
        apply(&mut self.book(), &mut self.desk, &change(setting, to))
    }

    fn undo(&mut self) -> Vec<Fate> {
        let fates = undo(&mut self.book(), &mut self.desk).unwrap();
        fates.into_iter().map(|(_, fate)| fate).collect()
    }
}

#[test]
fn what_was_changed_comes_back_and_the_book_is_gone() {
    let mut case = Case::new();
    case.apply(ring(), "2048").unwrap();
    case.apply(file(), "64").unwrap();
    assert_eq!((case.value(&ring()), case.value(&file())), ("2048", "64"));
    assert_eq!(case.undo(), [Fate::Back, Fate::Back]);
    assert_eq!((case.value(&ring()), case.value(&file())), ("512", "0"));
    assert!(!case.path.exists());
    assert_eq!(case.undo(), []);
}

#[test]
fn what_is_right_already_is_not_noted() {
    let mut case = Case::new();
    case.apply(ring(), "512").unwrap();
    assert_eq!(case.book().entries(), []);
    case.apply(Setting::Key { link: "eth0".to_owned() }, "6d").unwrap_err();
    assert_eq!(case.book().entries(), [], "what can't be read is not touched");
}

#[test]
fn of_several_changes_the_first_value_comes_back() {
    let mut case = Case::new();
    case.apply(ring(), "1024").unwrap();
    case.apply(ring(), "2048").unwrap();
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!(case.value(&ring()), "512");
}

#[test]
fn what_others_changed_since_is_theirs() {
    let mut case = Case::new();
    case.apply(ring(), "2048").unwrap();
    case.apply(file(), "64").unwrap();
    case.set(&ring(), "4096");
    case.set(&file(), "0");
    assert_eq!(case.undo(), [Fate::Was, Fate::Theirs("4096".to_owned())]);
    assert_eq!(case.value(&ring()), "4096");
    assert!(!case.path.exists());

    // Changed by others between two runs: the later of the two values is what was found.
    case.apply(ring(), "1024").unwrap();
    case.set(&ring(), "256");
    case.apply(ring(), "2048").unwrap();
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!(case.value(&ring()), "256");
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_way_back() {
    // Noted and not made.
    let mut case = Case::new();
    case.book().note(&ring(), "512", "2048", case.desk.mark("eth0")).unwrap();
    assert_eq!(case.undo(), [Fate::Was]);
    // Noted and made, and nothing after that.
    case.book().note(&ring(), "512", "2048", case.desk.mark("eth0")).unwrap();
    case.set(&ring(), "2048");
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!(case.value(&ring()), "512");
    // While the book was written: the old one is whole.
    case.apply(ring(), "2048").unwrap();
    std::fs::write(case.path.with_extension("json.next"), "{\"boot\": \"bo").unwrap();
    assert_eq!(case.undo(), [Fate::Back]);
    // While undoing: the rest is undone later.
    case.apply(ring(), "2048").unwrap();
    case.apply(file(), "64").unwrap();
    case.desk.refuses = vec!["0"];
    assert_eq!(case.undo(), [Fate::Refused("refused".to_owned()), Fate::Back]);
    case.desk.refuses.clear();
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!((case.value(&ring()), case.value(&file())), ("512", "0"));
}

#[test]
fn a_refused_change_is_told_and_forgotten_and_half_of_one_is_not() {
    let mut case = Case::new();
    case.desk.refuses = vec!["2048"];
    let said = case.apply(ring(), "2048").unwrap_err().to_string();
    assert!(said.contains("rx ring of eth0") && said.contains("refused"), "{said}");
    assert_eq!(case.book().entries(), []);
    // The second of two is refused: the first is still to be undone.
    case.apply(ring(), "1024").unwrap();
    case.apply(ring(), "2048").unwrap_err();
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!(case.value(&ring()), "512");
    // A value that was taken in part is put back as well.
    case.desk.rounds = Some("48");
    let said = case.apply(file(), "64").unwrap_err().to_string();
    assert!(said.contains("48"), "{said}");
    case.desk.rounds = None;
    assert_eq!(case.undo(), [Fate::Back]);
    assert_eq!(case.value(&file()), "0");
}

#[test]
fn another_interface_of_the_name_is_left_alone() {
    for index in [0, 8] {
        let mut case = Case::new();
        case.apply(ring(), "2048").unwrap();
        case.apply(file(), "64").unwrap();
        case.desk.index = index;
        assert_eq!(case.undo(), [Fate::Back, Fate::Gone]);
        assert_eq!(case.value(&ring()), "2048");
        assert!(!case.path.exists());
    }
}

#[test]
fn a_book_of_an_earlier_boot_tells_nothing() {
    let mut case = Case::new();
    case.apply(ring(), "2048").unwrap();
    let mut later = Book::open(&case.path, "boot-2").unwrap();
    assert_eq!(undo(&mut later, &mut case.desk).unwrap(), []);
    assert_eq!(case.value(&ring()), "2048");
}

#[test]
fn a_book_is_private_locked_and_never_guessed_at() {
    use std::os::unix::fs::PermissionsExt;

    let mut case = Case::new();
    case.apply(ring(), "2048").unwrap();
    let mode = case.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let open = case.book();
    assert!(matches!(Book::open(&case.path, "boot-1"), Err(Error::Locked { .. })));
    drop(open);
    std::fs::write(&case.path, "{}").unwrap();
    assert!(matches!(Book::open(&case.path, "boot-1"), Err(Error::Damaged { .. })));
    // A link that somebody laid there is not followed.
    let lock = case.path.with_extension("json.lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink("/dev/null", &lock).unwrap();
    assert!(matches!(Book::open(&case.path, "boot-1"), Err(Error::Book { .. })));
}
