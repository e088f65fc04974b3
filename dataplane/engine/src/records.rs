//! The drop ring: one single-producer single-consumer ring a worker, written in chunks.
//!
//! ```text
//!  filter --push--> staged (a burst) --commit, one release store--> rtrb ring --> logger
//! ```
//!
//! The worker stages the records of a burst and publishes them together, so the logger's cache line
//! is touched once a burst, not once a drop.

use arrayvec::ArrayVec;
use filter::{BURST, DropRecord, Full, Records};
use rtrb::{Consumer, Producer, RingBuffer};

/// Records that one burst can produce: its drops, and the two held ones that its time released.
const STAGED: usize = BURST + 2;

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Sender {
    ring: Producer<DropRecord>,
    staged: ArrayVec<DropRecord, STAGED>,
    /// Room in the ring beyond what is staged, as far as known.
    room: usize,
}

/// A ring for `records` drop records.
#[must_use]
pub(crate) fn ring(records: usize) -> (Sender, Consumer<DropRecord>) {
    let (ring, consumer) = RingBuffer::new(records);
    (Sender { ring, staged: ArrayVec::new(), room: records }, consumer)
}

impl Sender {
    /// Publishes what the burst staged.
    pub(crate) fn commit(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        // There is room: `push` staged no more than there was.
        if let Ok(chunk) = self.ring.write_chunk_uninit(self.staged.len()) {
            chunk.fill_from_iter(self.staged.drain(..));
        }
        self.staged.clear();
    }
}

impl Records for Sender {
    fn push(&mut self, record: DropRecord) -> Result<(), Full> {
        if self.room == 0 {
            self.room = self.ring.slots().saturating_sub(self.staged.len());
            if self.room == 0 {
                return Err(Full);
            }
        }
        self.staged.try_push(record).map_err(|_| Full)?;
        self.room -= 1;
        Ok(())
    }
}
