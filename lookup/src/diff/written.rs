//! Two policies in their own terms: what was taken out and what was put in.
//!
//! A policy is flattened into facts (section, key, value); what only one of the two has is a change.
//! The order of sections and of lists is no fact: it decides which rule is named, never a verdict.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use crate::policy::{Body, GroupId, Lists, Policy};

/// Taken out or put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Sign {
    /// Only the old policy says it.
    #[serde(rename = "-")]
    Out,
    /// Only the new policy says it.
    #[serde(rename = "+")]
    In,
}

/// One line of the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Taken out or put in.
    pub sign: Sign,
    /// The section of the policy: `group europe`, `domain web`, `service web/https`, …
    pub section: String,
    /// The key in it; `None` when the whole section came or went.
    pub key: Option<&'static str>,
    /// The value; of a whole section, all that it says.
    pub value: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sign, section, key, value } = self;
        let sign = match sign {
            Sign::Out => '-',
            Sign::In => '+',
        };
        match key {
            Some(key) => write!(f, "{sign} {section}: {key} {value}"),
            None => write!(f, "{sign} {section} ({value})"),
        }
    }
}

/// What differs between two policies, section by section.
#[must_use]
pub fn written(old: &Policy, new: &Policy) -> Vec<Change> {
    let (old, new) = (Facts::of(old), Facts::of(new));
    let mut changes = Vec::new();
    let added = new.order.iter().filter(|section| !old.sections.contains_key(*section));
    for section in old.order.iter().chain(added) {
        match (old.sections.get(section), new.sections.get(section)) {
            (Some(before), Some(after)) => {
                changes.extend(missing(Sign::Out, section, before, after));
                changes.extend(missing(Sign::In, section, after, before));
            }
            (Some(facts), None) => changes.push(whole(Sign::Out, section, facts)),
            (None, Some(facts)) => changes.push(whole(Sign::In, section, facts)),
            (None, None) => {}
        }
    }
    changes
}

/// A key and one of its values.
type Fact = (&'static str, String);

/// The facts of `these` that `those` lacks.
fn missing<'a>(
    sign: Sign,
    section: &'a str,
    these: &'a [Fact],
    those: &'a [Fact],
) -> impl Iterator<Item = Change> {
    let known: HashSet<&Fact> = those.iter().collect();
    these.iter().filter(move |fact| !known.contains(fact)).map(move |(key, value)| Change {
        sign,
        section: section.to_owned(),
        key: Some(key),
        value: value.clone(),
    })
}

/// A section that came or went, in one line.
fn whole(sign: Sign, section: &str, facts: &[Fact]) -> Change {
    let mut value = String::new();
    let mut last = "";
    for (key, fact) in facts {
        value.push_str(match (value.is_empty(), *key == last) {
            (true, _) => "",
            (_, true) => " ",
            (_, false) => ", ",
        });
        if *key != last {
            value.push_str(key);
            value.push(' ');
            last = key;
        }
        value.push_str(fact);
    }
    Change { sign, section: section.to_owned(), key: None, value }
}

/// All that a policy says, by section.
#[derive(Default)]
struct Facts {
    order: Vec<String>,
    sections: HashMap<String, Vec<Fact>>,
}

impl Facts {
    fn of(policy: &Policy) -> Self {
        let mut facts = Self::default();
        facts.section("failsafe".to_owned()).extend(each("network", &policy.failsafe));
        facts.geo(policy);
        facts.overrides(policy);
        facts.groups(policy);
        facts.domains(policy);
        let egress = facts.section("egress".to_owned());
        lists(egress, policy, &policy.egress);
        facts
    }

    /// A section, made when it is new.
    fn section(&mut self, name: String) -> &mut Vec<Fact> {
        if !self.sections.contains_key(&name) {
            self.order.push(name.clone());
        }
        self.sections.entry(name).or_default()
    }

    fn geo(&mut self, policy: &Policy) {
        let geo = &policy.geo;
        let section = self.section("geo".to_owned());
        let file = |name: &Option<toml::Spanned<String>>| {
            name.as_ref().map_or_else(|| "none".to_owned(), |name| name.get_ref().clone())
        };
        section.push(("country", file(&geo.country)));
        section.push(("asn", file(&geo.asn)));
        section.push(("max_age_days", geo.max_age_days.to_string()));
        section.push(("max_flips", geo.max_flips.to_string()));
        let canaries = geo.canaries.iter();
        section.extend(canaries.map(|it| ("canary", format!("{} = {}", it.address, it.country))));
    }

    fn overrides(&mut self, policy: &Policy) {
        for item in &policy.overrides {
            let section = self.section(format!("override {}", item.network));
            section.extend(item.country.map(|country| ("country", country.to_string())));
            section.extend(item.asn.map(|asn| ("asn", asn.0.to_string())));
            section.extend(item.reason.iter().map(|reason| ("reason", reason.clone())));
        }
    }

    fn groups(&mut self, policy: &Policy) {
        for group in policy.groups.iter().filter(|group| !group.span.is_empty()) {
            let section = self.section(format!("group {}", group.name));
            match &group.body {
                Body::Axes { networks, countries, asns } => {
                    section.extend(each("networks", networks.iter().flatten()));
                    section.extend(each("countries", countries.iter().flatten()));
                    let asns = asns.iter().flatten();
                    section.extend(asns.map(|asn| ("asns", asn.0.to_string())));
                }
                Body::AnyOf(parts) => section.extend(names(policy, "any_of", parts)),
                Body::Anyone | Body::Private | Body::Unknown => {}
            }
            section.extend(names(policy, "except", &group.except));
        }
    }

    fn domains(&mut self, policy: &Policy) {
        for (index, domain) in policy.domains.iter().enumerate() {
            let section = self.section(format!("domain {}", domain.name));
            section.push(("exposure", domain.exposure.as_str().to_owned()));
            section.push(("mode", if domain.shadow { "shadow" } else { "enforce" }.to_owned()));
            section.extend(each("vlans", domain.vlans.iter().flatten()));
            lists(section, policy, &domain.lists);
            let here = |id: crate::DomainId| usize::from(id.0) == index;
            for service in policy.services.iter().filter(|service| here(service.domain)) {
                let section = self.section(format!("service {}/{}", domain.name, service.name));
                let networks = service.networks.iter().map(toml::Spanned::get_ref);
                section.extend(each("networks", networks));
                section.push(("proto", service.proto.name()));
                section.extend(service.ports.ranges().iter().map(|range| ("ports", ports(*range))));
                section.extend(service.carve_out.iter().map(|_| ("carve_out", "true".to_owned())));
            }
            for exception in policy.exceptions.iter().filter(|one| here(one.domain)) {
                let section = self.section(format!("exception {}/{}", domain.name, exception.name));
                section.extend(each("networks", &exception.networks));
                section.push(("until", exception.until.to_string()));
                section.push(("owner", exception.owner.clone()));
                section.push(("reason", exception.reason.clone()));
            }
        }
    }
}

fn each<T: fmt::Display>(
    key: &'static str,
    values: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = Fact> {
    values.into_iter().map(move |value| (key, value.to_string()))
}

fn lists(section: &mut Vec<Fact>, policy: &Policy, lists: &Lists) {
    section.extend(names(policy, "allow", &lists.allow));
    section.extend(names(policy, "deny", &lists.deny));
}

fn names<'a>(
    policy: &'a Policy,
    key: &'static str,
    ids: &'a [GroupId],
) -> impl Iterator<Item = Fact> {
    ids.iter().map(move |id| (key, policy.groups[usize::from(id.0)].name.clone()))
}

/// A range of ports as the policy writes it.
pub(super) fn ports(range: (u16, u16)) -> String {
    match range {
        (0, u16::MAX) => "any".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}
