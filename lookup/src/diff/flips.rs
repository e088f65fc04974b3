//! Whose verdict changes: two readings merged range by range.

use std::collections::HashMap;

use serde::Serialize;

use super::extent::{Count, Extent, Note, Tally, Unit, extent};
use super::subjects::{Compared, Subject, subjects};
use crate::policy::Policy;
use crate::ruleset::{CompileError, Reading};
use crate::{ClassId, Country, Geo, Moment, Ranges};

/// All verdicts that change.
#[derive(Clone, Debug, Serialize)]
pub struct Flips {
    /// Egress, domains and moved services with a verdict that changes.
    pub subjects: Vec<SubjectFlips>,
    /// Addresses of which some verdict changes.
    pub any: Size,
    /// Addresses that have a country before or after.
    pub placed: Size,
}

/// A number of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// IPv4 addresses.
    pub ipv4: u64,
    /// IPv6 networks of 48 bits.
    pub ipv6_48s: u64,
}

/// What changes for one subject.
#[derive(Clone, Debug, Serialize)]
pub struct SubjectFlips {
    /// The services.
    #[serde(flatten)]
    pub subject: Subject,
    /// Who loses access.
    pub allow_to_drop: Extent,
    /// Who gains access.
    pub drop_to_allow: Extent,
}

impl Flips {
    /// No verdict changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.any == Size::default()
    }
}

/// Compares two policies, each over databases that were loaded with its overrides, at one moment.
///
/// # Errors
/// A policy that is too large to be compiled.
pub fn flips(
    (old, old_geo): (&Policy, &Geo),
    (new, new_geo): (&Policy, &Geo),
    now: Moment,
) -> Result<Flips, CompileError> {
    let before = Reading::of(old, old_geo.origins(), now)?;
    let after = Reading::of(new, new_geo.origins(), now)?;
    Ok(between(&subjects(old, new), &before, &after))
}

/// Merges the two readings.
fn between(subjects: &[Compared], before: &Reading, after: &Reading) -> Flips {
    let mut pairs = Pairs { subjects, before, after, known: HashMap::new(), notes: Vec::new() };
    let v4 = pairs.merge(&before.v4, &after.v4);
    let v6 = pairs.merge(&before.v6, &after.v6);
    let any = Size { ipv4: v4.any.units, ipv6_48s: v6.any.units };
    let placed = Size { ipv4: v4.placed.units, ipv6_48s: v6.placed.units };
    let all = subjects.iter().zip(v4.tallies).zip(v6.tallies).map(|((one, v4), v6)| {
        let ([v4_lost, v4_gained], [v6_lost, v6_gained]) = (v4, v6);
        SubjectFlips {
            subject: one.subject.clone(),
            allow_to_drop: extent(v4_lost, v6_lost),
            drop_to_allow: extent(v4_gained, v6_gained),
        }
    });
    let flipped =
        |one: &SubjectFlips| !one.allow_to_drop.is_empty() || !one.drop_to_allow.is_empty();
    Flips { subjects: all.filter(flipped).collect(), any, placed }
}

/// A subject whose verdict flips, the direction (0: lost, 1: gained), and what is told of it.
type Flip<'a> = (usize, usize, Note<'a>);

/// What changes for each pair of classes, decided once.
struct Pairs<'a> {
    subjects: &'a [Compared],
    before: &'a Reading,
    after: &'a Reading,
    /// By pair of classes: a place in `notes`; most pairs have the empty one.
    known: HashMap<(ClassId, ClassId), usize>,
    notes: Vec<Vec<Flip<'a>>>,
}

/// One family.
struct Merged<'a, A> {
    any: Count,
    placed: Count,
    tallies: Vec<[Tally<'a, A>; 2]>,
}

impl<'a> Pairs<'a> {
    fn merge<A: Unit + Into<u128>>(
        &mut self,
        before: &Ranges<A, ClassId>,
        after: &Ranges<A, ClassId>,
    ) -> Merged<'a, A> {
        let tallies = self.subjects.iter().map(|_| Default::default()).collect();
        let mut merged = Merged { any: Count::default(), placed: Count::default(), tallies };
        let pieces = before.zip(after, |&was, &is| (was, is));
        let mut last = None;
        for (first, end, &pair) in pieces.iter() {
            let (at, country) = match last {
                Some((same, at, country)) if same == pair => (at, country),
                _ => {
                    let country = self.before.country(pair.0).or(self.after.country(pair.1));
                    let at = self.at(pair);
                    last = Some((pair, at, country));
                    (at, country)
                }
            };
            if country.is_some() {
                merged.placed.add(first, end);
            }
            let flips = &self.notes[at];
            if !flips.is_empty() {
                merged.any.add(first, end);
            }
            for (subject, direction, note) in flips {
                merged.tallies[*subject][*direction].add(first, end, *note);
            }
        }
        merged
    }

    /// The place of a pair's flips in `notes`.
    fn at(&mut self, pair: (ClassId, ClassId)) -> usize {
        if let Some(&at) = self.known.get(&pair) {
            return at;
        }
        let flips = self.flips(pair);
        self.notes.push(flips);
        let at = self.notes.len() - 1;
        self.known.insert(pair, at);
        at
    }

    fn flips(&self, (was, is): (ClassId, ClassId)) -> Vec<Flip<'a>> {
        let country: [Option<Country>; 2] = [self.before.country(was), self.after.country(is)];
        let mut flips = Vec::new();
        for (index, one) in self.subjects.iter().enumerate() {
            let asked = |reading: &'a Reading, class, domain: Option<_>| {
                // Where there is no service, who is failsafe passes all the same.
                let there = one.egress || domain.is_some() || reading.failsafe(class);
                there.then(|| reading.verdict(class, domain))
            };
            let sides = [asked(self.before, was, one.before), asked(self.after, is, one.after)];
            let [before, after] = [0, 1]
                .map(|side| sides[side].is_some_and(|(_, allowed)| one.goes_on(side, allowed)));
            if before != after {
                let rule = sides.map(|side| side.map(|(rule, _)| rule));
                flips.push((index, usize::from(after), Note { country, rule }));
            }
        }
        flips
    }
}
