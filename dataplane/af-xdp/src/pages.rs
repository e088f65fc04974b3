//! Transparent huge pages: for the UMEM, and for the long tables of a program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Bytes of a large page, which is also the default of `MAP_HUGETLB` on x86-64 and arm64, and what long
/// memory is a multiple of.
pub(crate) const LARGE: usize = 2 << 20;
/// From here on memory is long.
const LONG: usize = LARGE / 2;

/// The system's allocator, but memory of a mebibyte or more lies on transparent huge pages
/// (`MADV_HUGEPAGE`), where `/sys/kernel/mm/transparent_hugepage/enabled` is not `never`.
///
/// A packet reads one place each of several long tables, and on ordinary pages most of these miss the
/// TLB. Long memory comes from the kernel and goes back to it, aligned to 2 MiB and a multiple of
/// them, so that every page of it can be a large one.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: af_xdp_rs::LargePages = af_xdp_rs::LargePages;
///
/// assert_eq!(vec![1_u8; 3 << 20].as_ptr().align_offset(2 << 20), 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LargePages;

/// The bytes to map for a layout; nothing where it is the system's.
fn mapped(size: usize, align: usize) -> Option<usize> {
    if size < LONG || align > LARGE { None } else { size.checked_next_multiple_of(LARGE) }
}

/// So many fresh zeroed bytes of the kernel, to read and to write.
pub(crate) fn anonymous(bytes: usize, flags: MapFlags) -> Result<*mut c_void, Errno> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a null address lets the kernel choose a range that overlaps no other mapping.
    unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, flags) }
}

/// So many zeroed bytes, a multiple of [`LARGE`] and aligned to it; null when there are none.
fn map(bytes: usize) -> *mut u8 {
    let Some(all) = bytes.checked_add(LARGE) else { return ptr::null_mut() };
    let Ok(start) = anonymous(all, MapFlags::PRIVATE) else { return ptr::null_mut() };
    let start = start.cast::<u8>();
    let skip = start.align_offset(LARGE);
    let place = start.wrapping_add(skip);
    unmap(start, skip);
    unmap(place.wrapping_add(bytes), LARGE - skip);
    advise(place, bytes);
    place
}

/// Gives pages back that nobody uses: the ends of a new mapping, or all of an old one.
fn unmap(start: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the range was mapped by `map`, which answers for its ends; of the rest, `dealloc`'s
        // caller promises that nobody uses it any more. It cannot fail but for want of kernel memory, and then
        // the pages stay mapped, which harms nobody.
        let _ = unsafe { munmap(start.cast(), bytes) };
    }
}

// SAFETY: what is long is mapped zeroed, at least as large and as aligned as asked, and is unmapped with
// the same bytes, which depend on the layout alone. Everything else is the system allocator's, whose
// callers promise the same. Nothing unwinds.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match mapped(layout.size(), layout.align()) {
            Some(bytes) => map(bytes),
            // SAFETY: the caller's promise is the system allocator's.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match mapped(layout.size(), layout.align()) {
            Some(bytes) => map(bytes),
            // SAFETY: as above.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match mapped(layout.size(), layout.align()) {
            Some(bytes) => unmap(memory, bytes),
            // SAFETY: as above; it is the system's, as the same layout said when it was made.
            None => unsafe { System.dealloc(memory, layout) },
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (before, after) = (mapped(layout.size(), layout.align()), mapped(size, layout.align()));
        match (before, after) {
            // SAFETY: as above.
            (None, None) => return unsafe { System.realloc(memory, layout, size) },
            (Some(before), Some(after)) if before == after => return memory,
            _ => {}
        }
        // SAFETY: the caller promises that `size`, rounded up to the alignment, fits `isize`.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `size` is not 0, by the caller's promise.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both are as long as the shorter one at least, and the new one is nobody else's.
            unsafe { ptr::copy_nonoverlapping(memory, moved, layout.size().min(size)) };
            // SAFETY: it came from here with this layout, and the caller does not use it any more.
            unsafe { self.dealloc(memory, layout) };
        }
        moved
    }
}

/// Asks for huge pages behind the whole pages that begin at `start`. A kernel without them refuses, to no
/// harm.
pub(crate) fn advise(start: *mut u8, bytes: usize) {
    // SAFETY: the advice reads and writes no memory and unmaps none: whatever the range holds, only the
    // size of its pages may change.
    let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: LargePages = LargePages;

    fn aligned<T>(table: &[T]) -> bool {
        table.as_ptr().cast::<u8>().align_offset(LARGE) == 0
    }

    #[test]
    fn memory_keeps_what_is_in_it_while_it_grows_and_shrinks() {
        let mut table = Vec::<u32>::new();
        for number in 0..3_000_000 {
            table.push(number);
        }
        assert!(aligned(&table));
        for length in [2_900_000, 600_000, 524_288, 262_144, 262_143, 1000, 0] {
            table.truncate(length);
            table.shrink_to_fit();
            assert!(table.iter().zip(0..).all(|(kept, number)| *kept == number), "{length}");
            assert!(table.len() * 4 < LONG || aligned(&table), "{length}");
        }
    }

    #[test]
    fn zeroed_memory_is_zero_again_after_use() {
        for bytes in [LONG - 1, LONG, LARGE, LARGE + 1, 7 << 20] {
            for _ in 0..4 {
                let mut table = vec![0_u8; bytes];
                assert!(table.iter().all(|byte| *byte == 0), "{bytes}");
                table.fill(0xff);
            }
        }
    }

    #[test]
    fn what_nobody_has_is_refused_and_odd_alignments_are_the_systems() {
        assert!(map(usize::MAX - LARGE + 1).is_null());
        assert!(map(1 << 60).is_null());
        assert_eq!(mapped(usize::MAX, 1), None);
        assert_eq!(mapped(8 << 20, 4 << 20), None);
        assert_eq!((mapped(LONG - 1, 8), mapped(LONG, 8)), (None, Some(LARGE)));
    }

    /// As `/proc/self/smaps` says, where the kernel has huge pages at all.
    #[test]
    fn a_long_table_lies_on_huge_pages() {
        let enabled = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        if enabled.is_ok_and(|words| words.contains("[never]")) {
            return;
        }
        let table = vec![1_u64; 4 << 20];
        let place = table.as_ptr() as usize + (16 << 20);
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        let huge_kib = smaps.lines().find_map(|line| {
            let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((from, to)) = bounds
                && let (Ok(from), Ok(to)) =
                    (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                here = (from..to).contains(&place);
            }
            let kib = line.strip_prefix("AnonHugePages:")?.trim().strip_suffix(" kB")?;
            here.then(|| kib.trim().parse::<u64>().ok())?
        });
        assert!(huge_kib >= Some(16 << 10), "{huge_kib:?} KiB on huge pages");
    }
}
