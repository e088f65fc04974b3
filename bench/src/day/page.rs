//! The page that the day writes: what was said, run, answered and held, as it happened.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::Stage;
use crate::{Error, Result};

/// A command's end.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Its exit status.
    pub(super) status: i32,
    /// What it printed, both streams.
    pub(super) text: String,
}

impl Said {
    pub(super) fn has(&self, words: &str) -> bool {
        self.text.contains(words)
    }
}

/// A transcript that grows, and what of it did not hold.
#[derive(Debug)]
pub(super) struct Page {
    /// The gateway's folder: the page calls it by its usual name.
    folder: String,
    text: String,
    wrong: Vec<String>,
}

impl Page {
    /// An empty page of a gateway whose files are in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.display().to_string(), text: String::new(), wrong: Vec::new() }
    }

    /// The text without the lab's own paths.
    pub(super) fn plain(&self, text: &str) -> String {
        text.replace(&self.folder, "/etc/palisade")
    }

    pub(super) fn title(&mut self, words: &str) {
        println!("\n== {words}");
        self.put(format_args!("\n## {words}"));
    }

    /// A paragraph.
    pub(super) fn say(&mut self, words: &str) {
        println!("{words}");
        self.put(format_args!("\n{words}"));
    }

    /// A picture beside the page.
    pub(super) fn picture(&mut self, name: &str, words: &str) {
        self.put(format_args!("\n![{words}]({name})"));
    }

    /// A file as it stands.
    pub(super) fn file(&mut self, name: &str, kind: &str, text: &str) {
        println!("--- {name}\n{text}");
        self.put(format_args!("\n`{name}`:\n\n```{kind}\n{}\n```", text.trim_end()));
    }

    /// Runs a line of shell where the operator sits, and shows it with its output.
    pub(super) fn operator(&mut self, stage: &Stage<'_>, line: &str) -> Result<Said> {
        self.shell(stage.operator(line), line, "$")
    }

    /// The same where the clients are.
    pub(super) fn client(&mut self, stage: &Stage<'_>, line: &str) -> Result<Said> {
        self.shell(stage.client(line), line, "client$")
    }

    fn shell(&mut self, mut command: Command, line: &str, prompt: &str) -> Result<Said> {
        println!("{prompt} {line}");
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Start { command: line.to_owned(), source })?;
        // The line itself sends both streams to one.
        let text = self.plain(&String::from_utf8_lossy(&output.stdout));
        let status = output.status.code().unwrap_or(-1);
        print!("{text}");
        let tail = if status == 0 { String::new() } else { format!("(exit status {status})\n") };
        let shown = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        self.put(format_args!("\n```console\n{prompt} {line}\n{}\n{tail}```", shown.trim_end()));
        Ok(Said { status, text })
    }

    /// Notes what must be so; the page shows it, and the day fails when it is not.
    pub(super) fn holds(&mut self, what: &str, so: bool) {
        println!("{} {what}", if so { "ok:  " } else { "NOT: " });
        // Notes that follow each other are one list.
        let gap = if self.text.lines().last().is_some_and(|line| line.starts_with("- ")) {
            ""
        } else {
            "\n"
        };
        self.put(format_args!("{gap}- {} {what}", if so { "✓" } else { "✗ NOT:" }));
        if !so {
            self.wrong.push(what.to_owned());
        }
    }

    /// What did not hold, and the text.
    pub(super) fn end(self) -> (String, Vec<String>) {
        (self.text, self.wrong)
    }

    /// A String takes every write.
    fn put(&mut self, words: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{words}");
    }
}
