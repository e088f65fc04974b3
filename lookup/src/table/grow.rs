//! Builds the IPv6 trie from the ranges of a cover.
//!
//! Every step goes over ranges, a word for 32 places at most, so the cost is in proportion to
//! them and their depth. Nodes below come first: the runs of a node are gathered on a stack until all
//! that they lead to is there.

use pulp::Arch;

use super::packed::{PLACES, begin_run, end_run};
use super::six::{NODE_BITS, ROOT_BITS, START_WORDS, STARTS, Six, Slot, TRIE_BITS};
use crate::{Address, ClassId, Ranges};

/// A dense node has more than 2^(SPREAD - 1) and up to 2^SPREAD places for each of its ranges.
const SPREAD: u32 = 6;

/// Ranges that are looked at one after another before the rest is searched.
const FEW: usize = 8;

/// A part of the address space that is being indexed, and the ranges `from..to` that cut it.
#[derive(Clone, Copy)]
struct Span {
    first: u128,
    len: u32,
    from: usize,
    to: usize,
}

/// Places of a node that lead to the same.
#[derive(Clone, Copy)]
struct Run {
    places: u32,
    slot: Slot,
}

/// A table that grows.
pub(super) struct Grow<'a> {
    starts: &'a [u128],
    classes: &'a [ClassId],
    /// Those of the nodes that are not complete.
    runs: Vec<Run>,
    table: Six,
}

impl<'a> Grow<'a> {
    pub(super) fn new(ranges: &'a Ranges<u128, ClassId>) -> Self {
        Self {
            starts: ranges.starts(),
            classes: ranges.values(),
            runs: Vec::new(),
            table: Six {
                arch: Arch::new(),
                root: Vec::with_capacity(1 << ROOT_BITS),
                blocks: vec![0],
                values: vec![0; START_WORDS],
                deep: Vec::new(),
                low: Vec::new(),
                low_classes: Vec::new(),
            },
        }
    }

    pub(super) fn finish(mut self) -> Six {
        self.gather(ROOT_BITS, Span { first: 0, len: 0, from: 0, to: self.starts.len() });
        let Self { runs, mut table, .. } = self;
        for Run { places, slot } in runs {
            // A place with one class gets a node of that class alone: a burst's first step is dense.
            let alone = [Run { places: 2, slot }];
            let slot = if slot.is_class() { table.push_dense(1, &alone) } else { slot };
            table.root.resize(table.root.len() + places as usize, slot);
        }
        table.blocks.shrink_to_fit();
        table.values.shrink_to_fit();
        table.deep.shrink_to_fit();
        table.low.shrink_to_fit();
        table.low_classes.shrink_to_fit();
        table
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
                let slot = Slot::class(self.classes[from]);
                self.runs.push(Run { places: (end - next) as u32, slot });
                next = end;
                if next < places && self.starts[from + 1] == span.first | next << shift {
                    from += 1;
                }
                continue;
            }
            let first = span.first | next << shift;
            let last = first.last_of(len as u8);
            let to = from + 1 + self.begun_by(last, from + 1, span.to);
            let slot = self.slot(Span { first, len, from, to });
            self.runs.push(Run { places: 1, slot });
            next += 1;
            // The last range goes on in the next place, unless it ends just here.
            let ends = to < span.to && last.successor() == Some(self.starts[to]);
            from = if ends { to } else { to - 1 };
        }
    }

    /// How many of the ranges `from..to` have begun at `last`: mostly few.
    fn begun_by(&self, last: u128, from: usize, to: usize) -> usize {
        let starts = &self.starts[from..to];
        let few = starts.len().min(FEW);
        let begun = starts[..few].iter().take_while(|&&start| start <= last).count();
        if begun < few {
            begun
        } else {
            few + starts[few..].partition_point(|&start| start <= last)
        }
    }

    /// What stands for a span that two ranges or more cut.
    fn slot(&mut self, span: Span) -> Slot {
        if span.len == TRIE_BITS {
            return self.deep(span);
        }
        let count = span.to - span.from;
        let sparse = self.is_sparse(span);
        let bits = if sparse { NODE_BITS } else { count.ilog2() + SPREAD };
        let bits = bits.min(NODE_BITS).min(TRIE_BITS - span.len);
        let mark = self.runs.len();
        self.gather(bits, span);
        let runs = &self.runs[mark..];
        let slot = match sparse {
            true => self.table.push_sparse(runs),
            false => self.table.push_dense(bits, runs),
        };
        self.runs.truncate(mark);
        slot
    }

    /// Whether a sparse node can hold a span: 16 bits are left, and few places begin a run. The root
    /// leads to dense nodes only.
    fn is_sparse(&self, span: Span) -> bool {
        if span.len == ROOT_BITS || span.len + NODE_BITS > TRIE_BITS {
            return false;
        }
        let (mut begun, mut last) = (0, 0);
        for &start in &self.starts[span.from + 1..span.to] {
            let rest = ((start >> 64) as u64) << span.len;
            let place = (rest >> (64 - NODE_BITS)) as u32;
            // A start inside a place makes that place a run of its own, and the next place begins one.
            let within = rest << NODE_BITS != 0 || start as u64 != 0;
            let next = (place + u32::from(within)).min((1 << NODE_BITS) - 1);
            begun += u32::from(place > last) + u32::from(next > place.max(last));
            last = last.max(next);
            if begun > STARTS as u32 {
                return false;
            }
        }
        true
    }

    fn deep(&mut self, span: Span) -> Slot {
        let table = &mut self.table;
        let from = table.low.len();
        // The first range may begin before the /64.
        table.low.push(0);
        let starts = &self.starts[span.from + 1..span.to];
        table.low.extend(starts.iter().map(|&start| start as u64));
        table.low_classes.extend_from_slice(&self.classes[span.from..span.to]);
        table.deep.push((from as u32, table.low.len() as u32));
        Slot::deep(table.deep.len() - 1)
    }
}

impl Six {
    fn push_dense(&mut self, bits: u32, runs: &[Run]) -> Slot {
        let place = self.blocks.len();
        let mut next = 0;
        for &Run { places, slot } in runs {
            begin_run(&mut self.blocks, next);
            self.values.push(slot.0);
            next += places as usize;
            end_run(&mut self.blocks, place + next.div_ceil(PLACES), self.values.len() - 1);
        }
        Slot::dense(bits, place)
    }

    /// The first run begins where the node does, and is not compared.
    fn push_sparse(&mut self, runs: &[Run]) -> Slot {
        let begun = runs.len() - 1;
        let mut words = [0; START_WORDS];
        let mut next = 0;
        for (at, run) in runs[..begun].iter().enumerate() {
            next += run.places;
            words[START_WORDS - 1 - at / 2] |= next << (16 * (1 - at % 2));
        }
        self.values.extend_from_slice(&words[START_WORDS - begun.div_ceil(2)..]);
        let place = self.values.len();
        self.values.extend(runs.iter().map(|run| run.slot.0));
        Slot::sparse(begun, place)
    }
}
