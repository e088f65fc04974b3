//! Publication of rulesets: a reader's ruleset is never older than one it had, and never freed by it.

use loom::thread;

use crate::publish::Publisher;
use crate::{Revision, Ruleset};

/// Two reloads while `readers` workers take what is in force, `looks` times each.
pub fn reloads(readers: usize, looks: usize) {
    let mut publisher = Publisher::new(Ruleset::new(1));
    let workers: Vec<_> = (0..readers)
        .map(|_| {
            let mut reader = publisher.reader();
            thread::spawn(move || {
                let mut last = reader.current().revision();
                assert_eq!(last, Revision(1));
                for _ in 0..looks {
                    let mut shown = None;
                    reader.refresh(|next| shown = Some(next.revision()));
                    let revision = reader.current().revision();
                    assert!(revision >= last, "older after newer");
                    // Shown whenever leases of the one before have to end.
                    assert_eq!(shown, (revision != last).then_some(revision));
                    last = revision;
                }
                last
            })
        })
        .collect();
    publisher.publish(Ruleset::new(2));
    publisher.publish(Ruleset::new(3));
    publisher.collect();
    for worker in workers {
        let last = worker.join().unwrap();
        assert!((1..=3).contains(&last.0));
    }
    // No worker holds anything any more: both superseded rulesets go now, here.
    assert_eq!(publisher.collect(), 0);
    assert_eq!(publisher.current().revision(), Revision(3));
}

/// What was published before a worker looks (in the order of some other message) is what it takes.
pub fn seen_when_told() {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};
    let mut publisher = Publisher::new(Ruleset::new(1));
    let mut reader = publisher.reader();
    let told = Arc::new(AtomicBool::new(false));
    let telling = Arc::clone(&told);
    let worker = thread::spawn(move || {
        let was_told = telling.load(Ordering::Acquire);
        reader.refresh(|_| ());
        assert!(!was_told || reader.current().revision() == Revision(2), "judged by the old one");
    });
    publisher.publish(Ruleset::new(2));
    told.store(true, Ordering::Release);
    worker.join().unwrap();
    assert_eq!(publisher.collect(), 0);
}
