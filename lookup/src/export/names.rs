//! Names that nftables can read.
//!
//! A policy's names may hold what an nftables identifier may not. What is foreign becomes `_`; two
//! names that become one are told apart by a number. Sets and chains are prefixed (`group.`, `to.`),
//! so that no name is a keyword or begins with a digit.

use std::collections::HashSet;

/// An identifier for each name, in order.
pub(super) fn identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut distinct = |name: &str| {
        let plain: String = name.chars().map(plain).collect();
        let mut candidate = plain.clone();
        let mut number = 2;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{plain}_{number}");
            number += 1;
        }
        candidate
    };
    names.into_iter().map(&mut distinct).collect()
}

fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }
}

/// The longest comment that the kernel keeps with a rule or a set, without its end.
const COMMENT_BYTES: usize = 127;

/// A comment in quotes; names hold no quote, and what is too long is cut.
pub(super) fn comment(text: &str) -> String {
    let mut text = text.replace('"', "'");
    while text.len() > COMMENT_BYTES {
        text.pop();
    }
    format!("comment \"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_become_distinct_identifiers() {
        let names = ["office", "büro", "b_ro", "b;ro", "3com", "a/b"];
        let expected = ["office", "b_ro", "b_ro_2", "b_ro_3", "3com", "a_b"];
        assert_eq!(identifiers(names), expected);
    }

    #[test]
    fn a_long_comment_is_cut_between_characters() {
        assert_eq!(comment("deny:tor"), "comment \"deny:tor\"");
        let long = comment(&"é".repeat(100));
        assert_eq!(long.len(), "comment \"\"".len() + 126);
    }
}
