//! Transparent huge pages: for the UMEM, and for memory of others.

use std::mem::MaybeUninit;

use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// Asks the kernel to put memory that nobody has written to yet on transparent huge pages
/// (`MADV_HUGEPAGE`), where `/sys/kernel/mm/transparent_hugepage/enabled` is not `never`.
///
/// Tables that are read at random miss the TLB less often there. It is advice: what is too short, or
/// refused, stays on ordinary pages. Memory that was written to before stays where it is.
pub fn huge<T>(room: &mut [MaybeUninit<T>]) {
    let all = room.as_mut_ptr_range();
    let start = all.start.cast::<u8>();
    let skip = start.align_offset(page_size());
    let bytes = size_of_val(room).saturating_sub(skip);
    if bytes < page_size() {
        return;
    }
    advise(start.wrapping_add(skip), bytes);
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

    #[test]
    fn any_room_may_ask() {
        for bytes in [0, 1, 4095, 4096, 4097, 8191, 8192, 3 << 20] {
            let mut room = Vec::<u8>::with_capacity(bytes);
            huge(room.spare_capacity_mut());
            room.resize(bytes, 7);
            assert!(room.iter().all(|byte| *byte == 7));
        }
        huge::<()>(&mut [MaybeUninit::uninit(); 3]);
    }

    /// As `/proc/self/smaps` says, where the kernel has huge pages at all.
    #[test]
    fn a_long_table_lies_on_huge_pages() {
        let enabled = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        if enabled.is_ok_and(|words| words.contains("[never]")) {
            return;
        }
        let mut room = Vec::<u64>::with_capacity(4 << 20);
        huge(room.spare_capacity_mut());
        room.resize(4 << 20, 1);
        let place = room.as_ptr() as usize + (16 << 20);
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
