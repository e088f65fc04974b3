//! A NIC as sysfs shows it: its driver, the node that it is plugged into, its queues.
//!
//! The device of a virtio or Hyper-V interface is a child of the one on the bus, which has the node and
//! the interrupts: so they are looked for upwards. Sysfs shows the network namespace that it was mounted
//! in (`ip netns exec` mounts it anew).

use std::path::Path;

use crate::tree::read;
use crate::{Irq, Tree};

/// How far up from the interface's device the bus lies.
const UPWARDS: usize = 3;

/// An interface and the hardware behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// The driver of its device; none for a virtual interface.
    pub driver: Option<String>,
    /// The node that it is plugged into; none where there is one node, or no device.
    pub node: Option<u32>,
    /// The receive queues in use, from 0 on.
    pub queues: Vec<Queue>,
}

/// A receive queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its number.
    pub number: u32,
    /// What tells the kernel that frames have come; unknown where the driver does not name it.
    pub irq: Option<Irq>,
}

impl Nic {
    /// Reads an interface; one that is not there has no queues.
    #[must_use]
    pub fn read(tree: &Tree, name: &str) -> Self {
        let home = format!("/sys/class/net/{name}");
        let device = tree.path(&format!("{home}/device")).canonicalize().ok();
        let irqs = Irq::read(tree, &device.as_deref().map(interrupts).unwrap_or_default());
        let irqs = own(irqs, name);
        let folders = tree.names(&format!("{home}/queues"));
        let count = folders.iter().filter(|folder| folder.starts_with("rx-")).count() as u32;
        let queue = |number| {
            let irq = irqs.iter().find(|irq| irq.queue() == Some(number)).cloned();
            Queue { number, irq }
        };
        Self {
            name: name.to_owned(),
            driver: tree.target(&format!("{home}/device/driver")),
            node: device.as_deref().and_then(node),
            queues: (0..count).map(queue).collect(),
        }
    }
}

/// A device and what it hangs on.
fn upwards(device: &Path) -> impl Iterator<Item = &Path> {
    device.ancestors().take(UPWARDS)
}

/// -1 where the firmware names no node.
fn node(device: &Path) -> Option<u32> {
    upwards(device).find_map(|at| read(&at.join("numa_node"))?.parse().ok())
}

fn interrupts(device: &Path) -> Vec<u32> {
    let folder = upwards(device).map(|at| at.join("msi_irqs")).find(|folder| folder.is_dir());
    let entries = folder.map(|folder| folder.read_dir()).into_iter().flatten().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A device with several interfaces names the one in each interrupt.
fn own(irqs: Vec<Irq>, name: &str) -> Vec<Irq> {
    let named = |irq: &Irq| irq.name.split(['-', ':', '@', '.']).any(|word| word == name);
    if irqs.iter().any(named) { irqs.into_iter().filter(named).collect() } else { irqs }
}
