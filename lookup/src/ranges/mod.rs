//! A cover of the whole address space by ranges, each with a value.
//!
//! Everything that is known by address passes through this form: databases, overrides and lists go
//! in as prefixes, [`Ranges::zip`] joins two covers in one linear pass, and the lookup tables are
//! compiled from the result. There are no gaps and no overlaps to think of, because the end of a
//! range is the start of the next.
//!
//! ```text
//!  starts  0        1.0.0.0   1.0.1.0      224.0.0.0
//!  values  none     AU        CN     ...   none
//!          |--------|---------|----- ... --|---------| 255.255.255.255
//! ```
//!
//! Costs: `size_of::<A>() + size_of::<V>()` bytes a range; building n prefixes is a sort; `zip` of a
//! million ranges takes milliseconds; `find` is a binary search, for `explain` and records.

mod address;

pub use address::{Address, Prefix};

/// A sorted cover of the whole address space without gaps; neighbours have different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges<A, V> {
    starts: Vec<A>,
    values: Vec<V>,
}

impl<A: Address, V: PartialEq> Ranges<A, V> {
    /// The whole space with one value.
    #[must_use]
    pub fn new(value: V) -> Self {
        Self { starts: vec![A::MIN], values: vec![value] }
    }

    /// The whole space with one value, and room for so many ranges.
    pub(crate) fn with_capacity(value: V, room: usize) -> Self {
        let (mut starts, mut values) = (Vec::with_capacity(room), Vec::with_capacity(room));
        starts.push(A::MIN);
        values.push(value);
        Self { starts, values }
    }

    /// Gives back the room that nothing was written to.
    pub(crate) fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// Gives everything from `start` on this value. Calls must come with ascending `start`; a second
    /// call with the same `start` replaces the first.
    pub fn append(&mut self, start: A, value: V) {
        if let Some(&last) = self.starts.last() {
            debug_assert!(last <= start, "ranges are appended in order");
            if last == start {
                self.starts.pop();
                self.values.pop();
            }
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// Prefixes in any order over `default`: the longest prefix that holds an address gives its
    /// value (LPM), the later one of two equal prefixes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers write `build(NONE, ..)`")]
    pub fn build(default: V, prefixes: impl IntoIterator<Item = (Prefix<A>, V)>) -> Self
    where
        V: Clone,
    {
        let mut sorted: Vec<_> = prefixes.into_iter().collect();
        sorted.sort_by_key(|(prefix, _)| (prefix.first(), prefix.bits()));
        let mut ranges = Self::new(default.clone());
        let mut open: Vec<(A, V)> = Vec::new(); // the prefixes around the current one, widest first
        for (prefix, value) in sorted {
            ranges.close(&mut open, &default, Some(prefix.first()));
            ranges.append(prefix.first(), value.clone());
            open.push((prefix.last(), value));
        }
        ranges.close(&mut open, &default, None);
        ranges
    }

    /// Ends the open prefixes that end before `next`, and goes back to what is around each.
    fn close(&mut self, open: &mut Vec<(A, V)>, default: &V, next: Option<A>)
    where
        V: Clone,
    {
        while let Some(&(last, _)) = open.last() {
            if next.is_some_and(|next| last >= next) {
                return;
            }
            open.pop();
            if let Some(start) = last.successor() {
                self.append(start, open.last().map_or(default, |(_, value)| value).clone());
            }
        }
    }

    /// Joins two covers: the value of each address is `f` of its values in both. One pass over both;
    /// `f` is called once for each piece that both cut.
    #[must_use]
    pub fn zip<W, X: PartialEq>(
        &self,
        other: &Ranges<A, W>,
        mut f: impl FnMut(&V, &W) -> X,
    ) -> Ranges<A, X> {
        let room = self.starts.len() + other.starts.len();
        let mut joined =
            Ranges { starts: Vec::with_capacity(room), values: Vec::with_capacity(room) };
        let mut i = 0;
        for (first, last, right) in other.iter() {
            // The range that reaches into this one, then those that begin within it.
            joined.append(first, f(&self.values[i], right));
            while let Some(&start) = self.starts.get(i + 1).filter(|&&start| start <= last) {
                i += 1;
                joined.append(start, f(&self.values[i], right));
            }
            i += usize::from(self.starts.get(i + 1).copied() == last.successor());
        }
        joined.shrink();
        joined
    }

    /// The same cover with `f` of each value; neighbours that become equal merge.
    #[must_use]
    pub fn map<X: PartialEq>(&self, mut f: impl FnMut(&V) -> X) -> Ranges<A, X> {
        let room = self.starts.len();
        let mut mapped =
            Ranges { starts: Vec::with_capacity(room), values: Vec::with_capacity(room) };
        for (&start, value) in self.starts.iter().zip(&self.values) {
            mapped.append(start, f(value));
        }
        mapped
    }
}

impl<A: Address, V> Ranges<A, V> {
    /// The value of an address.
    #[must_use]
    pub fn find(&self, address: A) -> &V {
        &self.values[self.index(address)]
    }

    /// First and last address of the range that holds an address.
    #[must_use]
    pub fn range_of(&self, address: A) -> (A, A) {
        let index = self.index(address);
        (self.starts[index], self.last(index))
    }

    /// All ranges in order: first address, last address, value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (A, A, &V)> {
        self.values.iter().enumerate().map(|(i, value)| (self.starts[i], self.last(i), value))
    }

    /// Where the ranges begin, ascending.
    pub(crate) fn starts(&self) -> &[A] {
        &self.starts
    }

    /// What the ranges hold, in order.
    pub(crate) fn values(&self) -> &[V] {
        &self.values
    }

    /// How many ranges there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a cover is never empty")]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.starts.capacity() * size_of::<A>() + self.values.capacity() * size_of::<V>()
    }

    fn index(&self, address: A) -> usize {
        self.starts.partition_point(|&start| start <= address) - 1
    }

    fn last(&self, index: usize) -> A {
        self.starts.get(index + 1).and_then(|start| start.predecessor()).unwrap_or(A::MAX)
    }
}
