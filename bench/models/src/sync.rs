//! What the files know as their crate's `sync`: loom's `Arc`, and its atomics with a turn to each access.
//!
//! Of the accesses to one atomic loom keeps the last alone, when it looks for an order that it has not
//! tried: a thread that reads a word and then writes it hides from it who read before. So each access
//! here also takes its turn at a second atomic, which orders nothing (relaxed) but lets loom see every
//! pair of accesses. A load may still answer any value that the memory model lets it.
//!
//! Where plain stores race with exchanges, loom lets a store slip between the two halves of an
//! exchange, which neither C11 nor any machine does. So the words that are both stored to and
//! exchanged (64 bits) are stored to by a swap; the indices of rings (32 bits) are stored to as they are.

use loom::sync::atomic::AtomicUsize;

pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::Ordering;

macro_rules! atomics {
    ($($name:ident of $int:ident by $write:ident,)*) => {$(
        /// See the module.
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            value: loom::sync::atomic::$name,
            turn: AtomicUsize,
        }

        impl $name {
            pub(crate) fn new(value: $int) -> Self {
                Self { value: loom::sync::atomic::$name::new(value), turn: AtomicUsize::new(0) }
            }

            fn turn(&self) -> &loom::sync::atomic::$name {
                self.turn.fetch_add(0, Ordering::Relaxed);
                &self.value
            }

            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.turn().load(order)
            }

            pub(crate) fn store(&self, value: $int, order: Ordering) {
                let _ = self.turn().$write(value, order);
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $int,
                new: $int,
                done: Ordering,
                failed: Ordering,
            ) -> Result<$int, $int> {
                self.turn().compare_exchange(old, new, done, failed)
            }
        }
    )*};
}

atomics! {
    AtomicU32 of u32 by store,
    AtomicU64 of u64 by swap,
}
