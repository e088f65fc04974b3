//! Exceptions: sources that a domain lets in until a date, each with its owner and a reason.

use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;
use toml::value::Datetime;

use super::Policy;
use super::text::{ExceptionText, Placed};
use crate::document::{Document, Problem, fault};
use crate::ruleset::Standing;
use crate::{DomainId, Moment, Ruleset};

/// Sources that a domain allows until a moment, beside its `allow`.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its name, once in its domain.
    pub name: String,
    /// The domain that it opens.
    pub domain: DomainId,
    /// The sources that it lets in.
    pub networks: Vec<IpNet>,
    /// The first second at which it no longer holds.
    pub until: Moment,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// Where the policy names it.
    pub span: Range<usize>,
}

impl Exception {
    /// Whether it holds at a moment: up to the second before its end.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        now < self.until
    }
}

impl Policy {
    /// A warning for each exception that has ended: it is ignored.
    pub(crate) fn ended(&self, now: Moment) -> Vec<Problem> {
        let ended = self.exceptions.iter().filter(|exception| !exception.holds(now));
        let warning = |exception: &Exception| {
            let Exception { until, owner, .. } = exception;
            let message = format!("{} ended at {until}", self.full(exception));
            let help =
                format!("take it out, or ask its owner ({owner}) whether it is still needed");
            self.remark(exception, message, help)
        };
        ended.map(warning).collect()
    }

    /// Warnings about exceptions that hold and yet let some or all of their sources not in, or let
    /// in who is let in anyway.
    pub(crate) fn overruled(&self, ruleset: &Ruleset) -> Vec<Problem> {
        let held = self.exceptions.iter().enumerate();
        let held = held.filter(|(_, exception)| exception.holds(ruleset.now()));
        held.filter_map(|(index, exception)| {
            let Standing { decides, others } = ruleset.standing(index);
            let rules = others.iter().map(|rule| ruleset.legend().rule_text(*rule));
            let (denies, lets): (Vec<_>, Vec<_>) = rules.partition(|it| it.starts_with("deny:"));
            let name = self.full(exception);
            let (message, help) = match (decides, denies.is_empty()) {
                (true, true) => return None,
                (false, true) => {
                    let lets = lets.join("`, `");
                    (format!("{name} lets in whom `{lets}` lets in anyway"), "take it out")
                }
                (_, false) => {
                    let part = if decides { "some of its sources" } else { "all of its sources" };
                    let denies = denies.join("`, `");
                    (format!("`{denies}` keeps out {part}, whatever {name} says"), DENY_WINS)
                }
            };
            Some(self.remark(exception, message, help))
        })
        .collect()
    }

    fn full(&self, exception: &Exception) -> String {
        let domain = &self.domains[usize::from(exception.domain.0)].name;
        format!("the exception `{}` of `{domain}`", exception.name)
    }

    fn remark(&self, exception: &Exception, message: String, help: impl Into<String>) -> Problem {
        Problem::error(self.source(), exception.span.clone(), message, help).warning()
    }
}

const DENY_WINS: &str = "deny beats an exception: take the sources out of the denied group with \
    `except`, or out of the exception";

/// The exceptions of one domain.
pub(super) fn read(
    document: &mut Document,
    domain: DomainId,
    list: &[Placed<ExceptionText>],
) -> Vec<Exception> {
    let mut found: Vec<Exception> = Vec::new();
    for (at, text) in list {
        let Some(exception) = one(document, domain, at, text) else { continue };
        if let Some(first) = found.iter().find(|first| first.name == exception.name) {
            let message = format!("a second exception `{}` in this domain", exception.name);
            let help = "give it another name; records could not tell the two apart";
            let problem = Problem::error(&document.source(), exception.span, message, help)
                .also(first.span.clone(), "the first is here");
            document.push(problem);
            continue;
        }
        found.push(exception);
    }
    found
}

/// One exception; what is missing is reported.
fn one(
    document: &mut Document,
    domain: DomainId,
    at: &Range<usize>,
    text: &ExceptionText,
) -> Option<Exception> {
    let at = text.name.as_ref().map_or_else(|| at.clone(), Spanned::span);
    // What is absent because it was wrong has been reported.
    let mut need = |there: bool, what: &str, help: &str| {
        if !there && !text.broken {
            document.error(at.clone(), format!("this exception {what}"), help);
        }
    };
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    need(text.name.is_some(), "has no name", "add `name = \"audit\"`: records will carry it");
    let networks = text.networks.as_ref().is_some_and(|list| !list.is_empty());
    let help = "add `networks = [\"203.0.113.0/24\"]`: the sources that it lets in";
    need(networks, "does not say its networks", help);
    let help = "add `until = 2026-12-01T00:00:00Z`, or a date; who needs no end belongs in `allow`";
    need(text.until.is_some(), "does not say when it ends", help);
    need(filled(&text.owner), "has no owner", "add `owner = \"...\"`: who answers for it");
    need(filled(&text.reason), "has no reason", "add `reason = \"...\"`: why it is there");
    let name = text.name.as_ref().map_or("", |name| name.get_ref());
    if let (Some(_), Some(fault)) = (&text.name, fault(name)) {
        let message = format!("the exception's name `{name}` {fault}");
        document.error(at.clone(), message, "use letters, digits, `-`, `_` and `.`");
    }
    let networks = text.networks.as_ref().map(|list| document.networks(list));
    let until = text.until.as_ref().map(|until| moment(document, until));
    Some(Exception {
        name: name.to_owned(),
        domain,
        networks: networks?.into_iter().map(Spanned::into_inner).collect(),
        until: until??,
        owner: text.owner.clone()?,
        reason: text.reason.clone()?,
        span: at,
    })
}

/// The moment that a TOML date or date-time with an offset names; a date is its first second, UTC.
fn moment(document: &mut Document, text: &Spanned<Datetime>) -> Option<Moment> {
    let time = text.get_ref();
    let found = match (time.date, time.time, time.offset) {
        (Some(date), None, None) => Moment::parse(&format!("{date}T00:00:00Z")),
        (Some(_), Some(_), Some(_)) => Moment::parse(&time.to_string()),
        _ => None,
    };
    if found.is_none() {
        let help = match (time.date, time.time) {
            (Some(_), Some(_)) if time.offset.is_none() => {
                format!("say its zone: `{time}Z` is UTC, `{time}+01:00` an hour ahead of it")
            }
            _ => "write `2026-12-01T00:00:00Z`, or a date alone: its first second, UTC".to_owned(),
        };
        document.error(text.span(), format!("`{time}` is no moment"), help);
    }
    found
}
