//! The UMEM: the memory that the kernel writes received frames to and sends frames from.
//!
//! ```text
//! Region   | chunk 0 | chunk 1 | chunk 2 | ...            frames x frame_bytes, on huge pages
//!           \________
//! a chunk  | 256 bytes of the kernel | headroom | content ... |
//! holders  | 0 | 5 | 0 | ...                               a byte a chunk: whose it is
//! ```
//! `holders` says for each chunk whether a token ([`Frame`]) is out, or which ring of which socket
//! has it. It costs one byte read and one written per hand-over, and buys two things: a kernel that
//! hands over a chunk that it does not hold is found out, and a closed socket's chunks come home.
//!
//! Source: `net/xdp/xdp_umem.c`, `xdp_umem_reg`.

use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::io::Errno;

use crate::Error;
use crate::frame::{Frame, FreeList, Packet};
use crate::region::Region;

/// What the kernel keeps free at the start of each chunk (`XDP_PACKET_HEADROOM`).
pub const KERNEL_HEADROOM_BYTES: u32 = 256;

/// The mark of a chunk whose token is out in the program.
const TOKEN: u8 = 0;

/// Whether to back the UMEM by huge pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Huge pages when enough are free, else normal ones.
    #[default]
    Auto,
    /// Normal pages.
    Never,
}

/// The shape of a UMEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UmemConfig {
    /// How many frames.
    pub frames: u32,
    /// How large a chunk is: 2048 or 4096. 2048 holds an MTU of 1500 beside the kernel's 256 bytes.
    pub frame_bytes: u32,
    /// Bytes to keep free before the content, beside the kernel's 256.
    pub headroom_bytes: u32,
    /// Whether to use huge pages.
    pub huge_pages: HugePages,
}

impl Default for UmemConfig {
    fn default() -> Self {
        Self { frames: 16384, frame_bytes: 2048, headroom_bytes: 0, huge_pages: HugePages::Auto }
    }
}

impl UmemConfig {
    /// The most bytes that a received packet may have; longer ones the kernel drops.
    #[must_use]
    pub fn packet_bytes(&self) -> u32 {
        self.frame_bytes.saturating_sub(KERNEL_HEADROOM_BYTES.saturating_add(self.headroom_bytes))
    }
}

/// Memory shared with the kernel. Clones share it; it ends with its last user.
#[derive(Clone, Debug)]
pub struct Umem {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    region: Region,
    holders: Box<[AtomicU8]>,
    config: UmemConfig,
    huge_pages: bool,
    id: u32,
    /// Sockets that may vouch for the UMEM when another one is bound to it.
    sockets: Mutex<Vec<Weak<OwnedFd>>>,
    /// Marks that no socket uses.
    marks: Mutex<Vec<u8>>,
}

impl Umem {
    /// Maps the memory and hands out all its frames.
    ///
    /// # Errors
    /// [`Error::Size`] for a shape that the kernel would refuse, [`Error::Memory`] when there is
    /// not enough memory.
    pub fn new(config: &UmemConfig) -> Result<(Self, FreeList), Error> {
        check(config)?;
        // A number that came again would let a frame of one UMEM pass for another's.
        static NEXT_ID: AtomicU32 = AtomicU32::new(0);
        let next = |id: u32| id.checked_add(1);
        let Ok(id) = NEXT_ID.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) else {
            let wanted = "a process can make at most 4294967295";
            return Err(Error::Size { what: "the number of UMEMs", given: 1 << 32, wanted });
        };
        let bytes = config.frames as usize * config.frame_bytes as usize;
        let (region, huge_pages) = map(bytes, config.huge_pages)
            .map_err(|errno| Error::Memory { bytes, source: errno.into() })?;
        let inner = Inner {
            region,
            holders: (0..config.frames).map(|_| AtomicU8::new(TOKEN)).collect(),
            config: *config,
            huge_pages,
            id,
            sockets: Mutex::new(Vec::new()),
            marks: Mutex::new((1..=u8::MAX - 2).rev().step_by(2).collect()),
        };
        Ok((Self { inner: Arc::new(inner) }, FreeList::full(config.frames, id)))
    }

    /// Whether the memory lies on huge pages.
    #[must_use]
    pub fn huge_pages(&self) -> bool {
        self.inner.huge_pages
    }

    /// The shape it was made with.
    #[must_use]
    pub fn config(&self) -> &UmemConfig {
        &self.inner.config
    }

    /// The content of a packet.
    ///
    /// # Panics
    /// When the packet is of another UMEM, which is a mistake in the program.
    #[inline]
    #[must_use]
    pub fn bytes<'a>(&'a self, packet: &'a Packet) -> &'a [u8] {
        let start = self.content(packet);
        // SAFETY: `content` checked that the packet is of this UMEM; its offset and length lie
        // within its chunk. The token is unique and borrowed, so nobody writes meanwhile: neither
        // the kernel, which holds none of this chunk, nor `bytes_mut`, which needs the token.
        // The result borrows `self` too, so the memory stays mapped.
        unsafe { slice::from_raw_parts(start.as_ptr(), packet.len()) }
    }

    /// The content of a packet, to be changed in place.
    ///
    /// # Panics
    /// When the packet is of another UMEM, which is a mistake in the program.
    #[inline]
    #[must_use]
    pub fn bytes_mut<'a>(&'a self, packet: &'a mut Packet) -> &'a mut [u8] {
        let start = self.content(packet);
        // SAFETY: as in `bytes`, and the token is borrowed exclusively for as long as the result.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), packet.len()) }
    }

    /// Writes `content` into a frame, behind the headroom. Hands the frame back if it is too long.
    ///
    /// # Errors
    /// The frame itself when `content` is empty or longer than [`UmemConfig::packet_bytes`].
    ///
    /// # Panics
    /// When the frame is of another UMEM, which is a mistake in the program.
    pub fn write(&self, frame: Frame, content: &[u8]) -> Result<Packet, Frame> {
        let config = self.config();
        if content.is_empty() || content.len() > config.packet_bytes() as usize {
            return Err(frame);
        }
        let offset = KERNEL_HEADROOM_BYTES + config.headroom_bytes;
        // Both fit: a chunk has at most 4096 bytes.
        let mut packet = Packet { frame, offset: offset as u16, len: content.len() as u16 };
        self.bytes_mut(&mut packet).copy_from_slice(content);
        Ok(packet)
    }

    #[inline]
    fn content(&self, packet: &Packet) -> NonNull<u8> {
        assert_eq!(packet.frame.umem, self.inner.id, "a packet of another UMEM");
        let at = self.address(&packet.frame) as usize + packet.offset();
        // SAFETY: the frame is of this UMEM, so its chunk lies within the region, and the offset
        // lies within the chunk; no sum overflows, because the region is mapped.
        unsafe { self.inner.region.start().add(at) }
    }
}

/// What the sockets of this crate need of a UMEM.
impl Umem {
    pub(crate) fn region(&self) -> &Region {
        &self.inner.region
    }

    /// Where a frame's chunk starts, as the kernel counts.
    #[inline]
    pub(crate) fn address(&self, frame: &Frame) -> u64 {
        u64::from(frame.index) * u64::from(self.inner.config.frame_bytes)
    }

    /// Gives a chunk to the ring that `mark` names; the token ends.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "the token must not live on")]
    pub(crate) fn lend(&self, frame: Frame, mark: u8) -> u64 {
        assert_eq!(frame.umem, self.inner.id, "a frame of another UMEM");
        let address = self.address(&frame);
        if let Some(holder) = self.inner.holders.get(frame.index as usize) {
            holder.store(mark, Ordering::Relaxed);
        }
        address
    }

    /// Takes back the chunk that holds `address`, if the ring that `mark` names had it.
    #[inline]
    pub(crate) fn claim(&self, address: u64, mark: u8) -> Option<Frame> {
        let index = address >> self.inner.config.frame_bytes.trailing_zeros();
        let holder = self.inner.holders.get(usize::try_from(index).ok()?)?;
        if holder.load(Ordering::Relaxed) != mark {
            return None;
        }
        holder.store(TOKEN, Ordering::Relaxed);
        Some(Frame { index: index as u32, umem: self.inner.id })
    }

    /// Takes back the chunk of a received descriptor, if it and its content are as they must be.
    #[inline]
    pub(crate) fn accept(&self, address: u64, len: u32, mark: u8) -> Option<Packet> {
        let frame_bytes = self.inner.config.frame_bytes;
        let offset = (address & u64::from(frame_bytes - 1)) as u32;
        if len == 0 || len > frame_bytes - offset {
            return None;
        }
        let frame = self.claim(address, mark)?;
        // Both fit: a chunk has at most 4096 bytes.
        Some(Packet { frame, offset: offset as u16, len: len as u16 })
    }

    /// Takes home every chunk that a closed socket's ring still had.
    pub(crate) fn recall(&self, mark: u8, free: &mut FreeList) -> usize {
        let before = free.len();
        for (index, holder) in (0..).zip(&self.inner.holders) {
            if holder.load(Ordering::Relaxed) == mark {
                holder.store(TOKEN, Ordering::Relaxed);
                free.push(Frame { index, umem: self.inner.id });
            }
        }
        free.len() - before
    }

    /// A mark for a new socket's fill side (fill and RX); the next number marks its TX side.
    pub(crate) fn mark(&self) -> Option<u8> {
        self.inner.marks.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives a closed socket's mark to the next one. Its chunks must have been recalled.
    pub(crate) fn retire(&self, mark: u8) {
        self.inner.marks.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }

    /// Registers a bound socket that may vouch for this UMEM.
    pub(crate) fn join(&self, socket: &Arc<OwnedFd>) {
        let mut sockets = self.inner.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(socket));
    }

    /// Calls `body` with a bound socket of this UMEM, if any is open. It stays open meanwhile:
    /// [`leave`](Self::leave) waits.
    pub(crate) fn vouched<T>(&self, body: impl FnOnce(Option<&OwnedFd>) -> T) -> T {
        let sockets = self.inner.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let voucher = sockets.iter().find_map(Weak::upgrade);
        body(voucher.as_deref())
    }

    /// Closes a socket. As nobody else holds it now, the kernel lets go of its chunks.
    pub(crate) fn leave(&self, socket: Arc<OwnedFd>) {
        let _sockets = self.inner.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        drop(socket);
    }
}

fn map(bytes: usize, huge_pages: HugePages) -> Result<(Region, bool), Errno> {
    if huge_pages == HugePages::Auto
        && let Ok(region) = Region::huge(bytes)
    {
        return Ok((region, true));
    }
    Ok((Region::plain(bytes)?, false))
}

fn check(config: &UmemConfig) -> Result<(), Error> {
    let wrong = |what, given: u32, wanted| Err(Error::Size { what, given: given.into(), wanted });
    if !matches!(config.frame_bytes, 2048 | 4096) {
        return wrong("the UMEM's frame size", config.frame_bytes, "it must be 2048 or 4096 bytes");
    }
    if config.frames == 0 || config.frames > 1 << 24 {
        return wrong("the number of UMEM frames", config.frames, "it must be 1 to 16777216");
    }
    let headroom = config.headroom_bytes;
    if headroom > config.frame_bytes - KERNEL_HEADROOM_BYTES - 64 {
        return wrong("the UMEM's headroom", headroom, "it must leave 64 bytes for a packet");
    }
    Ok(())
}
