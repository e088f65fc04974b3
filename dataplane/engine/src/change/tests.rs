//! Changes through the desk, with readers in the place of workers.

use std::fs;
use std::path::Path;
use std::thread;

use lookup::{Loaded, Revision};
use tempfile::TempDir;

use super::*;
use crate::config::HistoryConfig;

const POLICY: &str = "failsafe = [\"198.51.100.0/24\"]\n\
    [group.home]\nnetworks = [\"203.0.113.0/24\"]\n\
    [domain.shop]\nallow = [\"home\"]\n\
    [[domain.shop.service]]\nname = \"web\"\nnetworks = [\"10.1.0.0/24\"]\nproto = \"tcp\"\nports = [\"80\"]\n";

struct Site {
    folder: TempDir,
    desk: Desk,
}

impl Site {
    fn new(text: &str, history: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.toml"), text).unwrap();
        Self::over(folder, history)
    }

    /// A start over a folder that an earlier one left.
    fn over(folder: TempDir, history: Option<&str>) -> Self {
        let path = folder.path().join("policy.toml");
        let history = history.map(|name| folder.path().join(name));
        let past = Past::open(&HistoryConfig { path: history, keep: 16 });
        let loaded = Loaded::read(&path, moment(), past.first).unwrap();
        let publisher = Publisher::new(loaded.ruleset);
        let text = loaded.policy.source().text.clone();
        let desk = Desk::new(path, text, publisher, Legends::default(), past);
        Self { folder, desk }
    }

    fn restarted(self, history: Option<&str>) -> Self {
        Self::over(self.folder, history)
    }

    fn change(&self, origin: Origin, terms: ask::Terms) -> Result<Changed, Refused> {
        self.desk.change(Ask { origin, who: Who::itself("anna"), terms })
    }

    fn apply(&self, text: &str, confirm_s: Option<u64>) -> Result<Changed, Refused> {
        let terms = ask::Terms { confirm_s, ..Default::default() };
        self.change(Origin::Text(text.into()), terms)
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.path().join("policy.toml")).unwrap()
    }

    fn revision(&self) -> u32 {
        self.desk.standing().ruleset.revision().0
    }
}

fn with(policy: &str, more: &str) -> String {
    format!("{policy}# {more}\n")
}

#[test]
fn what_is_applied_becomes_the_file_and_what_is_on_trial_does_not_until_it_is_confirmed() {
    let site = Site::new(POLICY, None);
    let next = with(POLICY, "two");
    let changed = site.apply(&next, None).unwrap();
    assert_eq!((changed.revision, site.file()), (2, next.clone()));
    assert_eq!(site.desk.entry(2).unwrap().changes, Vec::<String>::new(), "a remark is none");
    assert!(!site.desk.standing().differs);
    let third = POLICY.replace("203.0.113.0/24", "203.0.113.0/25");
    site.apply(&third, Some(60)).unwrap();
    assert_eq!((site.revision(), site.file()), (3, next));
    let standing = site.desk.standing();
    assert!(standing.differs);
    assert!(matches!(
        standing.pending,
        Some(Wait { revision: 3, back_to: 2, remaining_s: 1..=60 })
    ));
    for origin in [Origin::File, Origin::Text(POLICY.into()), Origin::Revision(Some(1))] {
        let refused = site.change(origin, Default::default()).unwrap_err();
        assert!(matches!(refused, Refused::Pending(_)), "{refused}");
    }
    assert_eq!(site.desk.confirm(Who::itself("ben")).unwrap().revision, 3);
    assert_eq!((site.revision(), site.file()), (3, third));
    assert!(matches!(site.desk.confirm(Who::itself("ben")), Err(Refused::NothingWaits)));
    let entry = site.desk.entry(3).unwrap();
    assert_eq!(entry.facts.confirm.as_ref().unwrap().by, Some(Who::itself("ben")));
    let changes =
        ["- group home: networks 203.0.113.0/24", "+ group home: networks 203.0.113.0/25"];
    assert_eq!(entry.changes, changes);
}

#[test]
fn without_a_confirmation_what_was_before_comes_back_under_a_new_number() {
    let site = Site::new(POLICY, None);
    let text = with(POLICY, "trial");
    let mut reader = lock(&site.desk.book).publisher.reader();
    site.apply(&text, Some(60)).unwrap();
    let begun = Instant::now();
    assert!(site.desk.turn(begun, moment()).is_empty(), "not yet");
    let done = site.desk.turn(begun + Duration::from_secs(61), moment());
    let facts = &done[0].facts;
    assert_eq!(done[0].changes, Vec::<String>::new());
    assert_eq!((facts.revision, facts.back_to, facts.how), (3, Some(1), How::Back));
    assert_eq!(facts.who.name, "not confirmed");
    assert_eq!((site.file(), done[0].policy.as_str()), (POLICY.into(), POLICY));
    reader.refresh(|_| ());
    assert_eq!(reader.current().revision(), Revision(3));
    assert!(site.desk.turn(begun + Duration::from_secs(90), moment()).is_empty(), "once");
    assert!(matches!(site.desk.confirm(Who::itself("ben")), Err(Refused::NothingWaits)));
}

#[test]
fn a_rollback_takes_a_trial_back_at_once_and_finds_what_stood_otherwise() {
    let site = Site::new(POLICY, None);
    let back = |revision| site.change(Origin::Revision(revision), Default::default());
    assert!(matches!(back(None), Err(Refused::NothingBefore)));
    site.apply(&with(POLICY, "trial"), Some(60)).unwrap();
    let changed = back(None).unwrap();
    assert_eq!((changed.revision, changed.back_to, changed.compile_ms), (3, Some(1), None));
    assert!(matches!(back(None), Err(Refused::NothingBefore)), "the trial was never confirmed");
    let text = with(POLICY, "four");
    site.apply(&text, None).unwrap();
    let changed = back(None).unwrap();
    assert_eq!((changed.revision, site.file()), (5, POLICY.into()));
    assert_eq!((back(Some(4)).unwrap().back_to, site.file()), (Some(4), text));
    assert!(matches!(back(Some(99)), Err(Refused::Unknown(99))));
}

#[test]
fn a_restart_forgets_a_trial_and_keeps_the_history() {
    let site = Site::new(POLICY, Some("history"));
    site.apply(&with(POLICY, "trial"), Some(60)).unwrap();
    let site = site.restarted(Some("history"));
    assert_eq!((site.revision(), site.file()), (3, POLICY.into()));
    assert!(site.desk.standing().pending.is_none());
    let facts = site.desk.history().0;
    let how: Vec<_> = facts.iter().map(|facts| (facts.revision, facts.how)).collect();
    assert_eq!(how, [(3, How::Start), (2, How::Apply), (1, How::Start)]);
    assert_eq!(facts[0].why.as_deref(), Some("revision 2 was not confirmed"));
    let site = site.restarted(None);
    assert_eq!((site.revision(), site.desk.history().0.len()), (1, 1));
}

/// Whatever a moment a crash comes in: a revision that was seen in force has left its number.
#[test]
fn a_revision_in_force_has_its_number_on_the_disk() {
    let site = Site::new(POLICY, Some("history"));
    let history = site.folder.path().join("history");
    let mut reader = lock(&site.desk.book).publisher.reader();
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for turn in 0..12 {
                site.apply(&with(POLICY, &turn.to_string()), (turn % 3 == 0).then_some(60))
                    .unwrap();
                if turn % 3 == 0 {
                    let turned = site.desk.turn(Instant::now() + Duration::from_secs(59), moment());
                    assert!(turned.is_empty(), "its number is claimed, no more");
                    let claim = format!("{:010}.json.new", site.revision() + 1);
                    until(|| history.join(&claim).exists());
                    let late = Instant::now() + Duration::from_secs(61);
                    site.desk.turn(late, moment()).iter().for_each(|entry| {
                        site.desk.shelve(entry);
                    });
                }
            }
        });
        let mut seen = 0;
        while !changes.is_finished() {
            reader.refresh(|_| ());
            let revision = reader.current().revision().0;
            let name = history.join(format!("{revision:010}.json"));
            let there = || name.exists() || name.with_extension("json.new").exists();
            // Renamed between the two questions.
            assert!(there() || there(), "revision {revision} is in force without a trace");
            seen = seen.max(revision);
        }
        changes.join().unwrap();
        assert!(seen > 4, "{seen}");
    });
    // A change that was refused takes none.
    let last = site.revision();
    for text in ["[domain", "failsafe = []"] {
        site.apply(text, None).unwrap_err();
    }
    let claim = history.join(format!("{:010}.json.new", last + 1));
    until(|| !claim.exists());
    assert_eq!(site.restarted(Some("history")).revision(), last + 1);
}

fn until(mut come: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < Duration::from_secs(10), "not in ten seconds");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_refused_policy_changes_nothing() {
    let site = Site::new(POLICY, Some("history"));
    let files = || fs::read_dir(site.folder.path().join("history")).unwrap().count();
    for (text, confirm_s, expected) in [
        ("[domain", None, "Policy"),
        (POLICY, Some(0), "Time"),
        (POLICY, Some(86_401), "Time"),
        ("failsafe = [\"198.51.100.0/25\"]", None, "Cut"),
    ] {
        let refused = site.apply(text, confirm_s).unwrap_err();
        assert!(format!("{refused:?}").starts_with(expected), "{text}: {refused:?}");
        let json = refused.json();
        assert_eq!(json["problems"].as_array().unwrap().is_empty(), expected != "Policy");
        // A claim goes in its own time.
        until(|| files() == 1);
        assert_eq!((site.revision(), site.file()), (1, POLICY.into()));
    }
    // What is cut on purpose is still told.
    let force = ask::Terms { force: true, ..Default::default() };
    let changed = site.change(Origin::Text(String::new()), force).unwrap();
    assert!(changed.warnings.iter().any(|warning| warning.contains("no longer be failsafe")));
}

#[test]
fn the_session_that_asks_is_cut_on_purpose_only() {
    let site = Site::new(POLICY, None);
    let closed = POLICY.replace("allow = [\"home\"]", "allow = []");
    let apply = |session: &str, force| {
        let terms = ask::Terms { session: Some(session.into()), force, ..Default::default() };
        site.change(Origin::Text(closed.clone()), terms)
    };
    let refused = apply("203.0.113.9 50000 10.1.0.5 80", false).unwrap_err().to_string();
    assert!(refused.contains("your own session from 203.0.113.9"), "{refused}");
    assert!(refused.contains("--force"), "{refused}");
    // A session that does not go through here, and what is no session.
    for session in
        ["192.0.2.1 50000 10.1.0.5 80", "2001:db8::1 50000 2001:db8::2 22", "", "a b c d"]
    {
        apply(session, false).unwrap();
        site.apply(POLICY, None).unwrap();
    }
    apply("203.0.113.9 50000 10.1.0.5 80", true).unwrap();
    // In a VLAN it is cut by whatever closes that VLAN.
    let within =
        |ids: &str| POLICY.replace("[domain.shop]\n", &format!("[domain.shop]\nvlans = [{ids}]\n"));
    site.apply(&within("7, 9"), None).unwrap();
    let session = Some("203.0.113.9 50000 10.1.0.5 80".to_owned());
    let terms = ask::Terms { session, ..Default::default() };
    let refused = site.change(Origin::Text(within("9")), terms.clone()).unwrap_err().to_string();
    assert!(refused.contains("port 80 in VLAN 7 would be cut"), "{refused}");
    site.change(Origin::Text(within("7, 9, 11")), terms).unwrap();
}

/// An edit that was never in force is not lost to a change by other means.
#[test]
fn what_somebody_wrote_into_the_file_is_kept_before_it_is_replaced() {
    let site = Site::new(POLICY, None);
    let path = site.folder.path().join("policy.toml");
    let kept = |revision: u32| site.folder.path().join(format!("policy.toml.before-{revision}"));
    let files = || fs::read_dir(site.folder.path()).unwrap().count();
    site.apply(&with(POLICY, "two"), None).unwrap();
    assert_eq!(files(), 1, "what was in force is in the history");
    fs::write(&path, "half an edit").unwrap();
    let changed = site.apply(&with(POLICY, "three"), None).unwrap();
    assert!(changed.warnings[0].contains("policy.toml.before-3"), "{:?}", changed.warnings);
    assert_eq!((fs::read_to_string(kept(3)).unwrap(), files()), ("half an edit".into(), 2));
    assert_eq!(site.file(), with(POLICY, "three"));
    // At the confirmation of a trial, and at a rollback.
    site.apply(&with(POLICY, "four"), Some(60)).unwrap();
    fs::write(&path, "another").unwrap();
    let confirmed = site.desk.confirm(Who::itself("ben")).unwrap();
    assert!(confirmed.warnings[0].contains("policy.toml.before-4"), "{:?}", confirmed.warnings);
    fs::write(&path, with(POLICY, "two")).unwrap();
    let back = site.change(Origin::Revision(Some(1)), Default::default()).unwrap();
    assert_eq!((back.warnings, files()), (Vec::new(), 3), "a revision's policy needs no copy");
    // An older copy of that name stays.
    fs::write(&path, "a third").unwrap();
    fs::create_dir(kept(6)).unwrap();
    let changed = site.apply(&with(POLICY, "six"), None).unwrap();
    assert!(changed.warnings[0].contains("policy.toml.before-6.1"), "{:?}", changed.warnings);
    assert_eq!((site.revision(), site.file()), (6, with(POLICY, "six")));
}

#[test]
fn an_exception_ends_in_its_second_also_when_the_clock_jumps() {
    let until = moment().0 + 1_000;
    let time = Moment(until).to_string();
    let text = format!(
        "{POLICY}[[domain.shop.exception]]\nname = \"audit\"\nnetworks = [\"192.0.2.0/24\"]\n\
         until = {time}\nowner = \"anna\"\nreason = \"the audit\"\n"
    );
    let site = Site::new(&text, None);
    let now = Instant::now();
    assert_eq!(site.desk.standing().ruleset.exceptions().count(), 1);
    assert!(site.desk.turn(now, Moment(until - 1)).is_empty());
    let done = site.desk.turn(now, Moment(until + 86_400));
    assert_eq!((done[0].facts.revision, done[0].facts.how), (2, How::Exception));
    assert_eq!(done[0].facts.why.as_deref(), Some("audit of shop, owner anna"));
    assert_eq!(site.desk.standing().ruleset.exceptions().count(), 0);
    assert!(site.desk.turn(now, Moment(until + 86_400)).is_empty());
    assert!(!site.desk.standing().differs, "the text is still the file's");
}

#[test]
fn a_trial_stays_one_when_an_exception_ends_meanwhile() {
    let until = moment().0 + 1_000;
    let time = Moment(until).to_string();
    let text = format!(
        "{POLICY}[[domain.shop.exception]]\nname = \"audit\"\nnetworks = [\"192.0.2.0/24\"]\n\
         until = {time}\nowner = \"anna\"\nreason = \"the audit\"\n"
    );
    let site = Site::new(POLICY, None);
    site.apply(&text, Some(60)).unwrap();
    let now = Instant::now();
    assert_eq!(site.desk.turn(now, Moment(until))[0].facts.revision, 3);
    assert!(matches!(site.desk.standing().pending, Some(Wait { revision: 2, back_to: 1, .. })));
    site.desk.confirm(Who::itself("ben")).unwrap();
    assert_eq!((site.revision(), site.file()), (3, text));
}

#[test]
fn a_disk_that_takes_nothing_stops_no_change_and_is_told() {
    let site = Site::new(POLICY, Some("history"));
    let history = site.folder.path().join("history");
    fs::remove_dir_all(&history).unwrap();
    fs::write(&history, "a file where the folder was").unwrap();
    let changed = site.apply(&with(POLICY, "two"), None).unwrap();
    assert_eq!((changed.revision, site.revision()), (2, 2));
    assert!(changed.warnings[0].contains("not in the history on disk"), "{:?}", changed.warnings);
    let standing = site.desk.standing();
    assert!(standing.unwritten == 1 && !standing.troubles.is_empty());
    fs::remove_file(&history).unwrap();
    fs::create_dir(&history).unwrap();
    assert_eq!(site.apply(POLICY, None).unwrap().warnings, Vec::<String>::new());
    assert_eq!(site.desk.standing().troubles, Vec::<String>::new());
    // The policy's file is no folder's name.
    let path: &Path = &site.folder.path().join("policy.toml");
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    let changed = site.apply(&with(POLICY, "four"), None).unwrap();
    assert!(changed.warnings[0].contains("a restart would bring back"), "{:?}", changed.warnings);
    assert!(site.desk.standing().differs);
}

/// Clients, a clock and a reader at once: numbers go up by one, and the newest is in force.
#[test]
fn changes_from_many_sides_come_one_after_the_other() {
    let site = Site::new(POLICY, None);
    let desk = &site.desk;
    let mut reader = lock(&desk.book).publisher.reader();
    let done: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                scope.spawn(move || {
                    let ask = |origin, confirm_s| {
                        let terms = ask::Terms { confirm_s, ..Default::default() };
                        desk.change(Ask { origin, who: Who::itself("anna"), terms }).is_ok()
                    };
                    let mut done = 0;
                    for turn in 0..4 {
                        let text = with(POLICY, &format!("{client} {turn}"));
                        done += usize::from(ask(Origin::Text(text), (turn % 3 == 0).then_some(60)));
                        done += usize::from(ask(Origin::File, None));
                        if turn % 2 == 0 {
                            done += usize::from(ask(Origin::Revision(None), None));
                        } else {
                            let _ = desk.confirm(Who::itself("ben"));
                        }
                    }
                    done
                })
            })
            .collect();
        let mut last = 1;
        while !clients.iter().all(|client| client.is_finished()) {
            reader.refresh(|_| ());
            let revision = reader.current().revision().0;
            assert!(revision >= last);
            last = revision;
        }
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let facts = site.desk.history().0;
    assert_eq!(facts[0].revision as usize, done + 1);
    assert!(facts.windows(2).all(|pair| pair[0].revision == pair[1].revision + 1));
    assert_eq!(site.revision(), facts[0].revision);
}
