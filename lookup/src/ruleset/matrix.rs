//! The verdict of every class for every domain, decided before the first packet.
//!
//! `cells[class * width + column]` is a rule; column 0 is egress, column `1 + d` domain `d`. The
//! precedence is fixed: failsafe, then deny, then allow, then the default. The first group of a list
//! that holds the class names the rule.

use std::collections::HashMap;

use super::CompileError;
use super::classes::Class;
use super::members::Members;
use crate::policy::{GroupId, Lists, Policy};
use crate::{ClassId, DomainId, Reason, RuleId, Verdict};

/// What a rule says, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

/// The failsafe is always the first rule.
pub(super) const FAILSAFE: RuleId = RuleId(0);

/// Rules by class and domain.
#[derive(Debug)]
pub(super) struct Matrix {
    cells: Vec<RuleId>,
    width: usize,
    verdicts: Vec<Verdict>,
}

impl Matrix {
    /// Decides all; the texts of the rules come back for the legend.
    pub(super) fn compile(
        policy: &Policy,
        classes: &[Class],
        members: &[Members],
    ) -> Result<(Self, Vec<String>), CompileError> {
        let mut rules = Rules::default();
        rules.intern("failsafe".to_owned(), Verdict::Allow)?;
        let mut columns = vec![rules.column(policy, &policy.egress, "egress.")?];
        for domain in &policy.domains {
            columns.push(rules.column(policy, &domain.lists, "")?);
        }
        let mut cells = Vec::with_capacity(classes.len() * columns.len());
        for class in classes {
            let members = &members[class.members as usize];
            cells.extend(
                columns.iter().map(
                    |column| {
                        if class.failsafe { FAILSAFE } else { column.decide(members) }
                    },
                ),
            );
        }
        let (verdicts, texts) =
            rules.list.into_iter().map(|rule| (rule.verdict, rule.text)).unzip();
        Ok((Self { cells, width: columns.len(), verdicts }, texts))
    }

    /// The rule of a class for a domain.
    #[inline]
    pub(super) fn domain(&self, class: ClassId, domain: DomainId) -> (RuleId, Verdict) {
        self.cell(class, 1 + usize::from(domain.0))
    }

    /// The rule of a class for connections opened from the inside.
    #[inline]
    pub(super) fn egress(&self, class: ClassId) -> (RuleId, Verdict) {
        self.cell(class, 0)
    }

    #[inline]
    fn cell(&self, class: ClassId, column: usize) -> (RuleId, Verdict) {
        // Ids of this ruleset are always inside; one of another ruleset is a drop, not a panic.
        let cell = class.0 as usize * self.width + column;
        let rule = self.cells.get(cell).copied().unwrap_or(RuleId(u16::MAX));
        let verdict = self.verdicts.get(usize::from(rule.0)).copied();
        (rule, verdict.unwrap_or(Verdict::Drop(Reason::NotAllowed)))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.cells) + size_of_val(&*self.verdicts)
    }
}

/// The rules of one domain: deny and allow in the order of the policy, then the default.
struct Column {
    rules: Vec<(GroupId, RuleId)>,
    default: RuleId,
}

impl Column {
    fn decide(&self, members: &Members) -> RuleId {
        let first = self.rules.iter().find(|(group, _)| members.holds(*group));
        first.map_or(self.default, |(_, rule)| *rule)
    }
}

const MERGE: &str = "join groups that are always named together with `any_of`";

/// Rules by their text; domains share them.
#[derive(Default)]
struct Rules {
    list: Vec<Rule>,
    ids: HashMap<String, RuleId>,
}

impl Rules {
    fn column(
        &mut self,
        policy: &Policy,
        lists: &Lists,
        prefix: &str,
    ) -> Result<Column, CompileError> {
        let name = |group: &GroupId| &policy.groups[usize::from(group.0)].name;
        let mut rules = Vec::with_capacity(lists.deny.len() + lists.allow.len());
        for group in &lists.deny {
            let text = format!("{prefix}deny:{}", name(group));
            rules.push((*group, self.intern(text, Verdict::Drop(Reason::Denied))?));
        }
        for group in &lists.allow {
            let text = format!("{prefix}allow:{}", name(group));
            rules.push((*group, self.intern(text, Verdict::Allow)?));
        }
        let verdict = Verdict::Drop(Reason::NotAllowed);
        let default = self.intern(format!("{prefix}default"), verdict)?;
        Ok(Column { rules, default })
    }

    fn intern(&mut self, text: String, verdict: Verdict) -> Result<RuleId, CompileError> {
        if let Some(&id) = self.ids.get(&text) {
            return Ok(id);
        }
        // The last id stays free: it stands for no rule.
        let count = self.list.len();
        let limit = usize::from(u16::MAX);
        let id =
            u16::try_from(count).ok().filter(|&id| id < u16::MAX).ok_or(CompileError::Limit {
                what: "rules",
                count: count + 1,
                limit,
                way_out: MERGE,
            })?;
        self.ids.insert(text.clone(), RuleId(id));
        self.list.push(Rule { verdict, text });
        Ok(RuleId(id))
    }
}
