//! Which row of a table belongs to a name, whatever number the name has in a revision.
//!
//! Ids are places in one ruleset's lists, and a reload that adds a domain may renumber all of them. So
//! counters stand in rows by name: when a worker meets a new ruleset it looks up, once, which row each
//! of its ids has. Nothing is cleared by a reload, and sums go on.
//!
//! ```text
//!  id --(once a revision: print of its name)--> row      print --> first place; on to the next
//! ```
//!
//! A row is found by its name's print, beginning at the place that the print says and going on to the
//! first row that was never used. When all are used, one that the ruleset in force does not name begins
//! anew. A reader takes what it read from a row only if the row's print was the same before and after.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

const FREE: u64 = 0;
const BUSY: u64 = 1;

/// Stands for a name. Names are the operator's own: it takes no secret to keep them apart.
pub(super) fn print(name: &str, part: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(name.as_bytes());
    hasher.write_u8(0);
    hasher.write(part.as_bytes());
    hasher.finish().max(BUSY + 1)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Rows {
    prints: Box<[AtomicU64]>,
    /// The last turn in which a row was named; only the writer looks here.
    named: Box<[AtomicU64]>,
}

impl Rows {
    pub(super) fn new(rows: usize) -> Self {
        let words = || (0..rows).map(|_| AtomicU64::new(0)).collect();
        Self { prints: words(), named: words() }
    }

    /// The row of a print, if it has one.
    pub(super) fn find(&self, print: u64) -> Option<usize> {
        let have = |row: &usize| self.prints[*row].load(Ordering::Acquire);
        let used = self.probe(print).take_while(|row| have(row) != FREE);
        used.into_iter().find(|row| have(row) == print)
    }

    fn probe(&self, print: u64) -> impl Iterator<Item = usize> + use<> {
        let (rows, first) = (self.prints.len(), print as usize % self.prints.len().max(1));
        (first..rows).chain(0..first)
    }

    /// Only the writer: gives every name a row, in order, as far as `of` goes; `turn` is greater each
    /// time. `begin` clears a row before it has its new name.
    pub(super) fn adopt(
        &self,
        turn: u64,
        names: impl Iterator<Item = u64> + Clone,
        of: &mut [u16],
        begin: impl Fn(usize),
    ) {
        // Those that have a row keep it, whatever comes before them in the list.
        for print in names.clone().take(of.len()) {
            if let Some(row) = self.find(print) {
                self.named[row].store(turn, Ordering::Relaxed);
            }
        }
        for (print, place) in names.zip(of) {
            let found = self.find(print).or_else(|| {
                let row = self.spare(print, turn)?;
                self.prints[row].store(BUSY, Ordering::Release);
                begin(row);
                self.prints[row].store(print, Ordering::Release);
                self.named[row].store(turn, Ordering::Relaxed);
                Some(row)
            });
            *place = found.unwrap_or_default() as u16;
        }
    }

    /// A row that was never used, else one without a name in this turn.
    fn spare(&self, print: u64, turn: u64) -> Option<usize> {
        let free = |row: &usize| self.prints[*row].load(Ordering::Relaxed) == FREE;
        let idle = |row: &usize| self.named[*row].load(Ordering::Relaxed) != turn;
        self.probe(print).find(free).or_else(|| self.probe(print).find(idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[u64]) -> Vec<u64> {
        list.iter().map(|name| print("domain", &name.to_string())).collect()
    }

    #[test]
    fn a_name_keeps_its_row_whatever_its_number() {
        let rows = Rows::new(8);
        let mut of = [0; 8];
        let begun = std::cell::RefCell::new(Vec::new());
        let mut adopt = |turn, list: &[u64]| {
            begun.borrow_mut().clear();
            rows.adopt(turn, names(list).into_iter(), &mut of, |row| begun.borrow_mut().push(row));
            let mut sorted = of[..list.len()].to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), list.len(), "no two names share a row");
            (of, begun.borrow().clone())
        };
        let (first, begun) = adopt(1, &[1, 2, 3]);
        assert_eq!(begun.len(), 3);
        let (second, begun) = adopt(2, &[9, 3, 1]);
        assert_eq!(begun.len(), 1);
        assert_eq!((second[1], second[2]), (first[2], first[0]));
        // All rows are used now, and 2 is in nobody's way until its row is needed.
        let (_, begun) = adopt(3, &[11, 12, 13, 14, 1, 3, 9]);
        assert_eq!(begun.len(), 4);
        let (last, begun) = adopt(4, &[21, 11, 12, 13, 14, 1, 3, 9]);
        assert_eq!(begun, [usize::from(first[1])], "the row that nobody names");
        assert_eq!(last[5], first[0]);
        assert_eq!(rows.find(print("domain", "2")), None);
    }

    #[test]
    fn names_beyond_the_rows_have_none_of_their_own() {
        let rows = Rows::new(4);
        let mut of = [0; 4];
        rows.adopt(1, names(&[1, 2, 3, 4, 5, 6]).into_iter(), &mut of, |_| {});
        assert_eq!(rows.find(print("domain", "5")), None);
        assert_ne!(print("a", "b"), print("ab", ""));
    }
}
