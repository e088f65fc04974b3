//! Putting back what was changed, the last change first, and nothing else.

use super::{Book, Entry, Error, Machine};

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has its old value again.
    Back,
    /// It had it already: the change was never made, or somebody took it back.
    Was,
    /// Somebody gave it another value since, which it keeps.
    Theirs(String),
    /// Its interface is gone, or is another one of its name.
    Gone,
    /// It refuses; it stays in the book.
    Refused(String),
}

/// Puts everything back that the book tells of; answers what became of each entry.
///
/// # Errors
/// When the book can't be written.
pub fn undo(book: &mut Book, machine: &mut dyn Machine) -> Result<Vec<(Entry, Fate)>, Error> {
    let entries: Vec<_> = book.entries().iter().rev().cloned().collect();
    let mut fates = Vec::new();
    for entry in entries {
        let fate = back(machine, &entry);
        if !matches!(fate, Fate::Refused(_)) {
            book.strike(&entry)?;
        }
        fates.push((entry, fate));
    }
    Ok(fates)
}

fn back(machine: &mut dyn Machine, entry: &Entry) -> Fate {
    let Entry { setting, was, to, mark } = entry;
    if let Some(link) = setting.link()
        && machine.mark(link) != *mark
    {
        return Fate::Gone;
    }
    match machine.read(setting) {
        Ok(now) if now == *was => return Fate::Was,
        Ok(now) if now != *to => return Fate::Theirs(now),
        Ok(_) => {}
        // An interrupt that is another one's, a file that is no more.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Fate::Gone,
        Err(error) => return Fate::Refused(error.to_string()),
    }
    let written = machine.write(setting, was);
    match (written, machine.read(setting)) {
        (Ok(()), Ok(now)) if now == *was => Fate::Back,
        (Err(error), _) | (_, Err(error)) => Fate::Refused(error.to_string()),
        (Ok(()), Ok(now)) => Fate::Refused(format!("it is {now} now, not {was}")),
    }
}
