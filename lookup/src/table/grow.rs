//! Builds the IPv6 trie from the ranges of a cover.
//!
//! Every step goes over ranges, never over the places of a node, so the cost is in proportion to
//! them and their depth. Nodes below come first: what a node holds is gathered on a stack until all
//! that it points at is there.

use super::six::{LINE, Line, ROOT_BITS, Six, Slot, TRIE_BITS};
use crate::{Address, ClassId, Ranges};

/// A node has 2^SPREAD to 2^(SPREAD + 1) places for each of its ranges.
const SPREAD: u32 = 2;
/// The widest stride of a node.
const STRIDE_BITS: u32 = 16;

/// A part of the address space that is being indexed, and the ranges `from..to` that cut it.
#[derive(Clone, Copy)]
struct Span {
    first: u128,
    len: u32,
    from: usize,
    to: usize,
}

/// A table that grows.
pub(super) struct Grow<'a> {
    starts: &'a [u128],
    classes: &'a [ClassId],
    /// Runs of the nodes that are not complete: places, and what they hold.
    runs: Vec<(u32, Slot)>,
    table: Six,
}

impl<'a> Grow<'a> {
    pub(super) fn new(ranges: &'a Ranges<u128, ClassId>) -> Self {
        let spare = Line { starts: [i32::MIN; LINE], classes: [ClassId(0); LINE] };
        Self {
            starts: ranges.starts(),
            classes: ranges.values(),
            runs: Vec::new(),
            table: Six {
                root: Vec::with_capacity(1 << ROOT_BITS),
                nodes: Vec::new(),
                lines: vec![spare],
                deep: Vec::new(),
                low: Vec::new(),
            },
        }
    }

    pub(super) fn finish(mut self) -> Six {
        self.gather(ROOT_BITS, Span { first: 0, len: 0, from: 0, to: self.starts.len() });
        for (count, slot) in self.runs {
            let end = self.table.root.len() + count as usize;
            self.table.root.resize(end, slot);
        }
        self.table
    }

    /// Puts the runs of a node of `bits` on the stack, and all below it into the table.
    fn gather(&mut self, bits: u32, span: Span) {
        let len = span.len + bits;
        let (places, shift) = (1u128 << bits, 128 - len);
        let place = |start: u128| (start - span.first) >> shift;
        let (mut next, mut from) = (0, span.from);
        while next < places {
            // Places that are one range's alone, up to the one that the next range begins in.
            let end = if from + 1 < span.to { place(self.starts[from + 1]) } else { places };
            if end > next {
                self.runs.push(((end - next) as u32, Slot::class(self.classes[from])));
                next = end;
                if next < places && self.starts[from + 1] == span.first | next << shift {
                    from += 1;
                }
                continue;
            }
            let first = span.first | next << shift;
            let last = first.last_of(len as u8);
            let inside = self.starts[from + 1..span.to].partition_point(|&start| start <= last);
            let to = from + 1 + inside;
            let slot = self.slot(Span { first, len, from, to });
            self.runs.push((1, slot));
            next += 1;
            // The last range goes on in the next place, unless it ends just here.
            let ends = to < span.to && last.successor() == Some(self.starts[to]);
            from = if ends { to } else { to - 1 };
        }
    }

    /// What stands for a span that two ranges or more cut.
    fn slot(&mut self, span: Span) -> Slot {
        if span.len == TRIE_BITS {
            return self.deep(span);
        }
        if let Some(line) = self.line(span) {
            self.table.lines.push(line);
            return Slot::line(self.table.lines.len() - 1);
        }
        let count = span.to - span.from;
        let bits = (count.ilog2() + SPREAD).min(STRIDE_BITS).min(TRIE_BITS - span.len);
        let mark = self.runs.len();
        self.gather(bits, span);
        let nodes = &mut self.table.nodes;
        let place = nodes.len();
        for (count, slot) in self.runs.drain(mark..) {
            nodes.resize(nodes.len() + count as usize, slot);
        }
        Slot::node(bits, place.min(Slot::PLACES - 1))
    }

    /// The ranges of a span as a line, if they are few and 32 bits above /64 tell their starts apart.
    fn line(&self, span: Span) -> Option<Line> {
        let count = span.to - span.from;
        if count > LINE {
            return None;
        }
        let mut line =
            Line { starts: [i32::MAX; LINE], classes: [self.classes[span.to - 1]; LINE] };
        line.starts[0] = i32::MIN;
        line.classes[..count].copy_from_slice(&self.classes[span.from..span.to]);
        for (at, &start) in self.starts[span.from + 1..span.to].iter().enumerate() {
            let bits = start << span.len;
            if bits << 32 != 0 || start as u64 != 0 {
                return None;
            }
            line.starts[at + 1] = Line::start((bits >> 96) as u32);
        }
        Some(line)
    }

    fn deep(&mut self, span: Span) -> Slot {
        let table = &mut self.table;
        let from = table.low.len();
        // The first range may begin before the /64.
        table.low.push((0, self.classes[span.from]));
        let rest = span.from + 1..span.to;
        let starts = self.starts[rest.clone()].iter().map(|&start| start as u64);
        table.low.extend(starts.zip(self.classes[rest].iter().copied()));
        table.deep.push((from as u32, table.low.len() as u32));
        Slot::deep(table.deep.len() - 1)
    }
}
