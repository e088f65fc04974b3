//! Interrupts: which a device has, which queue each serves, and on which cores it may and does run.
//!
//! The kernel names no queue for an interrupt, but drivers do, in the name that `/proc/interrupts`
//! shows: `eth0-TxRx-3`, `virtio2-input.0`, `mlx5_comp3@pci:0000:17:00.0`.
//! Source: `Documentation/core-api/irq/irq-affinity.rst`.

use crate::Tree;

/// How drivers end the name of an interrupt that receives, before the queue's number.
const RECEIVES: [&str; 7] = ["rx-", "rxtx-", "rx", "rxvec-", "input.", "comp", "fp-"];

/// An interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Irq {
    /// The kernel's number.
    pub number: u32,
    /// The driver's name for it.
    pub name: String,
    /// The cores that it may run on.
    pub allowed: Vec<usize>,
    /// Those that it does run on.
    pub effective: Vec<usize>,
}

impl Irq {
    /// Those of `numbers` that are in use; in the order of `/proc/interrupts`.
    pub(crate) fn read(tree: &Tree, numbers: &[u32]) -> Vec<Self> {
        let text = tree.text("/proc/interrupts").unwrap_or_default();
        let named = text.lines().filter_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let number: u32 = number.trim().parse().ok()?;
            let name = rest.split_ascii_whitespace().next_back()?;
            numbers.contains(&number).then(|| (number, name.to_owned()))
        });
        named
            .map(|(number, name)| {
                let home = format!("/proc/irq/{number}");
                let allowed = tree.list(&format!("{home}/smp_affinity_list"));
                let effective = tree.list(&format!("{home}/effective_affinity_list"));
                Self { number, name, allowed, effective }
            })
            .collect()
    }

    /// The receive queue that it serves, by its name.
    pub(crate) fn queue(&self) -> Option<u32> {
        let name = self.name.split('@').next()?.to_ascii_lowercase();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if !RECEIVES.iter().any(|end| stem.ends_with(end)) {
            return None;
        }
        name[stem.len()..].parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_name_the_queue() {
        for (name, queue) in [
            ("eth0-TxRx-3", Some(3)), // ixgbe, igb, igc, bnxt_en
            ("i40e-ens1f0-TxRx-12", Some(12)),
            ("ice-ens1f0-TxRx-0", Some(0)),
            ("ens5-Tx-Rx-1", Some(1)), // ena
            ("eth0-rx-2", Some(2)),    // e1000e
            ("eth0-rxtx-5", Some(5)),  // vmxnet3
            ("mlx5_comp7@pci:0000:17:00.0", Some(7)),
            ("virtio2-input.1", Some(1)),
            ("virtio2-output.1", None),
            ("virtio2-config", None),
            ("mlx5_async0@pci:0000:17:00.0", None),
            ("ena-mgmnt@pci:0000:00:05.0", None),
            ("eth0-tx-2", None),
            ("eth0", None),
            ("", None),
        ] {
            let irq = Irq { number: 1, name: name.into(), allowed: vec![], effective: vec![] };
            assert_eq!(irq.queue(), queue, "{name}");
        }
    }
}
