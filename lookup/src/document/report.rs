//! What is wrong with a policy, where it stands, and what to do about it.
//!
//! A [`Problem`] knows its file, the places in it and the way out. It is shown to people by
//! [`miette`] (it is a `Diagnostic`: the line, a caret, a help text) and to programs as a
//! [`Finding`]. A policy is read to its end, so one [`LoadError`] holds all of its mistakes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan};
use serde::Serialize;

/// A text file that was read: its name as the operator wrote it, and its content.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path, as shown.
    pub name: String,
    /// The whole content.
    pub text: String,
}

impl Source {
    /// Line and column of a byte offset, both from 1; columns count characters.
    #[must_use]
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[start..].chars().count() + 1)
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, context_lines_before, context_lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy is accepted; the operator should look.
    Warning,
}

/// One mistake in a policy, or one remark about it.
#[derive(Clone, Debug)]
pub struct Problem {
    severity: Severity,
    message: String,
    help: String,
    source: Option<Arc<Source>>,
    labels: Vec<(Range<usize>, String)>,
}

/// A [`Problem`] as `check --format json` prints it. A place that is not known is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file that the problem stands in.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<usize>,
    /// Column in it in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Error or warning.
    pub severity: Severity,
}

impl Problem {
    /// An error at a place of a file.
    pub(crate) fn error(
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: help.into(),
            source: Some(Arc::clone(source)),
            labels: vec![(span, "here".to_owned())],
        }
    }

    /// An error of the policy as a whole, without a place in a file.
    pub(crate) fn nowhere(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: help.into(),
            source: None,
            labels: Vec::new(),
        }
    }

    /// The same as a warning.
    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same with another text at its place.
    pub(crate) fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.1 = text.into();
        }
        self
    }

    /// The same with a second place of the same file.
    pub(crate) fn also(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// Error or warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What to do about it.
    #[must_use]
    pub fn help_text(&self) -> &str {
        &self.help
    }

    /// What is wrong and what to do: one line, or the lines of a list and one more.
    #[must_use]
    pub fn sentence(&self) -> String {
        let between = if self.message.contains('\n') { "\n" } else { "; " };
        format!("{}{between}{}", self.message, self.help)
    }

    /// The problem as data.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let place = self.source.as_ref().zip(self.labels.first());
        let at = place.map(|(source, (span, _))| source.place(span.start));
        Finding {
            file: self.source.as_ref().map(|source| source.name.clone()),
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
            message: self.message.clone(),
            help: self.help.clone(),
            severity: self.severity,
        }
    }

    /// Errors first, each kind in reading order.
    pub(crate) fn order(&self) -> (bool, bool, usize) {
        let start = self.labels.first().map_or(0, |(span, _)| span.start);
        (!self.is_error(), self.source.is_none(), start)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        Some(Box::new(
            self.labels
                .iter()
                .map(|(span, text)| LabeledSpan::new(Some(text.clone()), span.start, span.len())),
        ))
    }
}

/// Why a policy was refused: every mistake that was found in reading order, then the warnings.
#[derive(Debug)]
pub struct LoadError {
    problems: Vec<Problem>,
}

impl LoadError {
    /// All problems, the errors and the warnings beside them.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Vec<Problem>> for LoadError {
    fn from(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::order);
        Self { problems }
    }
}

impl From<Problem> for LoadError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().filter(|one| one.is_error()).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let finding = problem.finding();
            if let (Some(file), Some(line), Some(column)) =
                (finding.file, finding.line, finding.column)
            {
                write!(f, "{file}:{line}:{column}: ")?;
            }
            f.write_str(&problem.sentence())?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

impl Diagnostic for LoadError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}
