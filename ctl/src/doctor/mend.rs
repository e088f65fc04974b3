//! `--fix` and `--undo`: the commands that were shown, and nothing else.

use machine::{
    Book, Change, Facts, Fate, Finding, Host, Link, Setting, Tree, apply, undo as put_back,
};
use serde_json::json;

use super::Done;
use crate::cli::Doctor;
use crate::words::tell;

/// Runs the commands that were not run yet; whether there were any.
pub(super) fn fix(
    args: &Doctor,
    facts: &Facts,
    findings: &[Finding],
    done: &mut Done,
) -> Result<bool, String> {
    let changes = changes(facts, findings);
    let known = |change: &Change| {
        let line = change.to_string();
        done.changed.contains(&line) || done.failed.iter().any(|(failed, _)| *failed == line)
    };
    let new: Vec<_> = changes.into_iter().filter(|change| !known(change)).collect();
    if new.is_empty() {
        return Ok(false);
    }
    let mut host = Host::new(Tree::host());
    let mut book = Book::open(&args.state, &host.boot()).map_err(|error| error.to_string())?;
    for change in new {
        match apply(&mut book, &mut host, change) {
            Ok(()) => done.changed.push(change.to_string()),
            Err(machine::MendError::Setting { source, .. }) => {
                done.failed.push((change.to_string(), source.to_string()));
            }
            // Without the book nothing is changed.
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(true)
}

/// What `--fix` would change.
pub(super) fn changes<'a>(facts: &Facts, findings: &'a [Finding]) -> Vec<&'a Change> {
    let all = findings.iter().flat_map(Finding::changes);
    all.filter(|change| free(facts, &change.setting)).collect()
}

/// Nothing of an interface that a gateway serves is changed.
pub(super) fn free(facts: &Facts, setting: &Setting) -> bool {
    let served = |link: &&Link| link.program.as_ref().is_some_and(|there| there.ours);
    let mut served = facts.links.iter().flatten().filter(served);
    !served.any(|link| setting.link() == Some(link.name.as_str()))
}

/// Puts everything back; whether nothing refused.
pub(super) fn undo(args: &Doctor) -> Result<bool, String> {
    let mut host = Host::new(Tree::host());
    let mut book = Book::open(&args.state, &host.boot()).map_err(|error| error.to_string())?;
    let links = book.entries().iter().filter_map(|entry| entry.setting.link());
    if let Some(link) = links.into_iter().find(|link| machine::serves(link)) {
        return Err(format!(
            "a gateway's program is on {link}, and relies on what was changed: stop the gateway first"
        ));
    }
    let fates = put_back(&mut book, &mut host).map_err(|error| error.to_string())?;
    let fine = !fates.iter().any(|(_, fate)| matches!(fate, Fate::Refused(_)));
    if args.json {
        let undone: Vec<_> = fates
            .iter()
            .map(|(entry, fate)| {
                json!({
                    "command": entry.back().to_string(),
                    "done": *fate == Fate::Back,
                    "note": note(fate),
                })
            })
            .collect();
        tell(json!({ "undone": undone }));
        return Ok(fine);
    }
    if fates.is_empty() {
        tell("nothing to put back");
    }
    for (entry, fate) in &fates {
        tell(format_args!("{}   # {}", entry.back(), note(fate)));
    }
    Ok(fine)
}

fn note(fate: &Fate) -> String {
    match fate {
        Fate::Back => "done".to_owned(),
        Fate::Was => "is so already".to_owned(),
        Fate::Theirs(now) => format!("left: somebody set it to {now} since"),
        Fate::Gone => "left: its interface or interrupt is gone, or another one".to_owned(),
        Fate::Refused(why) => format!("failed: {why}; palisade doctor --undo tries again"),
    }
}
