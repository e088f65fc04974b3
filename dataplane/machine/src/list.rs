//! The kernel's list format, `0-3,8,10-11`, both ways (`Documentation/core-api/printk-formats.rst`).

use std::fmt::Write;

/// More numbers than any machine has cores: bounds what a false range may ask for.
const MOST: usize = 8192;

/// Reads a list; what is no number is left out.
#[must_use]
pub fn listed(text: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            numbers.extend(first..=last.min(first.saturating_add(MOST)));
        }
    }
    numbers
}

/// Writes numbers in ascending order as a list.
#[must_use]
pub fn ranges(numbers: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let [first, ..] = rest {
        let run = rest.iter().zip(*first..).take_while(|(have, next)| *have == next).count();
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = match run {
            1 => write!(text, "{comma}{first}"),
            _ => write!(text, "{comma}{first}-{}", first + run - 1),
        };
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (text, numbers) in [
            ("0", vec![0]),
            ("0-3", vec![0, 1, 2, 3]),
            ("0-1,4,6-7", vec![0, 1, 4, 6, 7]),
            ("", vec![]),
        ] {
            assert_eq!(listed(text), numbers, "{text}");
            assert_eq!(ranges(&numbers), text);
        }
    }

    #[test]
    fn what_is_no_list_ends_and_is_left_out() {
        for (text, numbers) in
            [("x,2", vec![2]), ("3-1", vec![]), ("(null)", vec![]), (",,", vec![])]
        {
            assert_eq!(listed(text), numbers, "{text}");
        }
        assert!(listed("0-99999999999").len() <= MOST + 1);
    }
}
