//! What was judged, summed up: by domain, by reason, by country, and what differs.
//!
//! Memory is bounded whatever a recording holds: domains, reasons and countries are few, and examples
//! are counted beyond the first.

use std::collections::BTreeMap;

use lookup::number;
use serde::Serialize;

use super::judge::Outcome;
use crate::table::{fit, right, table};

/// Examples of a difference that are shown.
const EXAMPLES: usize = 10;
/// Rows of countries that are shown; the rest is counted.
const COUNTRIES: usize = 15;

/// Counts of one domain or country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) forwarded: u64,
    pub(super) dropped: u64,
    /// Part of what is forwarded: it would be dropped, but for a shadow.
    pub(super) shadowed: u64,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        self.forwarded += u64::from(outcome.verdict == "forward");
        self.dropped += u64::from(outcome.verdict == "drop");
        self.shadowed += u64::from(outcome.shadow);
    }
}

/// One way in which two policies differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Differs {
    pub(super) count: u64,
    /// The first of them, each flow once.
    pub(super) examples: Vec<String>,
}

/// Everything that was judged.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sums {
    /// Packets, or flows.
    pub(super) judged: u64,
    pub(super) forwarded: u64,
    pub(super) passed: u64,
    pub(super) dropped: u64,
    /// Of what is forwarded: would be dropped, but for a shadow.
    pub(super) shadowed: u64,
    /// Packets of a kind of link that is not known, and lines that are no flow.
    pub(super) unread: u64,
    /// Packets that were not kept whole.
    pub(super) cut: u64,
    /// By domain; `(egress)` and `(none)` beside them.
    pub(super) domains: BTreeMap<String, Counts>,
    pub(super) reasons: BTreeMap<&'static str, u64>,
    /// By the country of the outside's address; `unknown` is one.
    pub(super) countries: BTreeMap<String, Counts>,
    /// By what becomes of it before and now: `forward -> drop`, and the domain.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) differs: BTreeMap<String, BTreeMap<String, Differs>>,
    /// The first and the last packet's time, nanoseconds since 1970.
    #[serde(skip)]
    pub(super) span_ns: Option<(u64, u64)>,
}

/// The row that an outcome counts in.
fn domain(outcome: &Outcome) -> String {
    match &outcome.domain {
        Some(domain) => domain.clone(),
        None if outcome.egress => "(egress)".to_owned(),
        None => "(none)".to_owned(),
    }
}

impl Sums {
    /// Counts one packet or flow.
    pub(super) fn add(&mut self, outcome: &Outcome, country: Option<&str>) {
        self.judged += 1;
        self.forwarded += u64::from(outcome.verdict == "forward");
        self.passed += u64::from(outcome.verdict == "pass");
        self.dropped += u64::from(outcome.verdict == "drop");
        self.shadowed += u64::from(outcome.shadow);
        if let Some(reason) = outcome.reason {
            *self.reasons.entry(reason).or_default() += 1;
        }
        if outcome.verdict == "pass" {
            return;
        }
        self.domains.entry(domain(outcome)).or_default().add(outcome);
        let country = country.unwrap_or("unknown").to_owned();
        self.countries.entry(country).or_default().add(outcome);
    }

    /// Counts a difference, if it is one; answers whether it is.
    pub(super) fn compare(
        &mut self,
        before: &Outcome,
        now: &Outcome,
        example: impl FnOnce() -> String,
    ) -> bool {
        if before.verdict == now.verdict {
            return false;
        }
        let way = format!("{} -> {}", before.verdict, now.verdict);
        let shown = if before.domain.is_some() { domain(before) } else { domain(now) };
        let differs = self.differs.entry(way).or_default().entry(shown).or_default();
        differs.count += 1;
        if differs.examples.len() < EXAMPLES {
            let example = example();
            if !differs.examples.contains(&example) {
                differs.examples.push(example);
            }
        }
        true
    }

    /// For people; `what` is packets or flows.
    pub(super) fn text(&self, what: &str, against: Option<&str>) -> String {
        let mut text = format!(
            "{} {what}: {} forwarded, {} dropped",
            number(self.judged),
            number(self.forwarded),
            number(self.dropped)
        );
        let more = [
            (self.passed, "passed as link traffic"),
            (self.shadowed, "of those forwarded only because their domain is a shadow"),
            (self.cut, "not recorded whole"),
            (self.unread, "that cannot be read"),
        ];
        for (count, words) in more.iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!(", {} {words}", number(*count)));
        }
        text.push_str("\n\n");
        self.counts(&mut text, "domain", &self.domains, usize::MAX);
        if !self.reasons.is_empty() {
            let mut rows = table(&["reason", what]);
            for (reason, count) in &self.reasons {
                rows.add_row([(*reason).to_owned(), number(*count)]);
            }
            text.push_str(&format!("{}\n\n", fit(&right(rows, &[1]))));
        }
        self.counts(&mut text, "country", &self.countries, COUNTRIES);
        if let Some(name) = against {
            self.differences(&mut text, what, name);
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn counts(&self, text: &mut String, by: &str, counts: &BTreeMap<String, Counts>, most: usize) {
        if counts.is_empty() {
            return;
        }
        let mut sorted: Vec<_> = counts.iter().collect();
        sorted.sort_by_key(|(_, it)| std::cmp::Reverse((it.dropped, it.forwarded)));
        let mut rows = table(&[by, "forwarded", "dropped", "shadowed"]);
        for (name, it) in sorted.iter().take(most) {
            let cells = [it.forwarded, it.dropped, it.shadowed].map(number);
            rows.add_row(std::iter::once((*name).clone()).chain(cells));
        }
        text.push_str(&format!("{}\n", fit(&right(rows, &[1, 2, 3]))));
        if let Some(more) = sorted.len().checked_sub(most).filter(|more| *more > 0) {
            text.push_str(&format!("and {more} more; --json has all\n"));
        }
        text.push('\n');
    }

    fn differences(&self, text: &mut String, what: &str, name: &str) {
        if self.differs.is_empty() {
            text.push_str(&format!("{name} does the same with all of them\n"));
            return;
        }
        let mut rows = table(&["before -> now", "domain", what, "such as"]);
        for (way, domains) in &self.differs {
            for (domain, differs) in domains {
                let example = differs.examples.first().cloned().unwrap_or_default();
                rows.add_row([way.clone(), domain.clone(), number(differs.count), example]);
            }
        }
        text.push_str(&format!("what {name} does otherwise:\n{}\n", fit(&right(rows, &[2]))));
    }
}
