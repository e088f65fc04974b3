//! Memory, and the huge pages that a UMEM lies on.
//!
//! Source: `Documentation/admin-guide/mm/hugetlbpage.rst`.

use crate::Tree;

const NODES: &str = "/sys/devices/system/node";

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What programs can have without swapping, bytes.
    pub available_bytes: u64,
    /// The size of a huge page, bytes.
    pub huge_bytes: u64,
    /// Huge pages of each node.
    pub pools: Vec<Pool>,
    /// Which memory lies on huge pages by itself: `always`, `madvise` or `never`.
    pub transparent: Option<String>,
}

/// The huge pages of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// The node.
    pub node: u32,
    /// How many there are.
    pub total: u64,
    /// How many nobody uses.
    pub free: u64,
    /// The file that says how many there are to be.
    pub path: String,
}

impl Memory {
    pub(super) fn read(tree: &Tree) -> Self {
        let info = tree.text("/proc/meminfo").unwrap_or_default();
        let kb = |key: &str| -> u64 {
            let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let huge_kb = kb("Hugepagesize");
        let nodes = tree.list(&format!("{NODES}/online"));
        let pool = |node: usize| {
            let home = format!("{NODES}/node{node}/hugepages/hugepages-{huge_kb}kB");
            let path = format!("{home}/nr_hugepages");
            let total = tree.value(&path)?;
            let free = tree.value(&format!("{home}/free_hugepages"))?;
            Some(Pool { node: node as u32, total, free, path })
        };
        let mut pools: Vec<_> = nodes.into_iter().filter_map(pool).collect();
        if pools.is_empty() && huge_kb > 0 {
            let (total, free) = (kb("HugePages_Total"), kb("HugePages_Free"));
            pools.push(Pool { node: 0, total, free, path: "/proc/sys/vm/nr_hugepages".into() });
        }
        Self {
            available_bytes: kb("MemAvailable") * 1024,
            huge_bytes: huge_kb * 1024,
            pools,
            transparent: tree
                .text("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| chosen(&text)),
        }
    }
}

/// The word in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("[always] madvise never").as_deref(), Some("always"));
        assert_eq!(chosen("nothing"), None);
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = Memory::read(&Tree::host());
        assert!(memory.available_bytes > 0);
    }
}
