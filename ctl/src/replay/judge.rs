//! One policy and the filter that the workers run, fed with recorded packets.

use std::path::Path;
use std::sync::Arc;

use filter::{Action, Actions, Filter, FilterConfig, Now, Shared, Timeouts};
use lookup::{Ask, Explanation, LoadError, Loaded, Moment, Revision, Ruleset, Side};
use serde::Serialize;

use super::packet::Ends;

/// Flows that are remembered.
const FLOWS: usize = 1 << 18;
/// How often the filter does its work between bursts, by the recording's clock.
const HOUSEKEEP_MS: u64 = 10;

/// After such a silence nothing is remembered; the filter's clocks would wrap in longer ones.
const SILENCE_MS: u64 = 1 << 30;

/// What becomes of a packet, or of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    /// `forward`, `pass` (link traffic, unjudged) or `drop`.
    pub(super) verdict: &'static str,
    /// Why it is dropped, or would be but for a shadow.
    pub(super) reason: Option<&'static str>,
    /// The rule that decided.
    pub(super) rule: Option<String>,
    /// The service's domain.
    pub(super) domain: Option<String>,
    /// The service.
    pub(super) service: Option<String>,
    /// It would be dropped, but its domain is in shadow mode.
    pub(super) shadow: bool,
    /// A connection opened from the inside, or its reply.
    pub(super) egress: bool,
}

impl Outcome {
    /// Link traffic.
    fn passed() -> Self {
        Self {
            verdict: "pass",
            reason: None,
            rule: None,
            domain: None,
            service: None,
            shadow: false,
            egress: false,
        }
    }

    /// What a policy says of a flow.
    pub(super) fn explained(answer: Explanation) -> Self {
        let goes_on = answer.verdict == "allow" || answer.shadow;
        Self {
            verdict: if goes_on { "forward" } else { "drop" },
            reason: answer.reason,
            rule: answer.rule,
            domain: answer.domain,
            service: answer.service,
            shadow: answer.shadow && answer.verdict == "drop",
            egress: answer.egress,
        }
    }
}

/// A policy with a filter of its own.
pub(super) struct Judge {
    loaded: Loaded,
    /// The ruleset at the packet's moment, when it is another than at the first one's.
    now: Option<Ruleset>,
    filter: Filter,
    records: Vec<filter::DropRecord>,
    actions: Actions,
    first_ms: Option<u64>,
    last_ms: u64,
    housekept_ms: u64,
}

/// A filter that remembers nothing. Nobody aims at a replay: its keys need not be secret.
fn fresh() -> Filter {
    let config = FilterConfig {
        flows: FLOWS,
        records_per_s: u32::MAX,
        key: [1; 16],
        timeouts: Timeouts::default(),
    };
    Filter::new(config, Arc::new(Shared::new(FLOWS, [2; 16])))
}

impl Judge {
    /// Reads a policy.
    pub(super) fn load(path: &Path, now: Moment) -> Result<Self, LoadError> {
        Ok(Self {
            loaded: Loaded::read(path, now, Revision(1))?,
            now: None,
            filter: fresh(),
            records: Vec::new(),
            actions: Actions::new(),
            first_ms: None,
            last_ms: 0,
            housekept_ms: 0,
        })
    }

    /// The policy and what was remarked about it.
    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn rules(&self) -> &Ruleset {
        self.now.as_ref().unwrap_or(&self.loaded.ruleset)
    }

    /// What the policy says of one question.
    pub(super) fn ask(&self, ask: &Ask) -> Explanation {
        self.rules().explain(ask)
    }

    /// Exceptions are as they were at the moment of the packet.
    fn turn(&mut self, time_ns: u64) {
        let moment = Moment(time_ns / 1_000_000_000);
        let rules = self.rules();
        let ended = rules.next_end().is_some_and(|end| end <= moment);
        if self.first_ms.is_none() || ended {
            let revision = rules.revision();
            // A revision of its own, so that flows of the exception are judged again.
            self.now = Some(self.loaded.ruleset.at(moment, Revision(revision.0 + 1)));
        }
    }

    /// Judges one frame.
    pub(super) fn judge(
        &mut self,
        time_ns: u64,
        side: Side,
        frame: &[u8],
        ends: Option<&Ends>,
    ) -> Outcome {
        self.turn(time_ns);
        let unix_ms = time_ns / 1_000_000;
        let first_ms = *self.first_ms.get_or_insert(unix_ms);
        // The clock of timeouts never goes back, whatever the recording's does.
        let mono_ms = unix_ms.saturating_sub(first_ms).max(self.last_ms);
        if mono_ms - self.last_ms > SILENCE_MS {
            self.filter = fresh();
        }
        self.last_ms = mono_ms;
        let now = Now { unix_ns: time_ns, mono_ms };
        let Self { loaded, now: at, filter, records, actions, .. } = self;
        let rules = at.as_ref().unwrap_or(&loaded.ruleset);
        records.clear();
        filter.process(rules, now, side, &[frame], actions, records);
        let record = records.last().copied();
        if mono_ms >= self.housekept_ms + HOUSEKEEP_MS {
            self.housekept_ms = mono_ms;
            self.records.clear();
            self.filter.housekeep(now, &mut self.records);
        }
        match (self.actions.first(), record) {
            (Some(Action::Pass), _) => Outcome::passed(),
            (Some(Action::Forward), record) => {
                let shadow = record.and_then(|record| record.reason());
                self.forwarded(side, ends, shadow.map(filter::DropReason::as_str))
            }
            (_, record) => self.dropped(record),
        }
    }

    fn forwarded(&self, side: Side, ends: Option<&Ends>, shadow: Option<&'static str>) -> Outcome {
        let answer = ends.map(|ends| self.rules().explain(&ends.ask(side)));
        let mut outcome = Outcome { verdict: "forward", ..Outcome::passed() };
        match answer {
            Some(answer) if answer.service.is_some() || answer.verdict == "allow" => {
                outcome.rule = answer.rule;
                outcome.domain = answer.domain;
                outcome.service = answer.service;
                outcome.egress = answer.egress;
            }
            // It answers what the inside opened, or follows another packet.
            _ => outcome.egress = true,
        }
        outcome.reason = shadow;
        outcome.shadow = shadow.is_some();
        outcome
    }

    fn dropped(&self, record: Option<filter::DropRecord>) -> Outcome {
        let legend = self.rules().legend();
        let mut outcome = Outcome { verdict: "drop", ..Outcome::passed() };
        if let Some(record) = record {
            outcome.reason = record.reason().map(filter::DropReason::as_str);
            outcome.rule = record.rule.map(|id| legend.rule_text(id).to_owned());
            outcome.domain = record.domain.map(|id| legend.domain_name(id).to_owned());
            outcome.service = record.service.map(|id| legend.service_name(id).to_owned());
            let rule = outcome.rule.as_deref();
            outcome.egress = rule.is_some_and(|rule| rule.starts_with("egress."));
        }
        outcome
    }
}
