//! Sizes of frames on the wire, frame check sequence included, as in RFC 2544.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The simple internet mix: of twelve frames seven are small, four middling, one is full.
const IMIX: [usize; 12] = [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 64, 594];

/// How large frames are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All alike, 64 to 1518 bytes.
    One(usize),
    /// 64, 594 and 1518 bytes as 7 to 4 to 1.
    Imix,
}

impl From<usize> for Sizes {
    fn from(wire_bytes: usize) -> Self {
        Self::One(wire_bytes)
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(wire_bytes) => write!(f, "{wire_bytes}"),
            Self::Imix => f.write_str("imix"),
        }
    }
}

impl FromStr for Sizes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let sizes = match text {
            "imix" => Self::Imix,
            number => Self::One(number.parse().unwrap_or(0)),
        };
        sizes.checked()
    }
}

impl Sizes {
    /// Refuses what Ethernet has not.
    ///
    /// # Errors
    /// When a size is not one of 64 to 1518.
    pub fn checked(self) -> Result<Self> {
        match self {
            Self::One(wire_bytes) if !(64..=1518).contains(&wire_bytes) => {
                let text = "frames: choose 64 to 1518 bytes, FCS included, or imix";
                Err(Error::Usage(text.to_owned()))
            }
            fine => Ok(fine),
        }
    }

    /// The size of an entry of the generator's table.
    pub(super) fn of(self, entry: usize) -> usize {
        match self {
            Self::One(wire_bytes) => wire_bytes,
            Self::Imix => IMIX[entry % IMIX.len()],
        }
    }

    /// How many entries a table of so many flows has: a mix needs all of its sizes in each flow, or
    /// so many flows that it does not matter.
    #[must_use]
    pub fn entries(self, flows: usize) -> usize {
        match self {
            Self::Imix if flows < 100 * IMIX.len() => flows * IMIX.len(),
            Self::One(_) | Self::Imix => flows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_or_say_how() {
        assert_eq!("64".parse::<Sizes>().unwrap(), Sizes::One(64));
        assert_eq!("1518".parse::<Sizes>().unwrap().to_string(), "1518");
        assert_eq!("imix".parse::<Sizes>().unwrap().to_string(), "imix");
        for bad in ["", "63", "1519", "IMIX", "-64", "64 "] {
            assert!(bad.parse::<Sizes>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_flow_has_the_whole_mix() {
        for flows in [1, 5, 12, 1199] {
            let entries = Sizes::Imix.entries(flows);
            // Entry by entry the flows take turns, and so do the sizes.
            let mut of_first: Vec<usize> = (0..entries)
                .filter(|entry| entry / 12 % flows == 0)
                .map(|e| Sizes::Imix.of(e))
                .collect();
            of_first.sort_unstable();
            assert_eq!(of_first, [64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1518], "{flows}");
        }
        assert_eq!(Sizes::Imix.entries(1200), 1200);
        assert_eq!(Sizes::One(64).entries(7), 7);
    }
}
