//! From what a change asks for to a ruleset that may come into force.

use std::sync::Arc;
use std::time::Instant;

use lookup::diff::written;
use lookup::{Loaded, Policy, Problem, Ruleset};

use super::claim::Claim;
use super::{Desk, Origin, Refused, lock, moment};

/// A compiled policy, and what to say of it.
pub(super) struct Next {
    pub(super) ruleset: Ruleset,
    pub(super) policy: String,
    /// What it says otherwise than the policy in force.
    pub(super) changes: Vec<String>,
    /// The revision whose policy it is.
    pub(super) back_to: Option<u32>,
    pub(super) warnings: Vec<String>,
    /// Its number, on its way to the disk.
    pub(super) claim: Option<Claim>,
}

impl Desk {
    /// Reads and compiles, and answers with what is in force beside it; refused while a revision waits
    /// for its confirmation.
    pub(super) fn compile(
        &self,
        origin: Origin,
        accept: bool,
    ) -> Result<(Arc<Ruleset>, Next), Refused> {
        let (before, revision, past, in_force) = {
            let book = lock(&self.book);
            if let Some(wait) = book.waiting.wait(Instant::now()) {
                return Err(Refused::Pending(wait));
            }
            let past = match origin {
                Origin::Revision(Some(number)) => {
                    Some(book.history.find(number).ok_or(Refused::Unknown(number))?)
                }
                Origin::Revision(None) => {
                    Some(book.history.before().ok_or(Refused::NothingBefore)?)
                }
                _ => None,
            };
            let past = past.map(Arc::clone);
            let in_force = book.history.policy();
            (book.publisher.current(), book.publisher.next_revision(), past, in_force)
        };
        let claim = Claim::begin(&self.shelf, revision.0);
        let back_to = past.as_ref().map(|entry| entry.facts.revision);
        let text = match origin {
            Origin::Text(text) => Some(text),
            _ => past.map(|entry| entry.policy.clone()),
        };
        // A text is taken for what stands at the configured path: the files that it names are found
        // beside it.
        let loaded = before.reload(&self.policy, text, moment(), revision)?;
        let doubts = loaded.verify(&before);
        let Loaded { policy, ruleset, warnings, .. } = loaded;
        let changes = self.changes(in_force, &policy);
        let policy = policy.source().text.clone();
        let mut warnings: Vec<String> = warnings.iter().map(Problem::sentence).collect();
        match doubts {
            Err(error) if accept => {
                warnings.extend(error.problems().iter().map(ToString::to_string));
            }
            Err(error) => return Err(Refused::Database(error)),
            Ok(()) => {}
        }
        Ok((before, Next { ruleset, policy, changes, back_to, warnings, claim }))
    }

    /// What a policy says otherwise than the one in force, whose lists are read as they are now.
    fn changes(&self, in_force: String, policy: &Policy) -> Vec<String> {
        if in_force == policy.source().text {
            return Vec::new();
        }
        // A list of the old policy may be gone: then the texts alone tell what changed.
        let Ok((old, _)) = Policy::parse(&self.policy, in_force) else { return Vec::new() };
        written(&old, policy).iter().map(ToString::to_string).collect()
    }
}
