//! What a policy says of every address, as covers: compiled like a ruleset, without the tables that
//! say it fast. Here for comparing two of them range by range.

use super::CompileError;
use super::classes::{Class, Classes};
use super::matrix::Matrix;
use crate::policy::Policy;
use crate::{ClassId, Country, DomainId, Moment, Origins, Ranges, Verdict};

/// A policy over its databases at a moment.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The class of every IPv4 address.
    pub(crate) v4: Ranges<u32, ClassId>,
    /// The class of every IPv6 address.
    pub(crate) v6: Ranges<u128, ClassId>,
    classes: Vec<Class>,
    matrix: Matrix,
    rules: Vec<String>,
}

impl Reading {
    /// Reads a policy over databases that were loaded with its overrides.
    pub(crate) fn of(
        policy: &Policy,
        origins: &Origins,
        now: Moment,
    ) -> Result<Self, CompileError> {
        let Classes { list: classes, members, v4, v6, .. } = Classes::compile(policy, origins);
        let (matrix, rules) = Matrix::compile(policy, now, &classes, &members)?;
        Ok(Self { v4, v6, classes, matrix, rules })
    }

    /// What a domain, or egress without one, says of a class: the rule and whether it allows.
    pub(crate) fn verdict(&self, class: ClassId, domain: Option<DomainId>) -> (&str, bool) {
        let (rule, verdict) = match domain {
            Some(domain) => self.matrix.domain(class, domain),
            None => self.matrix.egress(class),
        };
        let text = self.rules.get(usize::from(rule.0)).map_or("?", String::as_str);
        (text, verdict == Verdict::Allow)
    }

    /// Whether a class is never cut off, to whatever address and port.
    pub(crate) fn failsafe(&self, class: ClassId) -> bool {
        self.classes.get(class.0 as usize).is_some_and(|class| class.failsafe)
    }

    /// The country of a class.
    pub(crate) fn country(&self, class: ClassId) -> Option<Country> {
        self.classes.get(class.0 as usize)?.country
    }
}
