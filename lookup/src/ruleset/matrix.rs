//! The verdict of every class for every domain, decided before the first packet.
//!
//! `cells[class * width + column]` is a rule; column 0 is egress, column `1 + d` domain `d`. The
//! precedence is fixed: failsafe, then deny, then allow, then exceptions that hold now, then the
//! default. The first of a list that holds the class names the rule.
//!
//! What the rules are does not depend on the time, only which of them decide: so [`Matrix::at`]
//! decides anew for another moment from the same rules, and ids keep their meaning.

use std::collections::HashMap;
use std::sync::Arc;

use super::CompileError;
use super::classes::Class;
use super::members::Members;
use crate::policy::{GroupId, Lists, Policy};
use crate::{ClassId, DomainId, Moment, Reason, RuleId, Verdict};

/// What a rule says, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

/// The failsafe is always the first rule; the exceptions follow it, in their order in the policy.
pub(super) const FAILSAFE: RuleId = RuleId(0);

/// Rules by class and domain.
#[derive(Debug)]
pub(super) struct Matrix {
    cells: Vec<RuleId>,
    width: usize,
    verdicts: Arc<[Verdict]>,
    columns: Arc<[Column]>,
}

impl Matrix {
    /// Decides all; the texts of the rules come back for the legend.
    pub(super) fn compile(
        policy: &Policy,
        now: Moment,
        classes: &[Class],
        members: &[Members],
    ) -> Result<(Self, Vec<String>), CompileError> {
        let mut rules = Rules::default();
        rules.intern("failsafe".to_owned(), Verdict::Allow)?;
        for exception in &policy.exceptions {
            // Not interned: two domains may each have one of a name.
            rules.add(format!("exception:{}", exception.name), Verdict::Allow)?;
        }
        let mut columns = vec![rules.column(policy, &policy.egress, "egress.")?];
        for (index, domain) in policy.domains.iter().enumerate() {
            let mut column = rules.column(policy, &domain.lists, "")?;
            column.exceptions = exceptions(policy, index);
            columns.push(column);
        }
        let (verdicts, texts): (Vec<_>, Vec<_>) =
            rules.list.into_iter().map(|rule| (rule.verdict, rule.text)).unzip();
        let cells = Vec::new();
        let (verdicts, width) = (verdicts.into(), columns.len());
        let undecided = Self { cells, width, verdicts, columns: columns.into() };
        Ok((undecided.at(now, classes, members), texts))
    }

    /// The same rules, decided for another moment.
    pub(super) fn at(&self, now: Moment, classes: &[Class], members: &[Members]) -> Self {
        let mut cells = Vec::with_capacity(classes.len() * self.width);
        for class in classes {
            let members = &members[class.members as usize];
            cells.extend(
                self.columns.iter().map(|column| {
                    if class.failsafe { FAILSAFE } else { column.decide(members, now) }
                }),
            );
        }
        Self {
            cells,
            width: self.width,
            verdicts: Arc::clone(&self.verdicts),
            columns: Arc::clone(&self.columns),
        }
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

/// The exceptions of a domain: their bits in [`Members`], their rules and their ends.
fn exceptions(policy: &Policy, domain: usize) -> Vec<(usize, RuleId, Moment)> {
    let all = policy.exceptions.iter().enumerate();
    all.filter(|(_, exception)| usize::from(exception.domain.0) == domain)
        .map(|(index, exception)| {
            (policy.groups.len() + index, RuleId(index as u16 + 1), exception.until)
        })
        .collect()
}

/// The rules of one domain: deny and allow in the order of the policy, exceptions, then the default.
#[derive(Debug)]
struct Column {
    rules: Vec<(GroupId, RuleId)>,
    exceptions: Vec<(usize, RuleId, Moment)>,
    default: RuleId,
}

impl Column {
    fn decide(&self, members: &Members, now: Moment) -> RuleId {
        let first = self.rules.iter().find(|(group, _)| members.holds(*group));
        if let Some((_, rule)) = first {
            return *rule;
        }
        let mut open = self.exceptions.iter().filter(|(.., until)| now < *until);
        open.find(|(bit, ..)| members.bit(*bit)).map_or(self.default, |(_, rule, _)| *rule)
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
        Ok(Column { rules, exceptions: Vec::new(), default })
    }

    fn intern(&mut self, text: String, verdict: Verdict) -> Result<RuleId, CompileError> {
        if let Some(&id) = self.ids.get(&text) {
            return Ok(id);
        }
        let id = self.add(text.clone(), verdict)?;
        self.ids.insert(text, id);
        Ok(id)
    }

    fn add(&mut self, text: String, verdict: Verdict) -> Result<RuleId, CompileError> {
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
        self.list.push(Rule { verdict, text });
        Ok(RuleId(id))
    }
}
