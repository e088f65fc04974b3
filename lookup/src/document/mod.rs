//! Reading a TOML file to its end: every mistake with its place and what to do.
//!
//! The policy and the gateway's configuration are read by the same few steps: [`entries`] gives the
//! top of the file, [`section()`] each section, and the checks behind them report to the [`Document`].

mod names;
mod report;
mod section;

use std::ops::Range;
use std::sync::Arc;

pub use names::suggest;
pub use report::{Finding, LoadError, Problem, Severity, Source};
pub use section::{Node, Section, entries, named, section, sections, table, unknown_key, value};

pub use crate::section;
pub(crate) use names::{fault, nearest};

/// One file while it is checked. A check reports and goes on, so that an operator sees all mistakes.
#[derive(Debug)]
pub struct Document {
    source: Arc<Source>,
    problems: Vec<Problem>,
}

impl Document {
    /// Nothing found yet.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source: Arc::new(source), problems: Vec::new() }
    }

    /// The text.
    #[must_use]
    pub fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    /// Reports a mistake; its label is "here".
    pub fn error(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::error(&self.source, span, message, help));
    }

    /// Reports something that is allowed, and probably not meant.
    pub fn warn(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::error(&self.source, span, message, help).warning());
    }

    /// Reports a problem that was made by other means.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What was read and the warnings about it.
    ///
    /// # Errors
    /// All problems, when one of them is an error.
    pub fn finish<T>(self, found: T) -> Result<(T, Vec<Problem>), Vec<Problem>> {
        if self.problems.iter().any(Problem::is_error) {
            Err(self.problems)
        } else {
            Ok((found, self.problems))
        }
    }
}
