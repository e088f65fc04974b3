//! How the policy stands, in `status` and in the metrics: what waits, what differs, what ends.

use lookup::Ruleset;
use prometheus_client::encoding::DescriptorEncoder;
use serde::{Deserialize, Serialize};

use crate::change::Standing;
use crate::metrics::gauge;

/// The policy in force, beside its file and its history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// The revision that waits for its confirmation.
    pub pending: Option<PendingStatus>,
    /// The policy's file says something else than what is in force.
    pub differs: bool,
    /// The exceptions that hold, the first to end first.
    pub exceptions: Vec<ExceptionStatus>,
    /// Revisions in the history.
    pub history: usize,
    /// Revisions that could not be written to the history's folder.
    pub unwritten: u64,
}

/// A revision on trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingStatus {
    /// The revision that waits.
    pub revision: u32,
    /// The revision that comes into force again without a confirmation.
    pub back_to: u32,
    /// Seconds until then.
    pub remaining_s: u64,
}

/// An exception that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionStatus {
    /// Its domain.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// The first second at which it no longer holds, RFC 3339.
    pub until: String,
    /// Who answers for it.
    pub owner: String,
}

/// As `status` shows it.
pub(crate) fn status(standing: &Standing) -> PolicyStatus {
    let pending = standing.pending.map(|wait| PendingStatus {
        revision: wait.revision,
        back_to: wait.back_to,
        remaining_s: wait.remaining_s,
    });
    PolicyStatus {
        pending,
        differs: standing.differs,
        exceptions: exceptions(&standing.ruleset),
        history: standing.history,
        unwritten: standing.unwritten,
    }
}

fn exceptions(ruleset: &Ruleset) -> Vec<ExceptionStatus> {
    let legend = ruleset.legend();
    let mut list: Vec<_> = ruleset.exceptions().collect();
    list.sort_by_key(|exception| exception.until);
    let status = |exception: &lookup::ExceptionFacts| ExceptionStatus {
        domain: legend.domain_name(exception.domain).to_owned(),
        name: exception.name.clone(),
        until: exception.until.to_string(),
        owner: exception.owner.clone(),
    };
    list.into_iter().map(status).collect()
}

/// What the operator should know.
pub(crate) fn warnings(standing: &Standing) -> impl Iterator<Item = String> {
    let pending = standing.pending.map(|wait| {
        format!(
            "revision {} goes back to the policy of revision {} in {} s: palisade confirm keeps it",
            wait.revision, wait.back_to, wait.remaining_s
        )
    });
    // While a revision waits, the file is meant to say something else.
    let differs = (standing.differs && pending.is_none()).then(|| {
        "the policy's file is not what is in force: palisade reload takes the file, palisade rollback \
         writes an earlier policy into it"
            .to_owned()
    });
    pending.into_iter().chain(differs).chain(standing.troubles.clone())
}

/// As gauges.
pub(crate) fn metrics(
    encoder: &mut DescriptorEncoder<'_>,
    policy: &PolicyStatus,
) -> Result<(), std::fmt::Error> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let pending_s = policy.pending.as_ref().map_or(0, |pending| pending.remaining_s);
    for (name, explanation, value) in [
        (
            "policy_pending",
            "A revision waits for its confirmation",
            policy.pending.is_some().into(),
        ),
        ("policy_pending_seconds", "Until it goes back by itself", pending_s),
        ("policy_differs", "The file is not what is in force", policy.differs.into()),
        ("policy_exceptions", "Exceptions that hold", count(policy.exceptions.len())),
        ("history_revisions", "Revisions in the history", count(policy.history)),
        ("history_unwritten", "Revisions not written to its folder", policy.unwritten),
    ] {
        gauge(encoder, name, explanation, value)?;
    }
    Ok(())
}
