//! A simulated kernel: the other side of a socket's rings, played in this process.
//!
//! It is here so that everything above a socket runs without root and without a NIC, and so that
//! tests can do what a sound kernel never does. The rings and the UMEM are the same types over the
//! same kind of memory, with the roles exchanged; nothing in [`Socket`] knows.
//! Injecting or draining a packet costs a copy of its bytes and no system call.
//!
//! ```text
//!  inject(bytes): [fill] -> chunk <- bytes -> [rx]      drain(f): [tx] -> f(bytes) -> [completion]
//! ```

use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::config::{Granted, RingSizes};
use crate::place::{Descriptor, Layout};
use crate::region::Region;
use crate::ring::{Consumer, Producer};
use crate::socket::{Peer, Rings, Socket};
use crate::umem::{KERNEL_HEADROOM_BYTES, Umem};

/// What a socket and its simulated kernel share beside the rings: how often the socket called, and
/// whether it was closed.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    rx: AtomicU64,
    tx: AtomicU64,
    /// Held while a chunk is touched, since closing a socket makes its chunks the program's.
    closed: Mutex<bool>,
}

impl Shared {
    pub(crate) fn close(&self) {
        *self.closed() = true;
    }

    fn closed(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rx(&self) {
        self.rx.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn tx(&self) {
        self.tx.fetch_add(1, Ordering::Relaxed);
    }
}

/// The kernel's side of a simulated socket.
#[derive(Debug)]
pub struct Kernel {
    umem: Umem,
    fill: Consumer<u64>,
    rx: Producer<Descriptor>,
    tx: Consumer<Descriptor>,
    completion: Producer<u64>,
    shared: Arc<Shared>,
}

impl Socket {
    /// A socket without a kernel, and the kernel's side of it to play.
    ///
    /// # Errors
    /// [`Error::Size`] when a ring's size is no power of two, [`Error::Memory`] when there is no
    /// memory for the rings.
    pub fn simulated(umem: &Umem, sizes: &RingSizes) -> Result<(Self, Kernel), Error> {
        Self::simulated_at(umem, sizes, 0)
    }

    /// As [`simulated`](Self::simulated), with all ring indices at `start`: just below 2^32, they
    /// wrap soon.
    ///
    /// # Errors
    /// As [`simulated`](Self::simulated).
    pub fn simulated_at(
        umem: &Umem,
        sizes: &RingSizes,
        start: u32,
    ) -> Result<(Self, Kernel), Error> {
        let (fill, kernel_fill) =
            sides(sizes.fill, start, Producer::<u64>::new, Consumer::<u64>::new)?;
        let (rx, kernel_rx) = sides(sizes.rx, start, Consumer::new, Producer::new)?;
        let (tx, kernel_tx) = sides(sizes.tx, start, Producer::new, Consumer::new)?;
        let (completion, kernel_completion) =
            sides(sizes.completion, start, Consumer::<u64>::new, Producer::<u64>::new)?;
        let shared = Arc::new(Shared::default());
        let Some(mark) = umem.mark() else {
            let wanted = "a UMEM has at most 127";
            return Err(Error::Size { what: "the number of sockets", given: 128, wanted });
        };
        let rings = Rings { fill, rx, tx, completion };
        let peer = Peer::Simulated(shared.clone());
        let socket = Self::new(umem.clone(), rings, peer, mark, Granted::Simulated);
        let kernel = Kernel {
            umem: umem.clone(),
            fill: kernel_fill,
            rx: kernel_rx,
            tx: kernel_tx,
            completion: kernel_completion,
            shared,
        };
        Ok((socket, kernel))
    }
}

/// One ring over fresh memory, and both its sides.
fn sides<Ours, Theirs>(
    size: u32,
    start: u32,
    ours: impl FnOnce(&Arc<Region>, Layout, u32) -> Option<Ours>,
    theirs: impl FnOnce(&Arc<Region>, Layout, u32) -> Option<Theirs>,
) -> Result<(Ours, Theirs), Error> {
    if !size.is_power_of_two() || size > 1 << 24 {
        let wanted = "it must be a power of two, at most 16777216";
        return Err(Error::Size { what: "a ring", given: size.into(), wanted });
    }
    let layout = Layout::SIMULATED;
    // Of the two kinds of entries the descriptor is the larger.
    let bytes = layout.bytes::<Descriptor>(size);
    let region =
        Region::anonymous(bytes).map_err(|errno| Error::Memory { bytes, source: errno.into() })?;
    let region = Arc::new(region);
    layout.preset(&region, start);
    let sides = ours(&region, layout, size).zip(theirs(&region, layout, size));
    sides.ok_or(Error::Memory { bytes, source: std::io::ErrorKind::InvalidData.into() })
}

impl Kernel {
    /// Receives a packet as the kernel would: takes a chunk from fill, writes it, shows it in RX.
    /// Answers whether it did; it does not when fill is empty, RX is full, the packet is empty or
    /// too long, or the socket was closed.
    pub fn inject(&mut self, bytes: &[u8]) -> bool {
        self.inject_all([bytes]) == 1
    }

    /// Receives packets until one cannot be; answers how many were. Each index is published once.
    pub fn inject_all<'a>(&mut self, packets: impl IntoIterator<Item = &'a [u8]>) -> usize {
        let mut done = 0;
        for bytes in packets {
            if !self.stage_received(bytes) {
                break;
            }
            done += 1;
        }
        self.fill.release();
        self.rx.publish();
        done
    }

    fn stage_received(&mut self, bytes: &[u8]) -> bool {
        let config = self.umem.config();
        let headroom = u64::from(KERNEL_HEADROOM_BYTES + config.headroom_bytes);
        let fits = (1..=config.packet_bytes() as usize).contains(&bytes.len());
        let closed = self.shared.closed();
        if *closed || !fits || self.rx.room(1) == 0 || self.fill.ready(1) != Some(1) {
            return false;
        }
        let address = self.fill.take() + headroom;
        let Some(start) = self.content(address, bytes.len()) else {
            return false;
        };
        // SAFETY: `content` checked that the range lies within the UMEM; the chunk came out of the
        // fill ring of a socket that is open while the lock is held, so its token is with this
        // side and nobody else reads or writes it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
        self.rx.stage(Descriptor { address, len: bytes.len() as u32, options: 0 })
    }

    /// Sends all packets that the completion ring has room for: shows a copy of each to `sent`,
    /// completes it. Answers how many they were; none when the socket was closed.
    pub fn drain(&mut self, mut sent: impl FnMut(&[u8])) -> usize {
        let room = self.completion.room(u32::MAX);
        let ready = self.tx.ready(room).unwrap_or(0);
        let (mut copy, mut done) = (Vec::new(), 0);
        for _ in 0..ready {
            let Descriptor { address, len, .. } = self.tx.take();
            if !self.copy_sent(address, len as usize, &mut copy) {
                break;
            }
            sent(&copy);
            self.completion.stage(address);
            done += 1;
        }
        self.tx.release();
        self.completion.publish();
        done
    }

    /// Copies a packet out of a chunk to be sent, so that the lock is not held over foreign code.
    fn copy_sent(&self, address: u64, len: usize, copy: &mut Vec<u8>) -> bool {
        let closed = self.shared.closed();
        let Some(start) = self.content(address, len).filter(|_| !*closed) else {
            return false;
        };
        copy.clear();
        // SAFETY: `content` checked that the range lies within the UMEM; the chunk came out of the
        // TX ring of a socket that is open while the lock is held, so nobody writes it until it is
        // in the completion ring.
        copy.extend_from_slice(unsafe { slice::from_raw_parts(start, len) });
        true
    }

    /// Sets whether each side asks to be woken before it works on.
    pub fn ask_wakeup(&mut self, fill: bool, tx: bool) {
        self.fill.ask_wakeup(fill);
        self.tx.ask_wakeup(tx);
    }

    /// How often the socket called: for the fill ring, for the TX ring.
    #[must_use]
    pub fn wakeups(&self) -> (u64, u64) {
        let Shared { rx, tx, .. } = &*self.shared;
        (rx.load(Ordering::Relaxed), tx.load(Ordering::Relaxed))
    }

    /// Takes a chunk from fill and keeps it; answers its address.
    pub fn hold(&mut self) -> Option<u64> {
        let ready = self.fill.ready(1) == Some(1);
        let address = ready.then(|| self.fill.take());
        self.fill.release();
        address
    }

    /// Takes a packet that is to be sent and keeps it, as a NIC does; answers its address.
    pub fn take(&mut self) -> Option<u64> {
        let ready = self.tx.ready(1) == Some(1);
        let address = ready.then(|| self.tx.take().address);
        self.tx.release();
        address
    }

    /// Puts an address into the completion ring: one that was taken, in whatever order, or any other.
    pub fn complete(&mut self, address: u64) -> bool {
        let staged = self.completion.stage(address);
        self.completion.publish();
        staged
    }

    /// Puts a descriptor into RX: of a chunk that was held, or any other.
    pub fn receive(&mut self, address: u64, len: u32) -> bool {
        let staged = self.rx.stage(Descriptor { address, len, options: 0 });
        self.rx.publish();
        staged
    }

    /// Ends the sound kernel; what goes on may hand over anything, but touches no chunk.
    #[must_use]
    pub fn corrupt(self) -> Liar {
        Liar { rx: self.rx, completion: self.completion }
    }

    /// The content at `address`, if it lies within the UMEM.
    fn content(&self, address: u64, len: usize) -> Option<*mut u8> {
        let region = self.umem.region();
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(len)?;
        // SAFETY: the start lies within the region.
        (end <= region.bytes()).then(|| unsafe { region.start().as_ptr().add(start) })
    }
}

/// A broken kernel: it puts into RX and the completion ring what no kernel should.
#[derive(Debug)]
pub struct Liar {
    rx: Producer<Descriptor>,
    completion: Producer<u64>,
}

impl Liar {
    /// Puts any descriptor into RX, sound or not.
    pub fn receive(&mut self, address: u64, len: u32) -> bool {
        let staged = self.rx.stage(Descriptor { address, len, options: 0 });
        self.rx.publish();
        staged
    }

    /// Puts any address into the completion ring, sound or not.
    pub fn complete(&mut self, address: u64) -> bool {
        let staged = self.completion.stage(address);
        self.completion.publish();
        staged
    }

    /// Moves the RX and completion indices ahead by `by` entries that were never written.
    pub fn overrun(&mut self, by: u32) {
        self.rx.overrun(by);
        self.completion.overrun(by);
    }
}
