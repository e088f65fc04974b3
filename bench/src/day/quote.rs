//! Outputs of the day in other pages: a mark names a command, and the block behind it is what the day
//! printed.
//!
//! ```text
//! <!-- of the day: palisade history -->
//! ...the block that docs/a-day.md has of it, the first where there are several
//! ```
//! So no page shows an output that nobody saw; a test holds the pages to the transcript.

use crate::{Error, Result};

/// What a mark begins and ends with.
const MARK: [&str; 2] = ["<!-- of the day: ", " -->"];
/// The lines around a block.
const FENCES: [&str; 2] = ["```console", "```"];

/// A page with the blocks behind its marks as `day`, the transcript, has them.
pub(super) fn quote(day: &str, page: &str) -> Result<String> {
    let mut text = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        put(&mut text, line);
        let Some(command) = line.strip_prefix(MARK[0]).and_then(|it| it.strip_suffix(MARK[1]))
        else {
            continue;
        };
        if lines.peek() == Some(&FENCES[0]) {
            lines.by_ref().find(|line| *line == FENCES[1]);
        }
        let block = block(day, command)
            .ok_or_else(|| Error::Usage(format!("the day does not run `{command}`")))?;
        put(&mut text, FENCES[0]);
        block.iter().for_each(|line| put(&mut text, line));
        put(&mut text, FENCES[1]);
    }
    Ok(text)
}

/// The first block of a command, without its fences.
fn block<'a>(day: &'a str, command: &str) -> Option<Vec<&'a str>> {
    let lines: Vec<&str> = day.lines().collect();
    let prompt = format!("$ {command}");
    let begin = lines.windows(2).position(|pair| pair == [FENCES[0], &prompt])? + 1;
    let length = lines[begin..].iter().position(|line| *line == FENCES[1])?;
    Some(lines[begin..begin + length].to_vec())
}

fn put(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        let day = "```console\n$ a -b\none\n\ntwo\n```\n\n```console\n$ a -b\nthree\n```\n";
        let fresh = "x\n<!-- of the day: a -b -->\ny\n";
        let quoted = "x\n<!-- of the day: a -b -->\n```console\n$ a -b\none\n\ntwo\n```\ny\n";
        assert_eq!(quote(day, fresh).unwrap(), quoted);
        assert_eq!(quote(day, quoted).unwrap(), quoted);
        assert_eq!(quote("", "no mark\n").unwrap(), "no mark\n");
        quote(day, "<!-- of the day: c -->\n").unwrap_err();
    }

    #[test]
    fn the_pages_show_what_the_day_printed() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let read = |name: &str| std::fs::read_to_string(docs.join(name)).unwrap();
        for name in super::super::QUOTING {
            assert_eq!(read(name), quote(&read("a-day.md"), &read(name)).unwrap(), "{name}");
        }
    }
}
