//! What decides about the addresses of an exception: it, or a rule that stands before it.

use super::Ruleset;
use crate::{ClassId, RuleId};

/// Who decides about an exception's addresses in its domain.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// It decides about some itself.
    pub(crate) decides: bool,
    /// The rules that decide about others, in the order of the ruleset.
    pub(crate) others: Vec<RuleId>,
}

impl Ruleset {
    /// The standing of an exception, by its place in the legend. One pass over the classes.
    pub(crate) fn standing(&self, index: usize) -> Standing {
        let mut standing = Standing::default();
        let Some(exception) = self.legend.exceptions().get(index) else { return standing };
        let bit = self.legend.groups().len() + index;
        for (class, id) in self.base.classes.iter().zip(0..) {
            let members = self.base.members.get(class.members as usize);
            if !members.is_some_and(|members| members.bit(bit)) {
                continue;
            }
            let (rule, _) = self.matrix.domain(ClassId(id), exception.domain);
            if usize::from(rule.0) == index + 1 {
                standing.decides = true;
            } else if let Err(at) = standing.others.binary_search(&rule) {
                standing.others.insert(at, rule);
            }
        }
        standing
    }
}
