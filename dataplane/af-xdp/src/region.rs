//! Mapped memory: the UMEM's chunks, the kernel's rings, and the simulated ones.
//!
//! One owner of one `mmap`, unmapped when dropped. What lies in it is reached by raw pointers from
//! `ring.rs` and `umem.rs`, which hold an `Arc` of it for as long as they use them.

use std::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::pages;

/// A mapping that this value owns.
#[derive(Debug)]
pub(crate) struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a `Region` is an address range; it has no thread of its own, and `munmap` may be called
// from any thread. Those who read or write through its pointer answer for their own access.
unsafe impl Send for Region {}
// SAFETY: as above; `&Region` gives out only the address and the size.
unsafe impl Sync for Region {}

impl Region {
    /// Fresh zeroed memory of at least `bytes`.
    pub(crate) fn anonymous(bytes: usize) -> Result<Self, Errno> {
        Self::map(bytes, MapFlags::PRIVATE | MapFlags::POPULATE)
    }

    /// Fresh zeroed memory on huge pages; fails when too few are free.
    pub(crate) fn huge(bytes: usize) -> Result<Self, Errno> {
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE | MapFlags::HUGETLB;
        Self::map(bytes.next_multiple_of(pages::LARGE), flags)
    }

    /// Fresh zeroed memory that the kernel may put on transparent huge pages.
    pub(crate) fn plain(bytes: usize) -> Result<Self, Errno> {
        let region = Self::map(bytes, MapFlags::PRIVATE)?;
        pages::advise(region.start.as_ptr(), bytes);
        Ok(region)
    }

    /// Memory that the kernel shares: one ring of a socket (`offset` is an `XDP_*_PGOFF_*`), or a map of a
    /// program.
    pub(crate) fn shared(fd: BorrowedFd<'_>, bytes: usize, offset: u64) -> Result<Self, Errno> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a null address lets the kernel choose a range that overlaps no other mapping.
        let start = unsafe { mmap(ptr::null_mut(), bytes, prot, flags, fd, offset) }?;
        Self::owning(start, bytes)
    }

    fn map(bytes: usize, flags: MapFlags) -> Result<Self, Errno> {
        Self::owning(pages::anonymous(bytes, flags)?, bytes)
    }

    fn owning(start: *mut c_void, bytes: usize) -> Result<Self, Errno> {
        let start = NonNull::new(start.cast()).ok_or(Errno::FAULT)?;
        Ok(Self { start, bytes })
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the range is the one that this value mapped and alone owns; every user of its
        // pointers holds the `Arc` around this value, so none is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
