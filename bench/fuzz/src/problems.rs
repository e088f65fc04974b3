//! What every problem of a text must be: shown at a line that the file has, with a way out.

use lookup::Problem;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

/// Checks all problems of the file `name` with this text; those of other files only for their shape.
pub(crate) fn check(problems: &[Problem], name: &str, text: &str) {
    let lines = text.split('\n').count();
    for problem in problems {
        let finding = problem.finding();
        assert!(!finding.message.is_empty() && !finding.help.is_empty(), "{finding:?}");
        if finding.file.as_deref() == Some(name) {
            let (line, column) = (finding.line.unwrap(), finding.column.unwrap());
            assert!((1..=lines).contains(&line), "{finding:?} in {lines} lines");
            let chars = text.split('\n').nth(line - 1).unwrap().chars().count();
            assert!((1..=chars + 1).contains(&column), "{finding:?} in {chars} columns");
        } else {
            assert_eq!(finding.file.is_some(), finding.line.is_some(), "{finding:?}");
        }
        shown(problem);
    }
}

/// As `check` shows it on a terminal.
fn shown(problem: &dyn Diagnostic) {
    let mut text = String::new();
    let report = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    report.render_report(&mut text, problem).expect("a problem can be shown");
    assert!(!text.is_empty());
}
