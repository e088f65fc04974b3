//! Where an address is, as a small number: what counters by country are indexed with.
//!
//! A country's number comes from its two letters alone, so it is the same in every revision and for
//! every database, and counters by it need no map. Two more numbers stand behind all letters.

use std::fmt;

use crate::Country;

const LETTERS: u16 = 26;

/// A country, or one of the two places without: private addresses, and those nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(u16);

impl Region {
    /// No country is known, and the address is not private.
    pub const UNKNOWN: Self = Self(LETTERS * LETTERS);
    /// The built-in group `private` holds the address, and no override gives it a country.
    pub const PRIVATE: Self = Self(LETTERS * LETTERS + 1);
    /// How many there are.
    pub const COUNT: usize = LETTERS as usize * LETTERS as usize + 2;

    /// Of an address with this country, if it has one.
    #[must_use]
    pub fn new(country: Option<Country>, private: bool) -> Self {
        match country.map(|country| country.letters()) {
            Some([a, b]) => Self(u16::from(a - b'A') * LETTERS + u16::from(b - b'A')),
            None if private => Self::PRIVATE,
            None => Self::UNKNOWN,
        }
    }

    /// All of them, in the order of [`Region::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=Self::PRIVATE.0).map(Self)
    }

    /// Dense from 0.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Region {
    /// The country's code, `unknown` or `private`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNKNOWN => f.write_str("unknown"),
            Self::PRIVATE => f.write_str("private"),
            Self(number) => {
                let letter = |n: u16| char::from(b'A' + (n % LETTERS) as u8);
                write!(f, "{}{}", letter(number / LETTERS), letter(number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_and_comes_back() {
        for (index, region) in Region::all().enumerate() {
            assert_eq!(region.index(), index);
            let text = region.to_string();
            let again = match text.as_str() {
                "unknown" => Region::new(None, false),
                "private" => Region::new(None, true),
                code => Region::new(Country::new(code), true),
            };
            assert_eq!(again, region, "{text}");
        }
        assert_eq!(Region::all().count(), Region::COUNT);
    }
}
