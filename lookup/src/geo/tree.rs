//! The search tree of a MaxMind DB, walked once over all networks.
//!
//! `maxminddb` reads metadata and records; the tree is walked here because a walk over a damaged
//! file must end. Two bounds do that: no path is longer than an address, and all paths together
//! visit each node a few times at most, so a file costs no more than in proportion to its size.
//!
//! ```text
//!  node: 6, 7 or 8 bytes   | left record | right record |
//!  record <  nodes: the node of that number
//!         == nodes: nothing is known here
//!         >  nodes: nodes + 16 + the offset of a record in the data section
//! ```
//!
//! Source: MaxMind DB File Format Specification 2.0, "Binary Search Tree Section".

use crate::{Address, Prefix};

/// Visits of one node that are not taken for a cycle. The IPv4 tree is visited once, its aliases
/// not at all; other sharing is unusual.
const VISITS: usize = 4;

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// Nothing is known of this network.
    Empty,
    /// Its record is at this offset of the data section.
    Data(usize),
    /// It stands for the whole IPv4 space.
    Alias,
}

/// A search tree in the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree<'a> {
    bytes: &'a [u8],
    nodes: usize,
    record_bits: u16,
}

impl<'a> Tree<'a> {
    pub(super) fn new(bytes: &'a [u8], nodes: u32, record_bits: u16) -> Self {
        Self { bytes, nodes: nodes as usize, record_bits }
    }

    /// The record that IPv4 addresses start from in an IPv6 tree: below 96 zero bits, or the leaf
    /// that ends the path before.
    pub(super) fn ipv4_root(&self) -> Result<usize, String> {
        let mut record = 0;
        for _ in 0..96 {
            if record >= self.nodes {
                return Ok(record);
            }
            record = self.children(record)?[0];
        }
        if record == 0 {
            return Err("its search tree has a cycle".into());
        }
        Ok(record)
    }

    /// Calls `leaf` for every network below `root`, in ascending order. At `alias` the path ends.
    pub(super) fn walk<A: Address>(
        &self,
        root: usize,
        alias: Option<usize>,
        mut leaf: impl FnMut(Prefix<A>, Leaf) -> Result<(), String>,
    ) -> Result<(), String> {
        // Leaves come in ascending order, so that each begins where the one before ended.
        let mut first = Some(A::MIN);
        let mut paths = vec![(root, 0)];
        let mut budget = self.nodes.saturating_mul(VISITS);
        while let Some((record, bits)) = paths.pop() {
            let found = match self.leaf(record)? {
                Some(found) => found,
                None if Some(record) == alias && bits <= 96 => Leaf::Alias,
                None => {
                    budget = budget
                        .checked_sub(1)
                        .ok_or("its search tree visits nodes again and again")?;
                    if bits == A::BITS {
                        return Err("its search tree is deeper than an address".into());
                    }
                    let [left, right] = self.children(record)?;
                    paths.extend([(right, bits + 1), (left, bits + 1)]);
                    continue;
                }
            };
            let prefix = Prefix::new(first.ok_or("its search tree has too many leaves")?, bits);
            first = prefix.last().successor();
            leaf(prefix, found)?;
        }
        Ok(())
    }

    /// What ends a path with this record; `None` for a node.
    fn leaf(&self, record: usize) -> Result<Option<Leaf>, String> {
        if record < self.nodes {
            return Ok(None);
        }
        if record == self.nodes {
            return Ok(Some(Leaf::Empty));
        }
        let offset = (record - self.nodes).checked_sub(16);
        let wrong = || "its search tree points between its sections".to_owned();
        offset.map(|offset| Some(Leaf::Data(offset))).ok_or_else(wrong)
    }

    fn children(&self, node: usize) -> Result<[usize; 2], String> {
        let width = usize::from(self.record_bits / 4);
        let bytes = node.checked_mul(width).and_then(|at| self.bytes.get(at..at + width));
        Ok(match bytes {
            Some(&[a, b, c, d, e, f]) => [number([0, a, b, c]), number([0, d, e, f])],
            Some(&[a, b, c, m, d, e, f]) => [number([m >> 4, a, b, c]), number([m & 15, d, e, f])],
            Some(&[a, b, c, d, e, f, g, h]) => [number([a, b, c, d]), number([e, f, g, h])],
            _ => return Err("its search tree is cut off".into()),
        })
    }
}

fn number(bytes: [u8; 4]) -> usize {
    u32::from_be_bytes(bytes) as usize
}
